//===- GradientsContraction.cpp - gradients of products, norms, losses --===//

#include "dialects/Tarn/Differentiate.h"
#include "dialects/Tarn/GradientMath.h"

#include "llvm/ADT/Sequence.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

LogicalResult DotOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  // With a' = a^T under transpose_a (b' likewise): da' = g b'^T, db' = a'^T g;
  // each is built in the orientation that its operand is stored in.
  Value a = getA(), b = getB();
  bool ta = getTransposeA(), tb = getTransposeB();
  g = m.cast(g, tensorType(a).getElementType());
  auto dot = [&](Value x, bool transposeX, Value y, bool transposeY,
                 Type type) -> Value {
    return m.make<DotOp>(type, x, y, transposeX, transposeY);
  };
  operandGradients.assign({ta ? dot(b, tb, g, true, a.getType())
                              : dot(g, false, b, !tb, a.getType()),
                           tb ? dot(g, true, a, ta, b.getType())
                              : dot(a, !ta, g, false, b.getType())});
  return success();
}

LogicalResult
SoftmaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  auto type = tensorType(getX());
  int64_t dim = getDim();
  Value y = m.widen(getResult());
  g = m.widen(g);
  Value mean = m.repeat(m.sum(m.mul(g, y), dim), type.getShape(), dim);
  operandGradients.assign(
      {m.cast(m.mul(y, m.sub(g, mean)), type.getElementType())});
  return success();
}

LogicalResult
LogSoftmaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  auto type = tensorType(getX());
  int64_t dim = getDim();
  g = m.widen(g);
  Value total = m.repeat(m.sum(g, dim), type.getShape(), dim);
  Value p = m.exp(m.widen(getResult()));
  operandGradients.assign(
      {m.cast(m.sub(g, m.mul(p, total)), type.getElementType())});
  return success();
}

LogicalResult
LayerNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  auto type = tensorType(getX());
  Type element = type.getElementType();
  Type weightElement = tensorType(getWeight()).getElementType();
  Value x = m.widen(getX());
  g = m.widen(g);
  Value centred = m.sub(x, m.rowMean(x));
  Value variance = m.rowMean(m.mul(centred, centred));
  Value r = m.make<RsqrtOp>(m.offset(variance, getEps()));
  Value n = m.mul(centred, r);
  Value h = m.mul(g, m.repeatRows(m.widen(getWeight()), type.getShape()));
  Value inner = m.sub(m.sub(h, m.rowMean(h)), m.mul(n, m.rowMean(m.mul(h, n))));
  operandGradients.assign({m.cast(m.mul(r, inner), element),
                           m.cast(m.sumRows(m.mul(g, n)), weightElement),
                           m.cast(m.sumRows(g), weightElement)});
  return success();
}

LogicalResult
RmsNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  auto type = tensorType(getX());
  Type element = type.getElementType();
  Value x = m.widen(getX());
  g = m.widen(g);
  Value square = m.rowMean(m.mul(x, x));
  Value r = m.make<RsqrtOp>(m.offset(square, getEps()));
  Value n = m.mul(x, r);
  Value h = m.mul(g, m.repeatRows(m.widen(getWeight()), type.getShape()));
  Value inner = m.sub(h, m.mul(n, m.rowMean(m.mul(h, n))));
  operandGradients.assign({m.cast(m.mul(r, inner), element),
                           m.cast(m.sumRows(m.mul(g, n)),
                                  tensorType(getWeight()).getElementType())});
  return success();
}

LogicalResult
CrossEntropyOp::buildGradient(OpBuilder &builder, ValueRange grads,
                              SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  auto type = tensorType(getLogits());
  ArrayRef<int64_t> shape = type.getShape();
  int64_t last = shape.size() - 1;
  Value logits = m.widen(getLogits());
  auto wide = tensorType(logits);
  Value p = m.exp(m.sub(logits, m.repeat(getLogSumExp(), shape, last)));
  Value total;
  if (Value g = grads[0]) {
    // Rows that are ignored have no gradient, whatever comes from above.
    Value ignored = m.like(getTargets(), getIgnoreIndex());
    Value counts = m.compare(Predicate::ne, getTargets(), ignored);
    Value row = m.repeat(m.select(counts, g, m.like(g, 0)), shape, last);
    Type index = tensorType(getTargets()).getElementType();
    Value column = m.make<IotaOp>(withElementType(wide, index), last);
    Value hit =
        m.compare(Predicate::eq, column, m.repeat(getTargets(), shape, last));
    Value onehot = m.select(hit, m.like(p, 1), m.like(p, 0));
    total = m.mul(m.sub(p, onehot), row);
  }
  if (Value g = grads[1]) {
    Value share = m.mul(p, m.repeat(g, shape, last));
    total = total ? m.add(total, share) : share;
  }
  if (total)
    total = m.cast(total, type.getElementType());
  operandGradients.assign({total, Value()});
  return success();
}

LogicalResult RopeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  // The inverse of a rotation is the rotation by the negated angle.
  operandGradients.assign({m.make<RopeOp>(g.getType(), g, getCosine(),
                                          m.neg(getSine()), getInterleaved()),
                           Value(), Value()});
  return success();
}

LogicalResult RatioOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value count = m.make<MaxOp>(getCount(), m.like(getCount(), 1));
  operandGradients.assign({m.div(g, count), Value()});
  return success();
}

/// Writes g * d score / d s into `target`: the score region again, with g in
/// front of its arguments, and its derivative behind it.
static LogicalResult differentiateScore(OpBuilder &builder, Region &score,
                                        Region &target) {
  OpBuilder::InsertionGuard guard(builder);
  Block &source = score.front();
  Block *block = builder.createBlock(&target);
  Location loc = source.getArgument(0).getLoc();
  Value g = block->addArgument(source.getArgument(0).getType(), loc);
  IRMapping mapping;
  for (BlockArgument argument : source.getArguments())
    mapping.map(argument, block->addArgument(argument.getType(), loc));
  for (Operation &op : source.without_terminator())
    builder.clone(op, mapping);
  Value result = mapping.lookupOrDefault(source.getTerminator()->getOperand(0));
  SmallVector<Value> slope;
  if (failed(differentiate(builder, result, block->getArgument(1), slope)))
    return failure();
  Value product = MulOp::create(builder, loc, g, slope[0]);
  YieldOp::create(builder, loc, product);
  return success();
}

/// Gradients of the floats that a score reads, by the decomposition: a bias
/// table or slopes. Nothing is left of this where nobody wants them.
static LogicalResult differentiateCaptures(OpBuilder &builder, AttentionOp op,
                                           Value grad,
                                           MutableArrayRef<Value> gradients) {
  SmallVector<Value> wanted;
  for (Value capture : op.getCaptures())
    if (isa<FloatType>(tensorType(capture).getElementType()) &&
        !llvm::is_contained(wanted, capture))
      wanted.push_back(capture);
  if (wanted.empty())
    return success();
  // Only what flows through the captures: the rest counts as given.
  GradientMath m(builder, op);
  IRMapping given;
  SmallVector<Value> constants = {op.getQ(), op.getK(), op.getV(), grad};
  for (Value value : constants)
    given.map(value, m.make<StopGradientOp>(value));
  auto copy = cast<AttentionOp>(builder.clone(*op, given));
  FailureOr<SmallVector<Value>> parts = copy.decompose(builder);
  copy.erase();
  if (failed(parts))
    return failure();
  Value weighted = m.mul(m.widen((*parts)[0]), m.widen(given.lookup(grad)));
  Value root = m.sum(weighted, {0, 1, 2, 3});
  SmallVector<Value> slopes;
  if (failed(differentiate(builder, root, wanted, slopes)))
    return failure();
  for (auto [value, slope] : llvm::zip(wanted, slopes))
    gradients[llvm::find(op.getCaptures(), value) - op.getCaptures().begin()] =
        slope;
  return success();
}

LogicalResult
AttentionOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  if (grads[1])
    return emitOpError("has no gradient for its log-sum-exp");
  auto backward = AttentionBackwardOp::create(
      builder, getLoc(),
      TypeRange{getQ().getType(), getK().getType(), getV().getType()}, getQ(),
      getK(), getV(), getOut(), getLse(), grads[0], getCaptures(),
      getScaleAttr());
  IRMapping mapping;
  getMask().cloneInto(&backward.getMask(), mapping);
  if (!getScore().empty()) {
    getScore().cloneInto(&backward.getScore(), mapping);
    if (failed(differentiateScore(builder, getScore(),
                                  backward.getScoreGradient())))
      return failure();
  }
  operandGradients.assign(getNumOperands(), Value());
  operandGradients[0] = backward.getDq();
  operandGradients[1] = backward.getDk();
  operandGradients[2] = backward.getDv();
  if (getScore().empty())
    return success();
  return differentiateCaptures(builder, *this, grads[0],
                               MutableArrayRef(operandGradients).drop_front(3));
}
