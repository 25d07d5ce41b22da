//===- GradientsElementwise.cpp - gradients of elementwise ops ----------===//

#include "dialects/Tarn/GradientMath.h"

#include "llvm/ADT/Sequence.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

LogicalResult AddOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({g, g});
  return success();
}

LogicalResult SubOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({g, m.neg(g)});
  return success();
}

LogicalResult MulOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.mul(g, getRhs()), m.mul(g, getLhs())});
  return success();
}

LogicalResult DivOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value scaled = m.div(g, getRhs());
  operandGradients.assign({scaled, m.neg(m.mul(scaled, getResult()))});
  return success();
}

LogicalResult MaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  // Where the operands are equal all of the gradient goes to the first.
  Value first = m.compare(Predicate::ge, getLhs(), getRhs());
  Value zero = m.like(g, 0);
  operandGradients.assign({m.select(first, g, zero), m.select(first, zero, g)});
  return success();
}

LogicalResult MinOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  // Where the operands are equal all of the gradient goes to the first.
  Value first = m.compare(Predicate::le, getLhs(), getRhs());
  Value zero = m.like(g, 0);
  operandGradients.assign({m.select(first, g, zero), m.select(first, zero, g)});
  return success();
}

LogicalResult NegOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.neg(g)});
  return success();
}

LogicalResult ExpOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.mul(g, getResult())});
  return success();
}

LogicalResult LogOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.div(g, getX())});
  return success();
}

LogicalResult TanhOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign(
      {m.sub(g, m.mul(g, m.mul(getResult(), getResult())))});
  return success();
}

LogicalResult SqrtOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.div(m.scale(g, 0.5), getResult())});
  return success();
}

LogicalResult RsqrtOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value cube = m.mul(getResult(), m.mul(getResult(), getResult()));
  operandGradients.assign({m.mul(m.scale(g, -0.5), cube)});
  return success();
}

LogicalResult SinOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.mul(g, m.make<CosOp>(getX()))});
  return success();
}

LogicalResult CosOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.neg(m.mul(g, m.make<SinOp>(getX())))});
  return success();
}

LogicalResult ErfOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  // d erf(x) = 2 / sqrt(pi) exp(-x^2)
  Value x = m.widen(getX());
  Value slope =
      m.scale(m.exp(m.neg(m.mul(x, x))), 2 * std::numbers::inv_sqrtpi);
  operandGradients.assign({m.cast(m.mul(m.widen(grads[0]), slope),
                                  tensorType(getX()).getElementType())});
  return success();
}

LogicalResult AbsOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value zero = m.like(g, 0);
  Value below = m.compare(Predicate::lt, getX(), m.like(getX(), 0));
  Value above = m.compare(Predicate::gt, getX(), m.like(getX(), 0));
  operandGradients.assign(
      {m.select(above, g, m.select(below, m.neg(g), zero))});
  return success();
}

LogicalResult
SigmoidOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign(
      {m.mul(g, m.sub(getResult(), m.mul(getResult(), getResult())))});
  return success();
}

LogicalResult
ReciprocalOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({m.neg(m.mul(g, m.mul(getResult(), getResult())))});
  return success();
}

LogicalResult ReluOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value above = m.compare(Predicate::gt, getX(), m.like(getX(), 0));
  operandGradients.assign({m.select(above, g, m.like(g, 0))});
  return success();
}

LogicalResult SiluOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  // With s = sigmoid(x): d silu = s (1 + x (1 - s)), in f32 like the op itself.
  Value x = m.widen(getX());
  Value s = m.make<SigmoidOp>(x);
  Value slope = m.mul(s, m.offset(m.mul(x, m.sub(m.like(s, 1), s)), 1));
  operandGradients.assign(
      {m.cast(m.mul(m.widen(g), slope), tensorType(getX()).getElementType())});
  return success();
}

LogicalResult GeluOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value x = m.widen(getX());
  Value slope;
  if (getApproximate() == GeluKind::tanh) {
    // gelu = x s with s = sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3):
    // d gelu = s + x s (1 - s) 2 u'.
    const double c = 2 * std::sqrt(2 * std::numbers::inv_pi);
    Value square = m.mul(x, x);
    Value twiceU = m.mul(x, m.offset(m.scale(square, c * 0.044715), c));
    Value s = m.make<SigmoidOp>(twiceU);
    Value inner = m.offset(m.scale(square, 3 * c * 0.044715), c);
    Value tail = m.mul(m.mul(x, inner), m.sub(s, m.mul(s, s)));
    slope = m.add(s, tail);
  } else {
    // gelu = x Phi(x): d gelu = Phi(x) + x phi(x).
    Value phi = m.scale(m.exp(m.scale(m.mul(x, x), -0.5)),
                        std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    Value erf = m.make<ErfOp>(m.scale(x, 1 / std::numbers::sqrt2));
    slope = m.add(m.scale(m.offset(erf, 1), 0.5), m.mul(x, phi));
  }
  operandGradients.assign(
      {m.cast(m.mul(m.widen(g), slope), tensorType(getX()).getElementType())});
  return success();
}

LogicalResult
SelectOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value zero = m.like(g, 0);
  operandGradients.assign({Value(), m.select(getCondition(), g, zero),
                           m.select(getCondition(), zero, g)});
  return success();
}

LogicalResult CastOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Type source = tensorType(getX()).getElementType();
  Type target = tensorType(getResult()).getElementType();
  // No gradient flows into integers, nor through them.
  bool smooth = isa<FloatType>(source) && isa<FloatType>(target);
  operandGradients.assign({smooth ? m.cast(grads[0], source) : Value()});
  return success();
}
