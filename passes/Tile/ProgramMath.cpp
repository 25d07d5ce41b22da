//===- ProgramMath.cpp - what programs of ops are written with ------------===//

#include "passes/Tile/ProgramMath.h"

#include "passes/Tile/Programs.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace tarn;

RankedTensorType ProgramMath::typeOf(Value tile) {
  return mlir::cast<RankedTensorType>(tile.getType());
}

Value ProgramMath::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value ProgramMath::asIndex(Value number) {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), number);
}

Value ProgramMath::asNumber(Value position) {
  return arith::IndexCastOp::create(b, loc, b.getI32Type(), position);
}

Value ProgramMath::sum(Value x, int64_t axis) {
  return tile::ReduceOp::create(b, loc, x, tile::ReduceKind::Sum, axis);
}

Value ProgramMath::largest(Value x, int64_t axis) {
  return tile::ReduceOp::create(b, loc, x, tile::ReduceKind::Max, axis);
}

Value ProgramMath::smallest(Value x, int64_t axis) {
  return neg(largest(neg(x), axis));
}

Value ProgramMath::spread(Value x, int64_t axis, int64_t extent) {
  RankedTensorType type = typeOf(x);
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + axis, extent);
  return tile::BroadcastOp::create(b, loc, type.clone(shape), x, axis);
}

Value ProgramMath::splat(Value scalar, ArrayRef<int64_t> shape) {
  return tile::SplatOp::create(
      b, loc, RankedTensorType::get(shape, scalar.getType()), scalar);
}

Value ProgramMath::iota(OpFoldResult start, ArrayRef<int64_t> shape,
                        int64_t axis) {
  Value from = dyn_cast<Value>(start);
  if (!from)
    from = index(*getConstantIntValue(start));
  return tile::IotaOp::create(
      b, loc, RankedTensorType::get(shape, b.getI32Type()), from, axis);
}

Value ProgramMath::isEqual(Value x, Value y) {
  return compare(arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq, x, y);
}

Value ProgramMath::isLess(Value x, Value y) {
  return compare(arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt, x, y);
}

LogicalResult tarn::storeThrough(TileDeriver &deriver, Value result, Value tile,
                                 const TileSlice &slice) {
  return forEachStore(deriver.b, result, slice,
                      [&](Value output, const TileSlice &place) {
                        return deriver.store(output, tile, place);
                      });
}

LogicalResult tarn::scatterThrough(TileDeriver &deriver, Value result,
                                   Value tile, Value rows,
                                   const TileSlice &slice) {
  OpBuilder &b = deriver.b;
  Operation *op = result.getDefiningOp();
  auto cluster = cast<graph::ClusterOp>(op->getParentOp());
  auto yield = cast<graph::YieldOp>(op->getBlock()->getTerminator());
  return forEachStore(
      b, result, slice, [&](Value output, const TileSlice &place) {
        for (auto [i, operand] : llvm::enumerate(yield.getOperands()))
          if (operand == output)
            tile::ScatterOp::create(
                b, op->getLoc(), tile,
                deriver.getKernel().getBuffer(cluster.getInputs().size() + i),
                place.offsets, rows, place.order);
        return success();
      });
}
