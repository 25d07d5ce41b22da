//===- Elements.cpp - elements of expressions at a point of a tile --------===//
//
// A point is an index and a number of lanes along the last dim. Values that
// have memory are loaded; others are computed from their operands at that
// point.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

static RankedTensorType tileType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

FailureOr<Value> Emitter::evaluateScalar(Value tile, ArrayRef<Value> index) {
  // Not remembered: the memo holds elements of the sweep's own point.
  llvm::DenseMap<Value, Value> outer;
  std::swap(outer, memo);
  Point point;
  point.index.assign(index.begin(), index.end());
  FailureOr<Value> vector = evaluate(tile, point);
  std::swap(outer, memo);
  if (failed(vector))
    return failure();
  return firstLane(*vector);
}

FailureOr<Value> Emitter::evaluate(Value tile, const Point &point) {
  if (Value known = memo.lookup(tile))
    return known;
  auto storage = storages.find(tile);
  FailureOr<Value> result;
  if (storage != storages.end()) {
    result =
        loadStorage(storage->second, tileType(tile).getElementType(), point);
  } else {
    Operation *op = tile.getDefiningOp();
    if (!op)
      return kernel.emitError("a tile of a loop has no memory"), failure();
    result = evaluateOp(op, point);
  }
  if (succeeded(result))
    memo[tile] = *result;
  return result;
}

FailureOr<Value> Emitter::evaluateOp(Operation *op, const Point &point) {
  Type elementType = tileType(op->getResult(0)).getElementType();
  auto vectorType = VectorType::get(point.lanes, elementType);
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant))) {
    auto elements = dyn_cast<DenseElementsAttr>(constant);
    if (!elements || !elements.isSplat())
      return op->emitOpError("of several values is not supported by the CPU "
                             "target yet"),
             failure();
    return Value(arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(vectorType,
                               elements.getSplatValue<Attribute>())));
  }
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return loadElements(op, load.getBuffer(), load.getMixedPositions(),
                        load.getTileDims(), elementType, load.getPadAttr(),
                        point, Value());
  if (auto gather = dyn_cast<tile::GatherOp>(op)) {
    auto rowAt = [&](Value index) -> FailureOr<Value> {
      FailureOr<Value> row = evaluateScalar(gather.getRows(), index);
      if (failed(row))
        return failure();
      return Value(arith::IndexCastOp::create(b, loc, b.getIndexType(), *row));
    };
    auto loadAt = [&](const Point &at) -> FailureOr<Value> {
      FailureOr<Value> row = rowAt(at.index[0]);
      if (failed(row))
        return failure();
      return loadElements(op, gather.getBuffer(), gather.getMixedPositions(),
                          gather.getTileDims(), elementType,
                          gather.getPadAttr(), at, *row);
    };
    if (point.index.size() > 1 || point.lanes == 1)
      return loadAt(point);
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane != point.lanes; ++lane) {
      Point one;
      one.index = {add(point.index[0], constantIndex(lane))};
      FailureOr<Value> element = loadAt(one);
      if (failed(element))
        return failure();
      lanes.push_back(toMemory(firstLane(*element)));
    }
    return fromMemory(
        vector::FromElementsOp::create(
            b, loc, vectorType.clone(memoryType(elementType)), lanes),
        elementType);
  }
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
    int64_t axis = broadcast.getAxis();
    SmallVector<Value> index(point.index);
    index.erase(index.begin() + axis);
    if (axis + 1 == int64_t(point.index.size())) {
      FailureOr<Value> scalar = evaluateScalar(broadcast.getOperand(), index);
      if (failed(scalar))
        return failure();
      return spread(*scalar, point.lanes);
    }
    // Another point of another shape: elements remembered here do not apply.
    llvm::DenseMap<Value, Value> outer;
    std::swap(outer, memo);
    FailureOr<Value> vector =
        evaluate(broadcast.getOperand(), Point{index, point.lanes});
    std::swap(outer, memo);
    return vector;
  }
  if (auto splat = dyn_cast<tile::SplatOp>(op))
    return spread(scalars.lookup(splat.getScalar()), point.lanes);
  if (auto iota = dyn_cast<tile::IotaOp>(op)) {
    int64_t axis = iota.getAxis();
    Value start = add(indexOf(iota.getPosition()), point.index[axis]);
    Value first = spread(
        arith::IndexCastOp::create(b, loc, b.getI32Type(), start), point.lanes);
    if (axis + 1 != int64_t(point.index.size()))
      return first;
    SmallVector<int32_t> lanes =
        llvm::to_vector(llvm::seq<int32_t>(0, point.lanes));
    Value offsets = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(vectorType, ArrayRef<int32_t>(lanes)));
    return Value(arith::AddIOp::create(b, loc, first, offsets));
  }
  if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
    return op->emitOpError("is not supported by the CPU target yet"), failure();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType())) {
      operands.push_back(scalars.lookup(operand));
      continue;
    }
    FailureOr<Value> vector = evaluate(operand, point);
    if (failed(vector))
      return failure();
    operands.push_back(*vector);
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return convertFloat(operands[0], elementType);
  // Machines compute in f32 and f64; a narrower type rounds every result.
  Type computed = elementType;
  bool moves = isa<arith::SelectOp, arith::BitcastOp>(op);
  if (isa<arith::SelectOp>(op) && isNarrowFloat(elementType))
    return fromMemory(arith::SelectOp::create(b, loc, operands[0],
                                              toMemory(operands[1]),
                                              toMemory(operands[2])),
                      elementType);
  if (!moves) {
    for (Value &operand : operands)
      if (isNarrowFloat(getElementTypeOrSelf(operand.getType())))
        operand = convertFloat(operand, b.getF32Type());
    if (isNarrowFloat(elementType))
      computed = b.getF32Type();
  }
  if (computed.isF32() || computed.isF64()) {
    Value result;
    if (isa<arith::MaximumFOp>(op))
      result = maximum(operands[0], operands[1]);
    else if (isa<math::ExpOp>(op) && computed.isF32())
      result = exponential(operands[0]);
    if (result)
      return convertFloat(result, elementType);
  }
  OperationState state(loc, op->getName());
  state.addOperands(operands);
  state.types.push_back(vectorType.clone(computed));
  state.attributes = op->getAttrs();
  Value result = b.create(state)->getResult(0);
  return computed == elementType ? result : convertFloat(result, elementType);
}
