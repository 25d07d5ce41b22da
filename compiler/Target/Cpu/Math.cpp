//===- Math.cpp - functions that sweeps spend their time in ---------------===//
//
// Other functions are left to MLIR's polynomials.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

/// The larger one, or NaN if either is. The sign of a zero is any of the two.
/// Three instructions: the machine's own maximum gives `y` if either is NaN.
Value Emitter::maximum(Value x, Value y) {
  Value greater =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  Value larger = arith::SelectOp::create(b, loc, greater, x, y);
  Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  return arith::SelectOp::create(b, loc, isNan, x, larger);
}

/// exp of f32: e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, to
/// 1 ULP; 0 below -86.9 (no denormal results), infinity above 88.73, NaN of
/// NaN.
Value Emitter::exponential(Value x) {
  auto type = cast<VectorType>(x.getType());
  auto number = [&](float value) -> Value {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(type, b.getF32FloatAttr(value).getValue()));
  };
  VectorType integers = type.clone(b.getI32Type());
  auto integer = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(integers, value));
  };
  auto fma = [&](Value p, Value q, Value r) -> Value {
    return math::FmaOp::create(b, loc, p, q, r);
  };
  // In this order a NaN passes through both.
  Value low = number(-87.6f), high = number(89.0f);
  Value below =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, low);
  x = arith::SelectOp::create(b, loc, below, low, x);
  Value above =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, high);
  x = arith::SelectOp::create(b, loc, above, high, x);

  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  Value magic = number(12582912.0f);
  Value shifted = fma(x, number(1.44269504f), magic);
  Value n = arith::SubFOp::create(b, loc, shifted, magic);
  Value r = fma(n, number(-0.693145752f), x);
  r = fma(n, number(-1.42860677e-6f), r);
  // 2 e^r: the scale is 2^(n - 1), as 2^128 is no number.
  Value sum = number(2.0f * 1.38144670e-3f);
  for (float coefficient : {8.36878044e-3f, 4.16683942e-2f, 1.66665201e-1f,
                            4.99999934e-1f, 1.0f, 1.0f})
    sum = fma(sum, r, number(2.0f * coefficient));
  Value bits = arith::BitcastOp::create(b, loc, integers, shifted);
  Value biased = arith::AddIOp::create(b, loc, bits, integer(126));
  Value scale = arith::BitcastOp::create(
      b, loc, type, arith::ShLIOp::create(b, loc, biased, integer(23)));
  return arith::MulFOp::create(b, loc, sum, scale);
}
