//===- Predicates.cpp - where a mask is true or false throughout ----------===//
//
// Interval arithmetic on index tiles, with bounds that are values of the
// program. Positions are far from the limits of i32, so sums do not wrap.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tarn::tile;

namespace {

// Inclusive bounds of the elements of an integer tile, of type index.
struct Interval {
  Value lo, hi;
};

// Builds bounds at one place.
class BoundsBuilder {
public:
  BoundsBuilder(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc) {}

  FailureOr<PredicateBounds> mask(Value value);

private:
  FailureOr<Interval> interval(Value value);
  FailureOr<PredicateBounds> compare(arith::CmpIOp op);

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value boolean(bool value) {
    return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(value));
  }
  template <typename OpT> Value make(Value a, Value b) {
    return builder.createOrFold<OpT>(loc, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(loc, predicate, a, b);
  }

  OpBuilder &builder;
  Location loc;
};

} // namespace

FailureOr<Interval> BoundsBuilder::interval(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return failure();
  if (auto iota = dyn_cast<IotaOp>(op)) {
    Value last = index(iota.getType().getDimSize(iota.getAxis()) - 1);
    return Interval{iota.getPosition(),
                    make<arith::AddIOp>(iota.getPosition(), last)};
  }
  if (auto splat = dyn_cast<SplatOp>(op)) {
    Value scalar = builder.createOrFold<arith::IndexCastOp>(
        loc, builder.getIndexType(), splat.getScalar());
    return Interval{scalar, scalar};
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return interval(broadcast.getOperand());
  DenseIntElementsAttr constant;
  if (matchPattern(value, m_Constant(&constant))) {
    int64_t lo = (*constant.begin()).getSExtValue(), hi = lo;
    for (const APInt &number : constant) {
      lo = std::min(lo, number.getSExtValue());
      hi = std::max(hi, number.getSExtValue());
    }
    return Interval{index(lo), index(hi)};
  }
  if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::MinSIOp,
           arith::MaxSIOp>(op))
    return failure();
  FailureOr<Interval> a = interval(op->getOperand(0));
  FailureOr<Interval> b = interval(op->getOperand(1));
  if (failed(a) || failed(b))
    return failure();
  if (isa<arith::AddIOp>(op))
    return Interval{make<arith::AddIOp>(a->lo, b->lo),
                    make<arith::AddIOp>(a->hi, b->hi)};
  if (isa<arith::SubIOp>(op))
    return Interval{make<arith::SubIOp>(a->lo, b->hi),
                    make<arith::SubIOp>(a->hi, b->lo)};
  if (isa<arith::MinSIOp>(op))
    return Interval{make<arith::MinSIOp>(a->lo, b->lo),
                    make<arith::MinSIOp>(a->hi, b->hi)};
  if (isa<arith::MaxSIOp>(op))
    return Interval{make<arith::MaxSIOp>(a->lo, b->lo),
                    make<arith::MaxSIOp>(a->hi, b->hi)};
  // A product is monotone where one factor is a constant.
  APInt factor;
  if (matchPattern(op->getOperand(0), m_ConstantInt(&factor)))
    std::swap(a, b);
  else if (!matchPattern(op->getOperand(1), m_ConstantInt(&factor)))
    return failure();
  Value lo = make<arith::MulIOp>(a->lo, b->lo);
  Value hi = make<arith::MulIOp>(a->hi, b->lo);
  return factor.isNegative() ? Interval{hi, lo} : Interval{lo, hi};
}

FailureOr<PredicateBounds> BoundsBuilder::compare(arith::CmpIOp op) {
  using P = arith::CmpIPredicate;
  FailureOr<Interval> a = interval(op.getLhs()), b = interval(op.getRhs());
  if (failed(a) || failed(b))
    return failure();
  auto equal = [&] {
    // Both are one number, and the same.
    Value same = make<arith::AndIOp>(compare(P::sge, a->lo, b->hi),
                                     compare(P::sle, a->hi, b->lo));
    Value apart = make<arith::OrIOp>(compare(P::slt, a->hi, b->lo),
                                     compare(P::sgt, a->lo, b->hi));
    return PredicateBounds{same, apart};
  };
  switch (op.getPredicate()) {
  case P::slt:
    return PredicateBounds{compare(P::slt, a->hi, b->lo),
                           compare(P::sge, a->lo, b->hi)};
  case P::sle:
    return PredicateBounds{compare(P::sle, a->hi, b->lo),
                           compare(P::sgt, a->lo, b->hi)};
  case P::sgt:
    return PredicateBounds{compare(P::sgt, a->lo, b->hi),
                           compare(P::sle, a->hi, b->lo)};
  case P::sge:
    return PredicateBounds{compare(P::sge, a->lo, b->hi),
                           compare(P::slt, a->hi, b->lo)};
  case P::eq:
    return equal();
  case P::ne: {
    PredicateBounds bounds = equal();
    return PredicateBounds{bounds.allFalse, bounds.allTrue};
  }
  default:
    return failure();
  }
}

FailureOr<PredicateBounds> BoundsBuilder::mask(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return failure();
  if (auto cmp = dyn_cast<arith::CmpIOp>(op))
    return compare(cmp);
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return mask(broadcast.getOperand());
  if (auto splat = dyn_cast<SplatOp>(op))
    return PredicateBounds{
        splat.getScalar(),
        make<arith::XOrIOp>(splat.getScalar(), boolean(true))};
  DenseIntElementsAttr constant;
  if (matchPattern(value, m_Constant(&constant))) {
    bool any = llvm::any_of(constant, [](APInt bit) { return bit.isOne(); });
    bool all = llvm::all_of(constant, [](APInt bit) { return bit.isOne(); });
    return PredicateBounds{boolean(all), boolean(!any)};
  }
  if (!isa<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op))
    return failure();
  FailureOr<PredicateBounds> a = mask(op->getOperand(0));
  FailureOr<PredicateBounds> b = mask(op->getOperand(1));
  if (failed(a) || failed(b))
    return failure();
  if (isa<arith::AndIOp>(op))
    return PredicateBounds{make<arith::AndIOp>(a->allTrue, b->allTrue),
                           make<arith::OrIOp>(a->allFalse, b->allFalse)};
  if (isa<arith::OrIOp>(op))
    return PredicateBounds{make<arith::OrIOp>(a->allTrue, b->allTrue),
                           make<arith::AndIOp>(a->allFalse, b->allFalse)};
  // Of exclusive or only the negation is of use.
  if (matchPattern(op->getOperand(1), m_One()))
    return PredicateBounds{a->allFalse, a->allTrue};
  if (matchPattern(op->getOperand(0), m_One()))
    return PredicateBounds{b->allFalse, b->allTrue};
  return failure();
}

FailureOr<PredicateBounds>
tarn::tile::buildPredicateBounds(OpBuilder &builder, Location loc, Value mask) {
  return BoundsBuilder(builder, loc).mask(mask);
}
