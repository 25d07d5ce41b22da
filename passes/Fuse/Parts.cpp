//===- Parts.cpp - parts of values that no kernel copies ------------------===//

#include "passes/Fuse/Parts.h"

#include "dialects/Tarn/Joining.h"
#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Layout/InPlace.h"

#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
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
  auto indexed = dyn_cast<IndexedOp>(op);
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

/// Whether somebody wants a value by the name of its bytes, and not the caller.
static bool mayBeNamed(Value value) {
  Names names = namesOf(value);
  return names.any && !names.returned;
}

/// A view that has the dims of its operand in another order; else null.
static IndexedOp permutation(Operation *op) {
  auto view = dyn_cast<IndexedOp>(op);
  if (!view || view.getTileKind() != TileKind::view || isAlias(op) ||
      op->getNumOperands() != 1)
    return {};
  SmallVector<AffineMap> maps = mapsOf(view);
  return maps[0].isPermutation() && maps[1].isIdentity() ? view : IndexedOp();
}

/// The op that shapes the kernel which can store a value where it is put
/// together, for its one reader: a program of its own, seen through views; or a
/// product, rounded or the like and then seen through views. Null for others,
/// and where the kernel has a dim of its own along `dim`, which its blocks may
/// span.
static Operation *storedBy(Value part, int64_t dim) {
  bool isChanged = false, isAdded = false;
  while (part.hasOneUse()) {
    auto op = part.getDefiningOp<IndexedOp>();
    if (!op)
      break;
    if (op.getTileKind() == TileKind::dot ||
        (op.getTileKind() == TileKind::composite && !isChanged))
      return isAdded ? op.getOperation() : nullptr;
    SmallVector<AffineMap> maps = mapsOf(op);
    bool moves = op.getTileKind() == TileKind::view && !isChanged,
         changes = op.getTileKind() == TileKind::elementwise;
    if ((!moves && !changes) || op->getNumOperands() != 1 || maps.empty() ||
        graph::tensorType(op->getOperand(0)).getNumElements() !=
            graph::tensorType(part).getNumElements())
      break;
    if (moves && !isAdded) {
      ArrayRef<AffineExpr> places = maps[0].getResults();
      const auto *place =
          llvm::find(places, getAffineDimExpr(dim, op->getContext()));
      isAdded = place == places.end();
      dim = place - places.begin();
    }
    isChanged |= changes;
    part = op->getOperand(0);
  }
  return nullptr;
}

/// Moves the views that lead to a value to where they may first be.
static void moveUp(Value value) {
  auto view = value.getDefiningOp<IndexedOp>();
  if (!view || view.getTileKind() != TileKind::view ||
      view->getNumOperands() != 1)
    return;
  moveUp(view->getOperand(0));
  if (Operation *below = view->getOperand(0).getDefiningOp())
    view->moveAfter(below);
}

/// Lets those who make the parts of a concatenation write them where it lies,
/// behind the views that give its dims another order. Along a dim of one
/// element a part each, so that blocks end where it ends.
static void writeApart(Operation *joining) {
  SmallVector<IndexedOp> views;
  Value whole = joining->getResult(0);
  int64_t dim = *graph::joinedDim(joining);
  while (whole.hasOneUse()) {
    IndexedOp view = permutation(*whole.user_begin());
    if (!view)
      break;
    views.push_back(view);
    whole = view->getResult(0);
  }
  if (!mayBeNamed(whole))
    return;
  // What one op makes is one piece, and so is what none of these makes.
  SmallVector<std::pair<Operation *, SmallVector<Value>>> pieces;
  bool isGood = false;
  for (Value part : joining->getOperands()) {
    if (graph::tensorType(part).getDimSize(dim) != 1)
      return;
    Operation *maker = storedBy(part, dim);
    isGood |= bool(maker);
    if (pieces.empty() || pieces.back().first != maker)
      pieces.push_back({maker, {}});
    pieces.back().second.push_back(part);
  }
  llvm::SmallDenseSet<Operation *> makers;
  if (pieces.size() < 2 || !isGood || !llvm::all_of(pieces, [&](auto &piece) {
        return makers.insert(piece.first).second;
      }))
    return;
  // The piece behind the views, which move its dim along.
  OpBuilder b(whole.getContext());
  auto seen = [&](Value part, int64_t &at) {
    int64_t extent = graph::tensorType(part).getDimSize(at);
    for (IndexedOp view : views) {
      at = cast<AffineDimExpr>(mapsOf(view)[0].getResult(at)).getPosition();
      auto type = graph::tensorType(view->getResult(0));
      SmallVector<int64_t> shape(type.getShape());
      shape[at] = extent;
      Operation *copy = b.clone(*view);
      copy->setOperand(0, part);
      part = copy->getResult(0);
      part.setType(type.clone(shape));
    }
    return part;
  };
  Location loc = joining->getLoc();
  SmallVector<Value> padded;
  int64_t before = 0, all = joining->getNumOperands();
  for (auto &[maker, values] : pieces) {
    Value part = values.front();
    for (Value value : values) {
      moveUp(value);
      if (value.getDefiningOp() &&
          (!part.getDefiningOp() ||
           part.getDefiningOp()->isBeforeInBlock(value.getDefiningOp())))
        part = value;
    }
    // As soon as the parts are there: what they are made of may go then.
    b.setInsertionPointAfterValue(part);
    int64_t count = values.size(), at = dim;
    if (count > 1)
      part = graph::ConcatOp::create(b, loc, values, dim);
    part = seen(part, at);
    padded.push_back(padOpen(b, loc, part, at, before, all - before - count));
    before += count;
  }
  b.setInsertionPointAfterValue(whole);
  whole.replaceAllUsesWith(putTogether(b, loc, padded));
  for (IndexedOp view : llvm::reverse(views))
    view.erase();
  joining->erase();
}

void tarn::nameParts(func::FuncOp function) {
  SmallVector<Operation *> joining;
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (isInPlace(&op))
      continue;
    auto isMadeForIt = [](Value part) {
      return part.hasOneUse() && !isa<BlockArgument>(part) && isStored(part);
    };
    bool isJoined = graph::joinedDim(&op).has_value();
    bool isGood = isJoined
                      ? llvm::all_of(op.getOperands(), isMadeForIt)
                      : op.getNumOperands() == 1 && isStored(op.getOperand(0));
    if (isGood && mayBeNamed(op.getResult(0)) && markInPlace(&op))
      continue;
    if (isJoined)
      joining.push_back(&op);
  }
  llvm::for_each(joining, writeApart);
}
