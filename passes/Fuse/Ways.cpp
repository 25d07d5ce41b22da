//===- Ways.cpp - kernels that would wait for themselves ------------------===//

#include "passes/Fuse/Ways.h"

#include "passes/Fuse/ClusterAnalysis.h"

using namespace mlir;
using namespace tarn;

namespace {

using IsNear = llvm::function_ref<bool(Operation *)>;
using KernelOf = llvm::function_ref<ArrayRef<Operation *>(Operation *)>;

/// One direction of the search for a way that leaves a set of ops and comes
/// back to it.
class WaySearch {
public:
  enum class Found { nothing, way, more };
  WaySearch(const llvm::SmallDenseSet<Operation *> &inside, KernelOf kernelOf,
            IsNear isNear)
      : inside(inside), kernelOf(kernelOf), isNear(isNear),
        seen(inside.begin(), inside.end()) {}

  /// Where the search begins: ops beside the set, through free ops, which are
  /// repeated by whoever needs them.
  template <typename Neighbours> void start(Neighbours neighbours) {
    SmallVector<Operation *> near(inside.begin(), inside.end());
    // Not `seen`: a way back may lead through them as well.
    llvm::DenseSet<Operation *> repeated(inside.begin(), inside.end());
    while (!near.empty())
      neighbours(near.pop_back_val(), [&](Operation *next) {
        if (!isNear(next) || inside.contains(next))
          return;
        if (isFree(next) && repeated.insert(next).second)
          near.push_back(next);
        if (!isFree(next) && seen.insert(next).second)
          work.push_back(next);
      });
  }

  /// Looks at one op more.
  template <typename Neighbours> Found step(Neighbours neighbours) {
    if (work.empty())
      return Found::nothing;
    Operation *op = work.pop_back_val();
    bool back = false;
    auto push = [&](Operation *next) {
      back |= inside.contains(next);
      if (isNear(next) && seen.insert(next).second)
        work.push_back(next);
    };
    ArrayRef<Operation *> kernel = kernelOf(op);
    if (!kernel.empty() && waiting.insert(kernel.front()).second)
      for (Operation *other : kernel)
        push(other);
    neighbours(op, push);
    return back ? Found::way : Found::more;
  }

private:
  const llvm::SmallDenseSet<Operation *> &inside;
  KernelOf kernelOf;
  IsNear isNear;
  SmallVector<Operation *> work;
  llvm::DenseSet<Operation *> seen;
  /// The first ops of kernels.
  llvm::DenseSet<Operation *> waiting;
};

} // namespace

// Looks from both ends in turns: one of them has little to look at.
bool tarn::leadsBack(ArrayRef<Operation *> ops, IsNear isAbove,
                     KernelOf kernelOf) {
  llvm::SmallDenseSet<Operation *> inside(ops.begin(), ops.end());
  auto users = [](Operation *op, auto visit) {
    for (Operation *user : op->getUsers())
      visit(user);
  };
  auto sources = [](Operation *op, auto visit) {
    for (Value operand : op->getOperands())
      if (Operation *source = operand.getDefiningOp())
        visit(source);
  };
  auto isAnything = [](Operation *) { return true; };
  WaySearch down(inside, kernelOf, isAnything), up(inside, kernelOf, isAbove);
  down.start(users);
  up.start(sources);
  while (true) {
    WaySearch::Found below = down.step(users), above = up.step(sources);
    if (below == WaySearch::Found::way || above == WaySearch::Found::way)
      return true;
    if (below == WaySearch::Found::nothing ||
        above == WaySearch::Found::nothing)
      return false;
  }
}
