//===- Sort.cpp - places in sorted order ----------------------------------===//
//
// A key and the element's number behind it are one integer, so that no two are
// equal. Runs of one element, of two, of four are merged, from one half of
// scratch memory to the other: from both ends at once, which need no test for
// the end of a run as long as both have the same length, and no branches.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

static Value constant(OpBuilder &b, Location loc, const APInt &value) {
  return arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(b.getIntegerType(value.getBitWidth()), value));
}

/// An integer that is ordered as `x` is: both zeros are one, NaN is the
/// largest.
static Value keyOf(OpBuilder &b, Location loc, Value x) {
  if (!isa<FloatType>(x.getType()))
    return x;
  unsigned width = x.getType().getIntOrFloatBitWidth();
  Value least = constant(b, loc, APInt::getSignedMinValue(width));
  Value most = constant(b, loc, APInt::getSignedMaxValue(width));
  Value zero = constant(b, loc, APInt::getZero(width));
  Value bits = arith::BitcastOp::create(b, loc, zero.getType(), x);
  Value isNegative =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, bits, zero);
  Value below = arith::SubIOp::create(b, loc, least, bits);
  Value number = arith::SelectOp::create(b, loc, isNegative, below, bits);
  Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  return arith::SelectOp::create(b, loc, isNan, most, number);
}

LogicalResult Emitter::emitPlaces(tile::PlacesOp op) {
  if (failed(flush()))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  RankedTensorType type = op.getOperand().getType();
  int64_t count = type.getNumElements(), half = llvm::bit_ceil<uint64_t>(count);
  unsigned width = type.getElementTypeBitWidth();
  Type entryType = b.getIntegerType(2 * width);
  Storage elements = allocate(type), places = allocate(op.getType());
  Value entries = newScratch(2 * half, entryType);
  if (failed(materialize(op.getOperand(), elements)))
    return failure();
  storages[op.getResult()] = places;

  Value zero = constantIndex(0), one = constantIndex(1),
        end = constantIndex(count), middle = constantIndex(half);
  auto minus = [&](Value x, Value y) -> Value {
    return arith::SubIOp::create(b, loc, x, y);
  };
  auto load = [&](Value from, Value at) -> Value {
    return memref::LoadOp::create(b, loc, from, at);
  };
  auto store = [&](Value x, Value to, Value at) {
    memref::StoreOp::create(b, loc, x, to, at);
  };
  auto loop = [&](Value from, Value to, Value step, ValueRange carried = {}) {
    auto made = scf::ForOp::create(b, loc, from, to, step, carried);
    b.setInsertionPointToStart(made.getBody());
    return made;
  };
  {
    OpBuilder::InsertionGuard inner(b);
    Value at = loop(zero, end, one).getInductionVar();
    Value key = keyOf(b, loc, load(elements.memref, at));
    if (op.getDescending())
      key = arith::XOrIOp::create(b, loc, key,
                                  constant(b, loc, APInt::getAllOnes(width)));
    Value high = arith::ShLIOp::create(
        b, loc, arith::ExtSIOp::create(b, loc, entryType, key),
        constant(b, loc, APInt(2 * width, width)));
    Value number = arith::ExtUIOp::create(
        b, loc, entryType,
        arith::IndexCastOp::create(b, loc, b.getI32Type(), at));
    store(arith::OrIOp::create(b, loc, high, number), entries, at);
  }
  // What a run is short of comes last.
  if (count != half) {
    OpBuilder::InsertionGuard inner(b);
    Value last = constant(b, loc, APInt::getSignedMaxValue(2 * width));
    Value at = loop(end, middle, one).getInductionVar();
    store(last, entries, at);
    store(last, entries, add(at, middle));
  }
  // The length of sorted runs, and the halves that they go from and to.
  auto passes =
      scf::ForOp::create(b, loc, zero, constantIndex(llvm::Log2_64(half)), one,
                         ValueRange{one, zero, middle});
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(passes.getBody());
    Value run = passes.getRegionIterArg(0), from = passes.getRegionIterArg(1),
          to = passes.getRegionIterArg(2), both = add(run, run);
    {
      OpBuilder::InsertionGuard pairs(b);
      Value start = loop(zero, end, both).getInductionVar();
      Value left = add(from, start), right = add(left, run);
      Value lastLeft = minus(right, one), lastRight = add(lastLeft, run);
      Value first = add(to, start), last = minus(add(first, both), one);
      // As many elements are taken from both runs as have been stored.
      Value starts = add(left, right), ends = add(lastLeft, lastRight);
      auto merge = loop(zero, run, one, {left, lastLeft});
      Value done = merge.getInductionVar(), i = merge.getRegionIterArg(0),
            j = merge.getRegionIterArg(1);
      Value x = load(entries, i);
      Value y = load(entries, minus(add(starts, done), i));
      store(arith::MinSIOp::create(b, loc, x, y), entries, add(first, done));
      Value takesLeft =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, x, y);
      Value p = load(entries, j);
      Value q = load(entries, minus(minus(ends, done), j));
      store(arith::MaxSIOp::create(b, loc, p, q), entries, minus(last, done));
      Value leavesRight =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, p, q);
      auto asIndex = [&](Value truth) {
        return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), truth);
      };
      scf::YieldOp::create(b, loc,
                           ValueRange{add(i, asIndex(takesLeft)),
                                      minus(j, asIndex(leavesRight))});
    }
    scf::YieldOp::create(b, loc, ValueRange{both, to, from});
  }
  Value place = loop(zero, end, one).getInductionVar();
  Value entry = load(entries, add(passes.getResult(1), place));
  Value number = arith::TruncIOp::create(b, loc, b.getI32Type(), entry);
  store(arith::IndexCastOp::create(b, loc, b.getI32Type(), place),
        places.memref,
        arith::IndexCastOp::create(b, loc, b.getIndexType(), number));
  return success();
}
