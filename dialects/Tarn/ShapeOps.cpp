//===- ShapeOps.cpp - ops that move elements ------------------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Loops.h"

#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

using Tiles = FailureOr<SmallVector<Value>>;

// Loops over the result with one map for the operand: what all views have.
static Maps viewMaps(Operation *op, ArrayRef<AffineExpr> operand) {
  unsigned rank = resultType(op).getRank();
  MLIRContext *context = op->getContext();
  return {loopMap(context, rank, operand),
          AffineMap::getMultiDimIdentityMap(rank, context)};
}

//===----------------------------------------------------------------------===//
// broadcast
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  auto from = tensorType(getX()), to = tensorType(getResult());
  ArrayRef<int64_t> dims = getDims();
  // broadcast.C1
  if (int64_t(dims.size()) != from.getRank())
    return (Complaint(*this) << "has " << dims.size() << " dims for x of rank "
                             << from.getRank())
        .note(getX(), "x");
  int64_t least = 0;
  for (auto [k, dim] : llvm::enumerate(dims)) {
    // broadcast.C2
    if (dim < least || dim >= to.getRank())
      return Complaint(*this)
             << "maps dim " << k << " of x to dim " << dim
             << ": dims must increase and lie below the result's rank "
             << to.getRank();
    least = dim + 1;
    // broadcast.C3
    if (from.getDimSize(k) != to.getDimSize(dim))
      return (Complaint(*this)
              << "maps dim " << k << " of x, of extent " << from.getDimSize(k)
              << ", to dim " << dim << " of extent " << to.getDimSize(dim))
          .note(getX(), "x");
  }
  // broadcast.C4
  if (from.getElementType() != to.getElementType())
    return (Complaint(*this) << "turns " << from.getElementType() << " into "
                             << to.getElementType())
        .note(getX(), "x");
  return success();
}

SmallVector<int64_t> BroadcastOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds BroadcastOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind BroadcastOp::getTileKind() { return TileKind::view; }

Maps BroadcastOp::getIndexingMaps() {
  SmallVector<AffineExpr> exprs;
  for (int64_t dim : getDims())
    exprs.push_back(getAffineDimExpr(dim, getContext()));
  return viewMaps(*this, exprs);
}

//===----------------------------------------------------------------------===//
// transpose
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  auto from = tensorType(adaptor.getX());
  ArrayRef<int64_t> permutation = adaptor.getPermutation();
  // transpose.C1
  llvm::BitVector seen(from.getRank());
  bool valid = int64_t(permutation.size()) == from.getRank();
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation) {
    valid = valid && dim >= 0 && dim < from.getRank() && !seen[dim];
    if (!valid)
      break;
    seen.set(dim);
    shape.push_back(from.getDimSize(dim));
  }
  if (!valid)
    return (Complaint(loc, getOperationName())
            << "has permutation [" << permutation
            << "], which does not permute the " << from.getRank()
            << " dims of x")
        .note(adaptor.getX(), "x");
  types.push_back(from.clone(shape));
  return success();
}

SmallVector<int64_t> TransposeOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds TransposeOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind TransposeOp::getTileKind() { return TileKind::view; }

Maps TransposeOp::getIndexingMaps() {
  ArrayRef<int64_t> permutation = getPermutation();
  SmallVector<AffineExpr> exprs(permutation.size());
  for (auto [k, dim] : llvm::enumerate(permutation))
    exprs[dim] = getAffineDimExpr(k, getContext());
  return viewMaps(*this, exprs);
}

//===----------------------------------------------------------------------===//
// reshape
//===----------------------------------------------------------------------===//

void ReshapeOp::build(OpBuilder &builder, OperationState &state, Value x,
                      ArrayRef<int64_t> shape) {
  build(builder, state, Type(tensorType(x).clone(shape)), x);
}

LogicalResult ReshapeOp::verify() {
  auto from = tensorType(getX()), to = tensorType(getResult());
  // reshape.C1
  if (from.getNumElements() != to.getNumElements())
    return (Complaint(*this)
            << "reads " << from.getNumElements() << " elements as "
            << to.getNumElements() << " (" << to << ")")
        .note(getX(), "x");
  // reshape.C2
  if (from.getElementType() != to.getElementType())
    return (Complaint(*this) << "reads " << from.getElementType() << " as "
                             << to.getElementType())
        .note(getX(), "x");
  return success();
}

SmallVector<int64_t> ReshapeOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds ReshapeOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind ReshapeOp::getTileKind() { return TileKind::view; }
Maps ReshapeOp::getIndexingMaps() { return {}; }

//===----------------------------------------------------------------------===//
// slice
//===----------------------------------------------------------------------===//

LogicalResult SliceOp::inferReturnTypes(MLIRContext *context,
                                        std::optional<Location> loc,
                                        Adaptor adaptor,
                                        SmallVectorImpl<Type> &types) {
  auto from = tensorType(adaptor.getX());
  ArrayRef<int64_t> offsets = adaptor.getOffsets(), sizes = adaptor.getSizes();
  // slice.C1
  if (int64_t(offsets.size()) != from.getRank() ||
      int64_t(sizes.size()) != from.getRank())
    return (Complaint(loc, getOperationName())
            << "has " << offsets.size() << " offsets and " << sizes.size()
            << " sizes for x of rank " << from.getRank())
        .note(adaptor.getX(), "x");
  // slice.C2
  for (int64_t d = 0; d != from.getRank(); ++d)
    if (offsets[d] < 0 || sizes[d] < 1 ||
        offsets[d] > from.getDimSize(d) - sizes[d])
      return (Complaint(loc, getOperationName())
              << "takes " << sizes[d] << " elements at offset " << offsets[d]
              << " of dim " << d << ", which has " << from.getDimSize(d))
          .note(adaptor.getX(), "x");
  types.push_back(from.clone(sizes));
  return success();
}

SmallVector<int64_t> SliceOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds SliceOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind SliceOp::getTileKind() { return TileKind::view; }

Maps SliceOp::getIndexingMaps() {
  SmallVector<AffineExpr> exprs;
  for (auto [d, offset] : llvm::enumerate(getOffsets()))
    exprs.push_back(getAffineDimExpr(d, getContext()) + offset);
  return viewMaps(*this, exprs);
}

//===----------------------------------------------------------------------===//
// pad
//===----------------------------------------------------------------------===//

LogicalResult PadOp::inferReturnTypes(MLIRContext *context,
                                      std::optional<Location> loc,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  auto from = tensorType(adaptor.getX());
  ArrayRef<int64_t> low = adaptor.getLow(), high = adaptor.getHigh();
  // pad.C1
  if (int64_t(low.size()) != from.getRank() ||
      int64_t(high.size()) != from.getRank())
    return (Complaint(loc, getOperationName())
            << "has " << low.size() << " low and " << high.size()
            << " high entries for x of rank " << from.getRank())
        .note(adaptor.getX(), "x");
  SmallVector<int64_t> shape(from.getShape());
  for (int64_t d = 0; d != from.getRank(); ++d) {
    // pad.C2
    if (low[d] < 0 || high[d] < 0)
      return Complaint(loc, getOperationName())
             << "pads dim " << d << " by " << low[d] << " and " << high[d]
             << ": neither may be negative";
    shape[d] += low[d] + high[d];
  }
  types.push_back(from.clone(shape));
  return success();
}

SmallVector<int64_t> PadOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds PadOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind PadOp::getTileKind() { return TileKind::elementwise; }

Maps PadOp::getIndexingMaps() {
  SmallVector<AffineExpr> exprs;
  for (auto [d, low] : llvm::enumerate(getLow()))
    exprs.push_back(getAffineDimExpr(d, getContext()) - low);
  return viewMaps(*this, exprs);
}

// Whether the index of a loop dim is at least / less than a bound.
static Value indexIs(TileMath &m, TileBodyContext &context, unsigned dim,
                     arith::CmpIPredicate predicate, int64_t bound) {
  Value index = context.indexTile(m.b, m.loc, dim);
  return m.compare(arith::CmpFPredicate::OEQ, predicate, index,
                   m.constant(index, double(bound)));
}

Tiles PadOp::buildTileBody(OpBuilder &builder, Location loc,
                           TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  ArrayRef<int64_t> extents = tensorType(getX()).getShape();
  Value inside;
  auto require = [&](Value condition) {
    inside = inside ? m.andOf(inside, condition) : condition;
  };
  for (auto [d, low, high] : llvm::enumerate(getLow(), getHigh())) {
    if (low > 0)
      require(indexIs(m, context, d, arith::CmpIPredicate::sge, low));
    if (high > 0)
      require(
          indexIs(m, context, d, arith::CmpIPredicate::slt, low + extents[d]));
  }
  if (!inside)
    return SmallVector<Value>{tiles[0]};
  return SmallVector<Value>{
      m.select(inside, tiles[0], m.constant(tiles[0], 0))};
}

//===----------------------------------------------------------------------===//
// concat
//===----------------------------------------------------------------------===//

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  ValueRange inputs = adaptor.getInputs();
  int64_t dim = adaptor.getDim();
  // concat.C1
  if (inputs.empty())
    return Complaint(loc, getOperationName()) << "has no input";
  auto first = tensorType(inputs.front());
  // concat.C2
  if (dim < 0 || dim >= first.getRank())
    return (Complaint(loc, getOperationName())
            << "runs along dim " << dim << " of inputs of rank "
            << first.getRank())
        .note(inputs.front(), "the first input");
  SmallVector<int64_t> shape(first.getShape());
  shape[dim] = 0;
  for (auto [k, input] : llvm::enumerate(inputs)) {
    auto type = tensorType(input);
    bool fits = type.getRank() == first.getRank() &&
                type.getElementType() == first.getElementType();
    for (int64_t d = 0; fits && d != first.getRank(); ++d)
      fits = d == dim || type.getDimSize(d) == first.getDimSize(d);
    // concat.C3
    if (!fits)
      return (Complaint(loc, getOperationName())
              << "puts input " << k << ", a " << type << ", beside a " << first
              << " along dim " << dim)
          .note(input, "the input")
          .note(inputs.front(), "the first input");
    shape[dim] += type.getDimSize(dim);
  }
  types.push_back(first.clone(shape));
  return success();
}

SmallVector<int64_t> ConcatOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds ConcatOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind ConcatOp::getTileKind() { return TileKind::elementwise; }

Maps ConcatOp::getIndexingMaps() {
  unsigned rank = tensorType(getResult()).getRank();
  Maps maps;
  int64_t start = 0;
  for (Value input : getInputs()) {
    SmallVector<AffineExpr> exprs = loopDims(getContext(), 0, rank);
    exprs[getDim()] = exprs[getDim()] - start;
    maps.push_back(loopMap(getContext(), rank, exprs));
    start += tensorType(input).getDimSize(getDim());
  }
  maps.push_back(AffineMap::getMultiDimIdentityMap(rank, getContext()));
  return maps;
}

Tiles ConcatOp::buildTileBody(OpBuilder &builder, Location loc,
                              TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  Value result = tiles.back();
  int64_t end = tensorType(getResult()).getDimSize(getDim());
  for (size_t k = tiles.size() - 1; k-- > 0;) {
    end -= tensorType(getInputs()[k + 1]).getDimSize(getDim());
    Value before =
        indexIs(m, context, getDim(), arith::CmpIPredicate::slt, end);
    result = m.select(before, tiles[k], result);
  }
  return SmallVector<Value>{result};
}

//===----------------------------------------------------------------------===//
// update_slice
//===----------------------------------------------------------------------===//

LogicalResult UpdateSliceOp::verify() {
  auto base = tensorType(getBase()), update = tensorType(getUpdate());
  // update_slice.C1
  if (base.getRank() != update.getRank() ||
      base.getElementType() != update.getElementType())
    return (Complaint(*this) << "puts a " << update << " into a " << base)
        .note(getUpdate(), "update")
        .note(getBase(), "base");
  // update_slice.C2
  if (int64_t(getPositions().size()) != base.getRank())
    return (Complaint(*this) << "has " << getPositions().size()
                             << " positions for rank " << base.getRank())
        .note(getBase(), "base");
  // update_slice.C3
  for (int64_t d = 0; d != base.getRank(); ++d)
    if (update.getDimSize(d) > base.getDimSize(d))
      return (Complaint(*this)
              << "puts " << update.getDimSize(d) << " elements into dim " << d
              << " of extent " << base.getDimSize(d))
          .note(getUpdate(), "update")
          .note(getBase(), "base");
  return success();
}

// The loops run over the update: that is all a kernel writes when the result
// takes base's place.
SmallVector<int64_t> UpdateSliceOp::getLoopBounds() {
  return SmallVector<int64_t>(tensorType(getUpdate()).getShape());
}
LoopKinds UpdateSliceOp::getLoopKinds() {
  return parallelLoops(tensorType(getUpdate()).getRank());
}
TileKind UpdateSliceOp::getTileKind() { return TileKind::scatter; }

Maps UpdateSliceOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  unsigned rank = tensorType(getUpdate()).getRank();
  SmallVector<AffineExpr> moved;
  for (unsigned d = 0; d != rank; ++d)
    moved.push_back(getAffineDimExpr(d, context) +
                    getAffineSymbolExpr(d, context));
  AffineMap target = loopMap(context, rank, moved, rank);
  Maps maps = {target, AffineMap::getMultiDimIdentityMap(rank, context)};
  maps.append(rank, loopMap(context, rank, {}));
  maps.push_back(target);
  return maps;
}
