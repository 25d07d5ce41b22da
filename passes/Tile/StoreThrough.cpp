//===- StoreThrough.cpp - where a result lies in what is made of it -------===//

#include "passes/Tile/Programs.h"

#include "dialects/Tarn/Joining.h"
#include "passes/Layout/InPlace.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;

/// The slice of a view's result that a slice of its operand is.
static std::optional<TileSlice> through(OpBuilder &b, IndexedOp view,
                                        const TileSlice &slice) {
  SmallVector<AffineMap> maps = mapsOf(view);
  int64_t rank = graph::tensorType(view->getResult(0)).getRank();
  TileSlice moved;
  moved.offsets.assign(rank, b.getIndexAttr(0));
  moved.sizes.assign(rank, 1);
  SmallVector<int64_t> placeOf(slice.sizes.size(), -1);
  for (auto [d, expr] : llvm::enumerate(maps[0].getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      continue;
    placeOf[d] = loop.getPosition();
    moved.offsets[placeOf[d]] = slice.offsets[d];
    moved.sizes[placeOf[d]] = slice.sizes[d];
  }
  for (int64_t dim : slice.order) {
    if (placeOf[dim] < 0)
      return std::nullopt;
    moved.order.push_back(placeOf[dim]);
  }
  return moved;
}

/// A slice of what is in an open pad, of the pad.
static TileSlice inPad(OpBuilder &b, Value output, const TileSlice &slice) {
  TileSlice moved = slice;
  for (auto [offset, low] : llvm::zip(
           moved.offsets, output.getDefiningOp<graph::PadOp>().getLow())) {
    std::optional<int64_t> at = getConstantIntValue(offset);
    if (at)
      offset = b.getIndexAttr(*at + low);
    else if (low != 0)
      offset = arith::AddIOp::create(
                   b, output.getLoc(), cast<Value>(offset),
                   arith::ConstantIndexOp::create(b, output.getLoc(), low))
                   .getResult();
  }
  return moved;
}

TileSlice tarn::placeOf(OpBuilder &b, const WrittenPart &part,
                        const TileSlice &slice) {
  if (part.value == part.output)
    return slice;
  TileSlice moved;
  int64_t rank = graph::tensorType(part.output).getRank();
  moved.offsets.assign(rank, b.getIndexAttr(0));
  moved.sizes.assign(rank, 1);
  for (auto [d, dim] : llvm::enumerate(part.dims)) {
    moved.offsets[dim] = slice.offsets[d];
    moved.sizes[dim] = slice.sizes[d];
  }
  for (int64_t dim : slice.order)
    moved.order.push_back(part.dims[dim]);
  return inPad(b, part.output, moved);
}

LogicalResult tarn::forEachStore(
    OpBuilder &b, Value result, const TileSlice &slice,
    llvm::function_ref<LogicalResult(Value, const TileSlice &)> f) {
  bool isOutput = false;
  for (OpOperand &use : result.getUses()) {
    Operation *user = use.getOwner();
    if (isa<graph::YieldOp>(user)) {
      isOutput = true;
      continue;
    }
    std::optional<TileSlice> moved;
    if (std::optional<int64_t> dim = graph::joinedDim(user)) {
      moved = slice;
      int64_t before = 0;
      for (Value part : user->getOperands().take_front(use.getOperandNumber()))
        before += graph::tensorType(part).getDimSize(*dim);
      // Parts lie at fixed places along a dim that no block spans.
      std::optional<int64_t> at = getConstantIntValue(slice.offsets[*dim]);
      if (at)
        moved->offsets[*dim] = b.getIndexAttr(*at + before);
      else
        moved.reset();
    } else if (isOpen(user)) {
      moved = inPad(b, user->getResult(0), slice);
    } else if (auto view = dyn_cast<IndexedOp>(user);
               view && view.getTileKind() == graph::TileKind::view) {
      moved = through(b, view, slice);
    }
    if (!moved)
      return user->emitOpError("cannot be stored by a kernel of its operand");
    if (failed(forEachStore(b, user->getResult(0), *moved, f)))
      return failure();
  }
  return isOutput ? f(result, slice) : success();
}
