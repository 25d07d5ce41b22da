//===- Parts.cpp - parts of values that no kernel copies ------------------===//

#include "passes/Fuse/Parts.h"

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Layout/InPlace.h"

using namespace mlir;
using namespace tarn;
using graph::TileKind;

/// Whether a value lies in memory whatever its readers are: what shapes a
/// kernel stores its result, while cheaper ops move into those who read them.
static bool isStored(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isAlias(op) && op->getNumOperands() == 1) {
    value = op->getOperand(0);
    op = value.getDefiningOp();
  }
  if (!op)
    return true;
  auto indexed = dyn_cast<graph::IndexedOp>(op);
  return indexed && (indexed.getTileKind() == TileKind::dot ||
                     indexed.getTileKind() == TileKind::composite);
}

namespace {
/// Who reads a value without being a kernel.
struct Names {
  bool any = false;      ///< a name for its bytes
  bool returned = false; ///< the caller, under this name or another
};
} // namespace

static Names namesOf(Value value) {
  Names names;
  for (Operation *user : value.getUsers()) {
    names.returned |= user->hasTrait<OpTrait::IsTerminator>();
    if (!isAlias(user))
      continue;
    names.any = true;
    for (Value result : user->getResults())
      names.returned |= namesOf(result).returned;
  }
  return names;
}

void tarn::nameParts(func::FuncOp function) {
  for (Operation &op : function.getBody().front()) {
    if (isInPlace(&op))
      continue;
    auto mayBeNamed = [&] {
      Names names = namesOf(op.getResult(0));
      return names.any && !names.returned;
    };
    if (auto slice = dyn_cast<graph::SliceOp>(op)) {
      if (mayBeNamed() && isStored(slice.getX()))
        markInPlace(&op);
    } else if (auto concat = dyn_cast<graph::ConcatOp>(op)) {
      auto isMadeForIt = [](Value part) {
        return part.hasOneUse() && !isa<BlockArgument>(part) && isStored(part);
      };
      if (mayBeNamed() && llvm::all_of(concat.getInputs(), isMadeForIt))
        markInPlace(&op);
    }
  }
}
