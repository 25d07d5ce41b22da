//===- Ways.cpp - kernels that would wait for themselves ------------------===//

#include "passes/Fuse/Ways.h"

#include "passes/Fuse/ClusterAnalysis.h"

using namespace mlir;
using namespace tarn;

Ways::Ways(Block &block) {
  for (Operation &op : block) {
    indexOf[&op] = nodes.size();
    nodes.push_back({});
  }
  for (auto [index, op] : llvm::enumerate(block)) {
    nodes[index].isFree = isFree(&op);
    for (Value operand : op.getOperands())
      if (Operation *source = operand.getDefiningOp()) {
        Index from = indexOf.lookup(source);
        nodes[index].sources.push_back(from);
        nodes[from].users.push_back(index);
      }
  }
}

void Ways::setKernel(ArrayRef<Operation *> ops) {
  Index kernel = nodes[indexOf.lookup(ops.back())].kernel;
  if (kernel == none) {
    kernel = kernels.size();
    kernels.emplace_back();
    visited.push_back({});
  }
  kernels[kernel].clear();
  for (Operation *op : ops) {
    Index index = indexOf.lookup(op);
    kernels[kernel].push_back(index);
    nodes[index].kernel = kernel;
  }
}

/// One direction of the search.
class Ways::Search {
public:
  enum class Found { nothing, way, more };
  Search(Ways &ways, bool isDown, Index first)
      : ways(ways), isDown(isDown), first(first) {}

  /// Begins at ops beside the set, through free ops, which are repeated by
  /// whoever needs them.
  void start(ArrayRef<Index> ops) {
    SmallVector<Index> near(ops);
    // Not `seen`: a way back may lead through them as well.
    llvm::SmallDenseSet<Index> repeated;
    while (!near.empty())
      for (Index next : neighbours(near.pop_back_val())) {
        if (isInside(next) || isTooFar(next))
          continue;
        if (!ways.nodes[next].isFree)
          push(next);
        else if (repeated.insert(next).second)
          near.push_back(next);
      }
  }

  /// Looks at one op more.
  Found step() {
    if (work.empty())
      return Found::nothing;
    Index op = work.pop_back_val();
    bool back = false;
    auto visit = [&](Index next) {
      back |= isInside(next);
      if (!isTooFar(next))
        push(next);
    };
    Index kernel = ways.nodes[op].kernel;
    if (kernel != none && mark(ways.visited[kernel]))
      for (Index other : ways.kernels[kernel])
        visit(other);
    for (Index next : neighbours(op))
      visit(next);
    return back ? Found::way : Found::more;
  }

private:
  ArrayRef<Index> neighbours(Index op) const {
    return isDown ? ways.nodes[op].users : ways.nodes[op].sources;
  }
  bool isInside(Index op) const {
    return ways.nodes[op].inside == ways.question;
  }
  bool isTooFar(Index op) const { return op < first; }
  /// False where this question has been here.
  bool mark(Seen &seen) const {
    Index &last = isDown ? seen.down : seen.up;
    return std::exchange(last, ways.question) != ways.question;
  }
  void push(Index op) {
    if (!isInside(op) && mark(ways.nodes[op].seen))
      work.push_back(op);
  }

  Ways &ways;
  bool isDown;
  Index first;
  SmallVector<Index> work;
};

// Looks from both ends in turns: one of them has little to look at.
bool Ways::leadsBack(ArrayRef<Operation *> ops, bool isComplete) {
  ++question;
  SmallVector<Index> indices;
  for (Operation *op : ops) {
    indices.push_back(indexOf.lookup(op));
    nodes[indices.back()].inside = question;
  }
  Index first = isComplete ? 0 : indices.front();
  Search down(*this, /*isDown=*/true, 0), up(*this, /*isDown=*/false, first);
  down.start(indices);
  up.start(indices);
  while (true) {
    Search::Found below = down.step(), above = up.step();
    if (below == Search::Found::way || above == Search::Found::way)
      return true;
    if (below == Search::Found::nothing || above == Search::Found::nothing)
      return false;
  }
}
