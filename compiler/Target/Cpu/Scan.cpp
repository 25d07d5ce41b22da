//===- Scan.cpp - running sums --------------------------------------------===//
//
// Along another axis than the last one: vector after vector. Along the last
// one: in a vector by doubling distances, and from vector to vector. Orders
// are fixed, and the same for every level.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

/// Lanes of a sum along the last axis: more would only be added more often.
static constexpr int64_t scanLanes = 8;

static Value plus(OpBuilder &b, Location loc, Value x, Value y) {
  if (isa<FloatType>(getElementTypeOrSelf(x.getType())))
    return arith::AddFOp::create(b, loc, x, y);
  return arith::AddIOp::create(b, loc, x, y);
}

/// Each lane and all before it, or all behind it.
static Value sumLanes(OpBuilder &b, Location loc, Value x, bool reverse) {
  auto type = cast<VectorType>(x.getType());
  int64_t lanes = type.getDimSize(0);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  for (int64_t distance = 1; distance < lanes; distance *= 2) {
    SmallVector<int64_t> from;
    for (int64_t lane = 0; lane != lanes; ++lane)
      if (reverse)
        from.push_back(lane + distance < lanes ? lanes + lane + distance
                                               : lane);
      else
        from.push_back(lane < distance ? lane : lanes + lane - distance);
    x = plus(b, loc, vector::ShuffleOp::create(b, loc, zero, x, from), x);
  }
  return x;
}

LogicalResult Emitter::emitScan(tile::ScanOp scan) {
  if (failed(flush()))
    return failure();
  RankedTensorType shape = scan.getOperand().getType();
  Storage into = allocate(shape);
  {
    OpBuilder::InsertionGuard guard(b);
    int64_t rank = shape.getRank(), axis = scan.getAxis();
    Point point = loopOverOthers(shape, axis);
    if (failed(axis + 1 == rank ? scanRow(scan, point, into)
                                : scanColumns(scan, point, into)))
      return failure();
  }
  storages[scan.getResult()] = into;
  return success();
}

/// One row of the last axis; `point` has the others' indices.
LogicalResult Emitter::scanRow(tile::ScanOp scan, Point point,
                               const Storage &into) {
  RankedTensorType shape = scan.getOperand().getType();
  int64_t extent = shape.getShape().back();
  bool reverse = scan.getReverse();
  // A vector behind `at` others, added to what is before it; the last sum.
  auto step = [&](Value at, int64_t lanes, Value before) -> FailureOr<Value> {
    if (reverse)
      at = arith::SubIOp::create(b, loc, constantIndex(extent - lanes), at);
    point.index.back() = at;
    point.lanes = lanes;
    FailureOr<Value> x = evaluateAfresh(scan.getOperand(), point);
    if (failed(x))
      return failure();
    Value sums =
        plus(b, loc, spread(before, lanes), sumLanes(b, loc, *x, reverse));
    storeStorage(into, sums, point);
    return Value(
        vector::ExtractOp::create(b, loc, sums, reverse ? 0 : lanes - 1));
  };
  Value total = zeroOf(shape.getElementType());
  int64_t whole = extent / scanLanes * scanLanes;
  if (whole) {
    auto loop =
        scf::ForOp::create(b, loc, constantIndex(0), constantIndex(whole),
                           constantIndex(scanLanes), total);
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(loop.getBody());
    FailureOr<Value> next =
        step(loop.getInductionVar(), scanLanes, loop.getRegionIterArg(0));
    if (failed(next))
      return failure();
    scf::YieldOp::create(b, loc, *next);
    total = loop.getResult(0);
  }
  for (int64_t at = whole, lanes = scanLanes; at < extent; at += lanes) {
    while (lanes > extent - at)
      lanes /= 2;
    FailureOr<Value> next = step(constantIndex(at), lanes, total);
    if (failed(next))
      return failure();
    total = *next;
  }
  return success();
}

/// All columns of the last axis, along another one.
LogicalResult Emitter::scanColumns(tile::ScanOp scan, Point point,
                                   const Storage &into) {
  RankedTensorType shape = scan.getOperand().getType();
  int64_t extent = shape.getShape().back(), axis = scan.getAxis();
  Value end = constantIndex(shape.getDimSize(axis) - 1);
  auto column = [&](Value at, int64_t lanes) -> LogicalResult {
    point.index.back() = at;
    point.lanes = lanes;
    Value zero = zeroOf(VectorType::get(lanes, shape.getElementType()));
    auto loop = scf::ForOp::create(b, loc, constantIndex(0),
                                   constantIndex(shape.getDimSize(axis)),
                                   constantIndex(1), zero);
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(loop.getBody());
    point.index[axis] = loop.getInductionVar();
    if (scan.getReverse())
      point.index[axis] =
          arith::SubIOp::create(b, loc, end, loop.getInductionVar());
    FailureOr<Value> x = evaluateAfresh(scan.getOperand(), point);
    if (failed(x))
      return failure();
    Value sums = plus(b, loc, loop.getRegionIterArg(0), *x);
    storeStorage(into, sums, point);
    scf::YieldOp::create(b, loc, sums);
    return success();
  };
  int64_t lanes = mainLanes(extent), whole = extent / lanes * lanes;
  {
    OpBuilder::InsertionGuard inner(b);
    auto loop = scf::ForOp::create(b, loc, constantIndex(0),
                                   constantIndex(whole), constantIndex(lanes));
    b.setInsertionPointToStart(loop.getBody());
    if (failed(column(loop.getInductionVar(), lanes)))
      return failure();
  }
  for (int64_t at = whole; at < extent; at += lanes) {
    while (lanes > extent - at)
      lanes /= 2;
    if (failed(column(constantIndex(at), lanes)))
      return failure();
  }
  return success();
}
