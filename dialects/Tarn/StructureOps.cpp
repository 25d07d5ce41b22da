//===- StructureOps.cpp - data and kernels --------------------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Loops.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

using Tiles = FailureOr<SmallVector<Value>>;

//===----------------------------------------------------------------------===//
// constant
//===----------------------------------------------------------------------===//

void ConstantOp::build(OpBuilder &builder, OperationState &state,
                       RankedTensorType type, double number) {
  Type element = type.getElementType();
  Attribute value;
  if (isa<FloatType>(element))
    value = builder.getFloatAttr(element, number);
  else
    value = builder.getIntegerAttr(element, static_cast<int64_t>(number));
  build(builder, state,
        cast<ElementsAttr>(DenseElementsAttr::get(type, value)));
}

LogicalResult ConstantOp::inferReturnTypes(MLIRContext *context,
                                           std::optional<Location> loc,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  // constant.C1
  auto type = dyn_cast<RankedTensorType>(adaptor.getValue().getType());
  if (!type || !type.hasStaticShape())
    return Complaint(loc, getOperationName())
           << "holds a " << adaptor.getValue().getType()
           << ", which is no static ranked tensor";
  types.push_back(type);
  return success();
}

SmallVector<int64_t> ConstantOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds ConstantOp::getLoopKinds() { return defaults::resultKinds(*this); }

TileKind ConstantOp::getTileKind() {
  return getValue().isSplat() ? TileKind::elementwise : TileKind::view;
}

Maps ConstantOp::getIndexingMaps() {
  if (!getValue().isSplat())
    return {};
  return defaults::identityMaps(*this);
}

Tiles ConstantOp::buildTileBody(OpBuilder &builder, Location loc,
                                TileBodyContext &context, ValueRange tiles) {
  auto value = dyn_cast<DenseElementsAttr>(getValue());
  if (!value || !value.isSplat())
    return failure();
  auto type = RankedTensorType::get(context.getTileShape(),
                                    tensorType(getResult()).getElementType());
  return SmallVector<Value>{
      arith::ConstantOp::create(builder, loc, value.resizeSplat(type))};
}

//===----------------------------------------------------------------------===//
// iota
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::verify() {
  // iota.C1
  int64_t rank = tensorType(getResult()).getRank();
  if (getDim() < 0 || getDim() >= rank)
    return Complaint(*this) << "counts along dim " << getDim()
                            << " of a result of rank " << rank;
  return success();
}

Tiles IotaOp::buildTileBody(OpBuilder &builder, Location loc,
                            TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  Value index = context.indexTile(builder, loc, getDim());
  return SmallVector<Value>{
      m.cast(index, tensorType(getResult()).getElementType())};
}

//===----------------------------------------------------------------------===//
// cluster
//===----------------------------------------------------------------------===//

LogicalResult ClusterOp::verifyRegions() {
  Block &block = getBody().front();
  // cluster.C1
  if (TypeRange(block.getArguments()) != TypeRange(getInputs()))
    return Complaint(*this)
           << "has " << getInputs().size() << " operands and a body with "
           << block.getNumArguments() << " arguments, or their types differ";
  // cluster.C2
  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getValues().getTypes() != getOutputs().getTypes())
    return Complaint(*this)
           << "has " << getOutputs().size()
           << " results and a body that yields " << yield.getValues().size()
           << " values, or their types differ";
  return success();
}
