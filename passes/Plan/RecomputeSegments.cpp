//===- RecomputeSegments.cpp - compute the forward twice, keep less -------===//
//
// Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost"
// (arXiv 1604.06174). The kernels on the way to the loss are cut into about
// sqrt(n) segments where few bytes cross. What crosses is kept; everything else
// that the backward pass needs is computed again, segment by segment, by the
// same kernels on the same inputs: to the bit what it was.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/Recompute.h"

#include <cmath>

namespace tarn {
#define GEN_PASS_DEF_TARNRECOMPUTESEGMENTS
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

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

void tarn::recomputeSegments(func::FuncOp function) {
  ForwardPass forward(function);
  if (forward.ops().size() < 4)
    return;
  SmallVector<int64_t> segments = cut(forward);
  recompute(function, forward, [&](Value value) {
    int64_t own = segments[*forward.placeOf(value.getDefiningOp())];
    return own == segments.back() ||
           llvm::any_of(value.getUsers(), [&](Operation *user) {
             std::optional<int64_t> place = forward.placeOf(user);
             return place && segments[*place] != own;
           });
  });
}

namespace {

struct RecomputeSegments
    : tarn::impl::TarnRecomputeSegmentsBase<RecomputeSegments> {
  using Base::Base;
  void runOnOperation() override {
    auto kind = getOperation()->getAttrOfType<StringAttr>("tarn.kind");
    if (kind && (kind.getValue() == "train" || kind.getValue() == "micro"))
      recomputeSegments(getOperation());
  }
};

} // namespace
