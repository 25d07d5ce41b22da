//===- Policies.cpp - plans by rule, to compare with ----------------------===//

#include "passes/Plan/Policies.h"

#include "dialects/Step/StepOps.h"
#include "passes/Layout/InPlace.h"
#include "passes/Plan/ForwardPass.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/Schedule/Orders.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace tarn;

/// A kernel that writes over a state which others read again comes last, where
/// it stands in the way. What can't be played even so keeps all.
static schedule::Plan playable(const schedule::Graph &graph,
                               schedule::Plan plan) {
  schedule::Player player(graph);
  if (player.play(plan).ended)
    return plan;
  std::vector<char> isRead(graph.values.size(), 0);
  for (const schedule::Task &task : graph.tasks) {
    for (int value : task.reads)
      isRead[size_t(value)] = 1;
    for (const schedule::Form &form : task.forms)
      for (int value : form.reads)
        isRead[size_t(value)] = 1;
  }
  std::stable_partition(plan.order.begin(), plan.order.end(), [&](int index) {
    const schedule::Task &task = graph.tasks[size_t(index)];
    return task.retires.empty() ||
           llvm::any_of(task.makes, [&](int v) { return isRead[size_t(v)]; });
  });
  if (player.play(plan).ended)
    return plan;
  return {schedule::givenOrder(graph), {}, {}, {}};
}

/// Cuts what `isKept` does not name, where the forward pass has read it last
/// before the backward pass reads it: a loss may be finished late.
static schedule::Plan cutForward(const KernelGraph &graph,
                                 const ForwardPass &forward,
                                 llvm::function_ref<bool(Value)> isKept) {
  schedule::Plan plan{schedule::givenOrder(graph.graph()), {}, {}, {}};
  std::vector<int> lastForward(graph.graph().values.size(), -1);
  std::vector<char> isRead(lastForward.size(), 0);
  for (auto [i, task] : llvm::enumerate(graph.graph().tasks)) {
    bool isForward = forward.placeOf(graph.kernelOf(int(i))).has_value();
    for (int value : task.reads) {
      isRead[size_t(value)] |= !isForward;
      if (isForward && !isRead[size_t(value)])
        lastForward[size_t(value)] = int(i);
    }
    for (int value : task.makes)
      lastForward[size_t(value)] = int(i);
  }
  for (Operation *op : forward.ops())
    if (isa<graph::ClusterOp>(op))
      for (Value result : op->getResults())
        if (!isKept(result)) {
          int value = *graph.indexOf(result);
          plan.cuts.insert({lastForward[size_t(value)], value});
        }
  return playable(graph.graph(), std::move(plan));
}

schedule::Plan tarn::recomputeAll(const KernelGraph &graph,
                                  func::FuncOp function) {
  return cutForward(graph, ForwardPass(function), [](Value) { return false; });
}

/// Bytes that kernels from `position` on read of those before it.
static int64_t bytesAcross(const ForwardPass &forward, int64_t position) {
  int64_t bytes = 0;
  for (Operation *op : forward.ops().take_front(position))
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            std::optional<int64_t> place = forward.placeOf(user);
            return place && *place >= position;
          }))
        bytes += bytesOf(result.getType());
  return bytes;
}

/// The segment of each forward op: about sqrt(n) segments, each cut at the
/// cheapest place near its share.
static SmallVector<int64_t> cut(const ForwardPass &forward) {
  int64_t n = forward.ops().size();
  int64_t count = std::max<int64_t>(1, std::llround(std::sqrt(double(n))));
  int64_t length = llvm::divideCeil(n, count);
  llvm::SmallDenseSet<int64_t> cuts;
  for (int64_t ideal = length; ideal < n; ideal += length) {
    int64_t best = ideal, least = bytesAcross(forward, ideal);
    for (int64_t at = std::max<int64_t>(1, ideal - length / 2 + 1);
         at < std::min(n, ideal + length / 2); ++at)
      if (int64_t bytes = bytesAcross(forward, at); bytes < least) {
        least = bytes;
        best = at;
      }
    cuts.insert(best);
  }
  SmallVector<int64_t> segments;
  int64_t segment = 0;
  for (int64_t i = 0; i != n; ++i) {
    segment += cuts.contains(i);
    segments.push_back(segment);
  }
  return segments;
}

schedule::Plan tarn::recomputeSegments(const KernelGraph &graph,
                                       func::FuncOp function) {
  ForwardPass forward(function);
  if (forward.ops().size() < 4)
    return {schedule::givenOrder(graph.graph()), {}, {}, {}};
  SmallVector<int64_t> segments = cut(forward);
  // Whether a forward op of another segment reads the value, also by another
  // name.
  std::function<bool(Value, int64_t)> crosses = [&](Value value, int64_t own) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      std::optional<int64_t> place = forward.placeOf(user);
      if (!place)
        return false;
      if (isa<graph::ReshapeOp>(user) || isInPlace(user))
        return crosses(user->getResult(0), own);
      return segments[*place] != own;
    });
  };
  return cutForward(graph, forward, [&](Value value) {
    int64_t own = segments[*forward.placeOf(value.getDefiningOp())];
    return own == segments.back() || crosses(value, own);
  });
}
