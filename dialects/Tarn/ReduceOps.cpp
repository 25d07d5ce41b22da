//===- ReduceOps.cpp - ops that drop dims ---------------------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Loops.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

using Tiles = FailureOr<SmallVector<Value>>;

// The type of a reduction, or an error (C1 of both).
static LogicalResult inferReduced(StringRef name, std::optional<Location> loc,
                                  Value x, ArrayRef<int64_t> dims,
                                  SmallVectorImpl<Type> &types) {
  auto from = tensorType(x);
  int64_t least = 0;
  for (int64_t dim : dims) {
    if (dim < least || dim >= from.getRank())
      return (Complaint(loc, name)
              << "reduces dims [" << dims
              << "], which must increase and lie below x's rank "
              << from.getRank())
          .note(x, "x");
    least = dim + 1;
  }
  SmallVector<int64_t> shape;
  for (int64_t d = 0; d != from.getRank(); ++d)
    if (!llvm::is_contained(dims, d))
      shape.push_back(from.getDimSize(d));
  types.push_back(from.clone(shape));
  return success();
}

static LoopKinds reducedKinds(Value x, ArrayRef<int64_t> dims) {
  LoopKinds kinds = parallelLoops(tensorType(x).getRank());
  for (int64_t dim : dims)
    kinds[dim] = utils::IteratorType::reduction;
  return kinds;
}

static Maps reducedMaps(Value x, ArrayRef<int64_t> dims) {
  MLIRContext *context = x.getContext();
  unsigned rank = tensorType(x).getRank();
  SmallVector<AffineExpr> kept;
  for (unsigned d = 0; d != rank; ++d)
    if (!llvm::is_contained(dims, int64_t(d)))
      kept.push_back(getAffineDimExpr(d, context));
  return {AffineMap::getMultiDimIdentityMap(rank, context),
          loopMap(context, rank, kept)};
}

static arith::AtomicRMWKind combiner(Value x, bool sum) {
  if (isa<FloatType>(tensorType(x).getElementType()))
    return sum ? arith::AtomicRMWKind::addf : arith::AtomicRMWKind::maximumf;
  return sum ? arith::AtomicRMWKind::addi : arith::AtomicRMWKind::maxs;
}

//===----------------------------------------------------------------------===//
// reduce_sum, reduce_max
//===----------------------------------------------------------------------===//

LogicalResult ReduceSumOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  // reduce_sum.C1
  return inferReduced(getOperationName(), loc, adaptor.getX(),
                      adaptor.getDims(), types);
}

LogicalResult ReduceMaxOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  // reduce_max.C1
  return inferReduced(getOperationName(), loc, adaptor.getX(),
                      adaptor.getDims(), types);
}

SmallVector<int64_t> ReduceSumOp::getLoopBounds() {
  return SmallVector<int64_t>(tensorType(getX()).getShape());
}
LoopKinds ReduceSumOp::getLoopKinds() {
  return reducedKinds(getX(), getDims());
}
Maps ReduceSumOp::getIndexingMaps() { return reducedMaps(getX(), getDims()); }
TileKind ReduceSumOp::getTileKind() { return TileKind::reduction; }
std::optional<arith::AtomicRMWKind> ReduceSumOp::getCombiner() {
  return combiner(getX(), /*sum=*/true);
}
Tiles ReduceSumOp::buildTileBody(OpBuilder &builder, Location loc,
                                 TileBodyContext &context, ValueRange tiles) {
  return SmallVector<Value>{TileMath(builder, loc).widen(tiles[0])};
}

SmallVector<int64_t> ReduceMaxOp::getLoopBounds() {
  return SmallVector<int64_t>(tensorType(getX()).getShape());
}
LoopKinds ReduceMaxOp::getLoopKinds() {
  return reducedKinds(getX(), getDims());
}
Maps ReduceMaxOp::getIndexingMaps() { return reducedMaps(getX(), getDims()); }
TileKind ReduceMaxOp::getTileKind() { return TileKind::reduction; }
std::optional<arith::AtomicRMWKind> ReduceMaxOp::getCombiner() {
  return combiner(getX(), /*sum=*/false);
}
Tiles ReduceMaxOp::buildTileBody(OpBuilder &builder, Location loc,
                                 TileBodyContext &context, ValueRange tiles) {
  return SmallVector<Value>{TileMath(builder, loc).widen(tiles[0])};
}

//===----------------------------------------------------------------------===//
// argmax
//===----------------------------------------------------------------------===//

LogicalResult ArgmaxOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  auto from = tensorType(adaptor.getX());
  int64_t dim = adaptor.getDim();
  // argmax.C1
  if (dim < 0 || dim >= from.getRank())
    return (Complaint(loc, getOperationName())
            << "searches dim " << dim << " of x of rank " << from.getRank())
        .note(adaptor.getX(), "x");
  // argmax.C2
  if (from.getDimSize(dim) > (1 << 24))
    return (Complaint(loc, getOperationName())
            << "searches " << from.getDimSize(dim) << " elements, at most "
            << (1 << 24) << " are possible")
        .note(adaptor.getX(), "x");
  SmallVector<int64_t> shape(from.getShape());
  shape.erase(shape.begin() + dim);
  types.push_back(RankedTensorType::get(shape, IntegerType::get(context, 32)));
  return success();
}
