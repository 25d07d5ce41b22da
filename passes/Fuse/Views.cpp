//===- Views.cpp - ops that only name elements of others ------------------===//

#include "passes/Fuse/ClusterAnalysis.h"

#include "dialects/Tarn/Joining.h"
#include "passes/Layout/InPlace.h"

#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::TileKind;

/// The maps of a view without maps of its own that only adds dims of one
/// element or takes such away; none of another. Between two longer dims the
/// last dims of one element are the same in both shapes.
static SmallVector<AffineMap> mapsOfUnitDims(IndexedOp op) {
  if (op.getTileKind() != TileKind::view || op->getNumOperands() != 1 ||
      op->getNumResults() != 1)
    return {};
  ArrayRef<int64_t> from = graph::tensorType(op->getOperand(0)).getShape(),
                    to = graph::tensorType(op->getResult(0)).getShape();
  MLIRContext *context = op->getContext();
  SmallVector<AffineExpr> place(from.size(), getAffineConstantExpr(0, context));
  size_t i = from.size(), j = to.size();
  while (i > 0 && j > 0) {
    if (from[i - 1] == to[j - 1])
      place[--i] = getAffineDimExpr(--j, context);
    else if (from[i - 1] == 1)
      --i;
    else if (to[j - 1] == 1)
      --j;
    else
      return {};
  }
  auto isOne = [](int64_t extent) { return extent == 1; };
  if (!llvm::all_of(from.take_front(i), isOne) ||
      !llvm::all_of(to.take_front(j), isOne))
    return {};
  return {AffineMap::get(to.size(), 0, place, context),
          AffineMap::getMultiDimIdentityMap(to.size(), context)};
}

SmallVector<AffineMap> tarn::mapsOf(IndexedOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMaps();
  return maps.empty() ? mapsOfUnitDims(op) : maps;
}

/// Whether a view without maps of its own names a part that another view took
/// out of a value, and so is one view with it. What only has its elements in
/// another order is written in that order instead.
static bool continuesPart(IndexedOp op) {
  if (op->getNumOperands() != 1)
    return false;
  Value whole = op->getOperand(0);
  while (Operation *below = whole.getDefiningOp()) {
    if (!isFree(below) || below->getNumOperands() != 1)
      break;
    whole = below->getOperand(0);
  }
  return whole != op->getOperand(0) &&
         graph::tensorType(whole).getNumElements() >
             graph::tensorType(op->getResult(0)).getNumElements() &&
         !mapsOf(op).empty();
}

/// Whether a view without maps of its own leads to where the program of its
/// operand stores it as a part, and so is one view with what is behind it.
static bool leadsToPart(IndexedOp view) {
  Operation *user = view;
  while (view && view.getTileKind() == TileKind::view &&
         view->getNumOperands() == 1 && view->hasOneUse() &&
         !mapsOf(view).empty()) {
    user = *view->user_begin();
    view = dyn_cast<IndexedOp>(user);
  }
  return isOpen(user) || makerOfParts(user);
}

bool tarn::isAlias(Operation *op) {
  if (isInPlace(op))
    return true;
  auto indexed = dyn_cast<IndexedOp>(op);
  return indexed && indexed.getTileKind() == TileKind::view &&
         indexed.getIndexingMaps().empty() && !continuesPart(indexed) &&
         !leadsToPart(indexed);
}

bool tarn::isFree(Operation *op) {
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed)
    return false;
  TileKind kind = indexed.getTileKind();
  // Constants and index numbers: nothing is read.
  bool isNumber = kind == TileKind::elementwise && op->getNumOperands() == 0;
  return (kind == TileKind::view || isNumber) && !isAlias(op);
}

Operation *tarn::makerOfParts(Operation *op) {
  std::optional<int64_t> dim = graph::joinedDim(op);
  if (!dim)
    return nullptr;
  AffineExpr along = getAffineDimExpr(*dim, op->getContext());
  Operation *maker = nullptr;
  for (Value part : op->getOperands()) {
    auto view = part.getDefiningOp<IndexedOp>();
    if (!view || view.getTileKind() != TileKind::view ||
        view->getNumOperands() != 1 || !part.hasOneUse())
      return nullptr;
    Value whole = view->getOperand(0);
    auto source = whole.getDefiningOp<IndexedOp>();
    SmallVector<AffineMap> maps = mapsOf(view);
    if (!source || source.getTileKind() != TileKind::composite ||
        (maker && maker != source) || !whole.hasOneUse() || maps.empty() ||
        graph::tensorType(whole).getNumElements() !=
            graph::tensorType(part).getNumElements() ||
        llvm::is_contained(maps[0].getResults(), along))
      return nullptr;
    maker = source;
  }
  return maker;
}

bool WrittenPart::isPart(unsigned dim) const {
  return graph::tensorType(value).getDimSize(dim) !=
         graph::tensorType(output).getDimSize(dims[dim]);
}

WrittenPart tarn::writtenPartOf(Value output) {
  WrittenPart part{output, {}, output};
  for (int64_t d = 0, e = graph::tensorType(output).getRank(); d != e; ++d)
    part.dims.push_back(d);
  if (!isOpen(output.getDefiningOp()))
    return part;
  part.value = output.getDefiningOp()->getOperand(0);
  while (auto view = part.value.getDefiningOp<IndexedOp>()) {
    if (view.getTileKind() != TileKind::view || view->getNumOperands() != 1 ||
        graph::tensorType(view->getOperand(0)).getNumElements() !=
            graph::tensorType(part.value).getNumElements())
      break;
    SmallVector<int64_t> dims;
    SmallVector<AffineMap> maps = mapsOf(view);
    if (!maps.empty())
      for (AffineExpr place : maps[0].getResults())
        if (auto dim = dyn_cast<AffineDimExpr>(place))
          dims.push_back(part.dims[dim.getPosition()]);
    if (maps.empty() || dims.size() != maps[0].getNumResults())
      break;
    part = {view->getOperand(0), dims, output};
  }
  return part;
}
