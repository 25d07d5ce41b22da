//===- TileMath.cpp - arithmetic on tiles ---------------------------------===//

#include "dialects/Tarn/TileMath.h"

#include "dialects/Tarn/HostTensor.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

static Type element(Value tile) { return getElementTypeOrSelf(tile.getType()); }

static bool isFloat(Value tile) { return isa<FloatType>(element(tile)); }

Value TileMath::add(Value x, Value y) {
  return isFloat(x) ? arith::AddFOp::create(b, loc, x, y).getResult()
                    : arith::AddIOp::create(b, loc, x, y).getResult();
}

Value TileMath::sub(Value x, Value y) {
  return isFloat(x) ? arith::SubFOp::create(b, loc, x, y).getResult()
                    : arith::SubIOp::create(b, loc, x, y).getResult();
}

Value TileMath::mul(Value x, Value y) {
  return isFloat(x) ? arith::MulFOp::create(b, loc, x, y).getResult()
                    : arith::MulIOp::create(b, loc, x, y).getResult();
}

Value TileMath::div(Value x, Value y) {
  if (isFloat(x))
    return arith::DivFOp::create(b, loc, x, y);
  // Division by zero is undefined in arith and gives 0 in tarn.
  Value zero = constant(y, 0);
  Value isZero =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, y, zero);
  Value safe = select(isZero, constant(y, 1), y);
  return select(isZero, zero, arith::DivSIOp::create(b, loc, x, safe));
}

Value TileMath::max(Value x, Value y) {
  return isFloat(x) ? arith::MaximumFOp::create(b, loc, x, y).getResult()
                    : arith::MaxSIOp::create(b, loc, x, y).getResult();
}

Value TileMath::min(Value x, Value y) {
  return isFloat(x) ? arith::MinimumFOp::create(b, loc, x, y).getResult()
                    : arith::MinSIOp::create(b, loc, x, y).getResult();
}

Value TileMath::andOf(Value x, Value y) {
  return arith::AndIOp::create(b, loc, x, y);
}

Value TileMath::orOf(Value x, Value y) {
  return arith::OrIOp::create(b, loc, x, y);
}

Value TileMath::xorOf(Value x, Value y) {
  return arith::XOrIOp::create(b, loc, x, y);
}

Value TileMath::notOf(Value x) { return xorOf(x, constant(x, 1)); }

Value TileMath::neg(Value x) {
  if (isFloat(x))
    return arith::NegFOp::create(b, loc, x);
  return sub(constant(x, 0), x);
}

Value TileMath::exp(Value x) { return math::ExpOp::create(b, loc, x); }
Value TileMath::log(Value x) { return math::LogOp::create(b, loc, x); }
Value TileMath::tanh(Value x) { return math::TanhOp::create(b, loc, x); }
Value TileMath::sqrt(Value x) { return math::SqrtOp::create(b, loc, x); }
Value TileMath::rsqrt(Value x) { return math::RsqrtOp::create(b, loc, x); }
Value TileMath::sin(Value x) { return math::SinOp::create(b, loc, x); }
Value TileMath::cos(Value x) { return math::CosOp::create(b, loc, x); }
Value TileMath::erf(Value x) { return math::ErfOp::create(b, loc, x); }
Value TileMath::abs(Value x) { return math::AbsFOp::create(b, loc, x); }

Value TileMath::sigmoid(Value x) {
  Value one = constant(x, 1);
  return div(one, add(one, exp(neg(x))));
}

Value TileMath::reciprocal(Value x) { return div(constant(x, 1), x); }

Value TileMath::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, loc, condition, x, y);
}

Value TileMath::compare(arith::CmpFPredicate floats,
                        arith::CmpIPredicate integers, Value x, Value y) {
  if (isFloat(x))
    return arith::CmpFOp::create(b, loc, floats, x, y);
  return arith::CmpIOp::create(b, loc, integers, x, y);
}

Value TileMath::constant(Value like, double value) {
  return constant(cast<RankedTensorType>(like.getType()), value);
}

Value TileMath::constant(RankedTensorType type, double value) {
  Type elementType = type.getElementType();
  TypedAttr number;
  if (isa<FloatType>(elementType))
    number = b.getFloatAttr(elementType, value);
  else
    number = b.getIntegerAttr(elementType, static_cast<int64_t>(value));
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(type, number));
}

Value TileMath::cast(Value x, Type to) {
  Type from = element(x);
  if (from == to)
    return x;
  Type type = mlir::cast<RankedTensorType>(x.getType()).clone(to);
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  unsigned fromBits = from.getIntOrFloatBitWidth();
  unsigned toBits = to.getIntOrFloatBitWidth();
  if (to.isInteger(1))
    return compare(arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne, x,
                   constant(x, 0));
  if (fromFloat && toFloat) {
    // bf16 and f16 convert through f32, which holds both.
    if (fromBits == toBits)
      return cast(cast(x, b.getF32Type()), to);
    if (fromBits < toBits)
      return arith::ExtFOp::create(b, loc, type, x);
    return arith::TruncFOp::create(b, loc, type, x);
  }
  if (fromFloat)
    return arith::FPToSIOp::create(b, loc, type, widen(x));
  if (toFloat) {
    if (toBits < 32)
      return cast(cast(x, b.getF32Type()), to);
    if (from.isInteger(1))
      return arith::UIToFPOp::create(b, loc, type, x);
    return arith::SIToFPOp::create(b, loc, type, x);
  }
  if (fromBits > toBits)
    return arith::TruncIOp::create(b, loc, type, x);
  if (from.isInteger(1))
    return arith::ExtUIOp::create(b, loc, type, x);
  return arith::ExtSIOp::create(b, loc, type, x);
}

Value TileMath::widen(Value x) {
  Type type = element(x);
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32)
    return cast(x, b.getF32Type());
  return x;
}
