//===- Decompositions.cpp - composites as graphs of simpler ops -----------===//

#include "dialects/Tarn/Formula.h"
#include "dialects/Tarn/Materialise.h"
#include "dialects/Tarn/Reference.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

using Values = SmallVector<Value>;

static Type elementOf(Value value) {
  return tensorType(value).getElementType();
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

FailureOr<Values> ReluOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  return Values{f.max(getX(), f.number(getX(), 0))};
}

FailureOr<Values> SiluOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  Value x = f.widen(getX());
  Value y = f.div(x, f.add(f.number(x, 1), f.exp(f.neg(x))));
  return Values{f.cast(y, elementOf(getX()))};
}

FailureOr<Values> GeluOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  Value x = f.widen(getX()), one = f.number(x, 1), y;
  if (getApproximate() == GeluKind::none) {
    Value cdf =
        ErfOp::create(builder, getLoc(), f.scale(x, 0.7071067811865476));
    y = f.mul(f.scale(x, 0.5), f.add(one, cdf));
  } else {
    // -2 u, u = sqrt(2 / pi) * (x + 0.044715 x^3)
    constexpr double twice = 1.5957691216057308;
    Value slope =
        f.add(f.scale(f.mul(x, x), -twice * 0.044715), f.number(x, -twice));
    y = f.div(x, f.add(one, f.exp(f.mul(x, slope))));
  }
  return Values{f.cast(y, elementOf(getX()))};
}

//===----------------------------------------------------------------------===//
// Softmax and loss
//===----------------------------------------------------------------------===//

FailureOr<Values> SoftmaxOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  int64_t dim = getDim();
  Value x = f.widen(getX());
  Value e = f.exp(f.sub(x, f.along(f.most(x, dim), x, dim)));
  Value y = f.div(e, f.along(f.sum(e, dim), e, dim));
  return Values{f.cast(y, elementOf(getX()))};
}

FailureOr<Values> LogSoftmaxOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  int64_t dim = getDim();
  Value x = f.widen(getX());
  Value centered = f.sub(x, f.along(f.most(x, dim), x, dim));
  Value total = f.log(f.sum(f.exp(centered), dim));
  Value y = f.sub(centered, f.along(total, centered, dim));
  return Values{f.cast(y, elementOf(getX()))};
}

FailureOr<Values> CrossEntropyOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  Value x = f.widen(getLogits()), targets = getTargets();
  int64_t dim = tensorType(x).getRank() - 1;
  Value most = f.most(x, dim);
  Value total = f.sum(f.exp(f.sub(x, f.along(most, x, dim))), dim);
  Value lse = f.add(f.log(total), most);
  // The target's logit as a masked sum: it fuses with the rows' other sums.
  Value at = f.along(targets, x, dim);
  Value hit = f.compare(Predicate::eq, f.iota(tensorType(at), dim), at);
  Value picked = f.sum(f.select(hit, x, f.number(x, 0)), dim);
  Value counts = f.compare(Predicate::ne, targets,
                           f.number(targets, double(getIgnoreIndex())));
  Value loss = f.select(counts, f.sub(lse, picked), f.number(lse, 0));
  return Values{loss, lse};
}

FailureOr<Values> ArgmaxOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  int64_t dim = getDim();
  Value x = f.widen(getX());
  Value hit = f.compare(Predicate::eq, x, f.along(f.most(x, dim), x, dim));
  // The least position of a maximum is the largest negative one.
  auto type = withElementType(x.getType(), builder.getF32Type());
  Value negative = f.neg(f.iota(type, dim));
  Value none = splat(builder, getLoc(), type, -0x1p24);
  Value best = f.neg(f.most(f.select(hit, negative, none), dim));
  return Values{f.cast(best, builder.getI32Type())};
}

FailureOr<Values> RatioOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  return Values{f.div(getSum(), f.max(getCount(), f.number(getCount(), 1)))};
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

FailureOr<Values> LayerNormOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  Value x = f.widen(getX());
  Value weight = f.cast(getWeight(), elementOf(x));
  Value bias = f.cast(getBias(), elementOf(x));
  int64_t dim = tensorType(x).getRank() - 1;
  double share = 1.0 / double(tensorType(x).getShape().back());
  Value mean = f.scale(f.sum(x, dim), share);
  Value centered = f.sub(x, f.along(mean, x, dim));
  Value variance = f.scale(f.sum(f.mul(centered, centered), dim), share);
  Value scale = f.rsqrt(f.add(variance, f.number(variance, getEps())));
  Value normal = f.mul(centered, f.along(scale, x, dim));
  Value y = f.add(f.mul(normal, f.rows(weight, x)), f.rows(bias, x));
  return Values{f.cast(y, elementOf(getX()))};
}

FailureOr<Values> RmsNormOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  Value x = f.widen(getX());
  Value weight = f.cast(getWeight(), elementOf(x));
  int64_t dim = tensorType(x).getRank() - 1;
  double share = 1.0 / double(tensorType(x).getShape().back());
  Value square = f.scale(f.sum(f.mul(x, x), dim), share);
  Value scale = f.rsqrt(f.add(square, f.number(square, getEps())));
  Value y = f.mul(f.mul(x, f.along(scale, x, dim)), f.rows(weight, x));
  return Values{f.cast(y, elementOf(getX()))};
}

//===----------------------------------------------------------------------===//
// Rotary positions
//===----------------------------------------------------------------------===//

FailureOr<Values> RopeOp::decompose(OpBuilder &builder) {
  Formula f(builder, getLoc());
  Value x = f.widen(getX());
  Value cosine = f.cast(getCosine(), elementOf(x));
  Value sine = f.cast(getSine(), elementOf(x));
  SmallVector<int64_t> whole(tensorType(x).getShape()), half = whole;
  half.back() /= 2;
  // Pairs lie apart as halves of the row, or side by side in a new last dim.
  SmallVector<int64_t> split = whole, size = half, low(half.size(), 0), high;
  if (getInterleaved()) {
    split = half, size = half;
    split.push_back(2);
    size.push_back(1);
    low.push_back(0);
  }
  high = low;
  high.back() = getInterleaved() ? 1 : half.back();
  Value pairs = getInterleaved() ? f.reshape(x, split) : x;
  auto part = [&](ArrayRef<int64_t> offsets) {
    Value taken = f.slice(pairs, offsets, size);
    return getInterleaved() ? f.reshape(taken, half) : taken;
  };
  Value p = part(low), q = part(high);
  Value c = f.rows(cosine, p), s = f.rows(sine, p);
  Value first = f.sub(f.mul(p, c), f.mul(q, s));
  Value second = f.add(f.mul(q, c), f.mul(p, s));
  if (getInterleaved()) {
    first = f.reshape(first, size);
    second = f.reshape(second, size);
  }
  Value y = f.concat({first, second}, int64_t(size.size()) - 1);
  if (getInterleaved())
    y = f.reshape(y, whole);
  return Values{f.cast(y, elementOf(getX()))};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
// What forward and backward share: tensors of shape [B, H, T, S].
struct AttentionGraph {
  AttentionGraph(OpBuilder &builder, Location loc, Value q, Value k,
                 ValueRange captures, bool tf32)
      : f(builder, loc), captures(captures) {
    f.tf32 = tf32;
    auto queries = tensorType(q), keys = tensorType(k);
    shape = {queries.getDimSize(0), queries.getDimSize(1),
             queries.getDimSize(2), keys.getDimSize(2)};
    keyHeads = keys.getDimSize(1);
  }

  // Repeats key heads for the query heads that share them.
  Value perQueryHead(Value x) {
    int64_t share = shape[1] / keyHeads;
    if (share == 1)
      return x;
    auto type = tensorType(x);
    SmallVector<int64_t> wide = {shape[0], keyHeads, share, type.getDimSize(2),
                                 type.getDimSize(3)};
    SmallVector<int64_t> flat = {shape[0], shape[1], type.getDimSize(2),
                                 type.getDimSize(3)};
    return f.reshape(f.broadcast(x, wide, {0, 1, 3, 4}), flat);
  }

  // Adds up what belongs to one key head.
  Value perKeyHead(Value x) {
    int64_t share = shape[1] / keyHeads;
    if (share == 1)
      return x;
    auto type = tensorType(x);
    SmallVector<int64_t> wide = {shape[0], keyHeads, share, type.getDimSize(2),
                                 type.getDimSize(3)};
    return f.sum(f.reshape(x, wide), {2});
  }

  Value run(Region &region, ArrayRef<Value> floats) {
    SmallVector<Value> arguments(floats);
    for (int64_t d = 0; d != 4; ++d)
      arguments.push_back(
          f.iota(RankedTensorType::get(shape, f.b.getI32Type()), d));
    llvm::append_range(arguments, captures);
    return inlineScalarRegion(f.b, region, arguments, shape);
  }

  // scale * q k^T in f32.
  Value products(Value q, Value k, double scale) {
    return f.scale(
        f.dot(q, perQueryHead(k), false, true, accumulator(elementOf(q))),
        scale);
  }

  Type accumulator(Type type) {
    return type.isF64() ? type : Type(f.b.getF32Type());
  }

  Formula f;
  ValueRange captures;
  SmallVector<int64_t> shape;
  int64_t keyHeads;
};

// Far below every score, and finite: a row without keys stays free of NaN.
constexpr double noScore = -1e30;
} // namespace

FailureOr<Values> AttentionOp::decompose(OpBuilder &builder) {
  AttentionGraph g(builder, getLoc(), getQ(), getK(), getCaptures(), getTf32());
  Formula &f = g.f;
  Value s = g.products(getQ(), getK(), getScale());
  if (!getScore().empty())
    s = f.cast(g.run(getScore(), {f.cast(s, builder.getF32Type())}),
               elementOf(s));
  Value keep;
  if (!getMask().empty()) {
    keep = g.run(getMask(), {});
    s = f.select(keep, s, f.number(s, noScore));
  }
  Value most = f.most(s, 3);
  Value e = f.exp(f.sub(s, f.along(most, s, 3)));
  if (keep)
    e = f.select(keep, e, f.number(e, 0));
  Value total = f.sum(e, 3);
  // Rows without keys divide 0 by 1.
  Value some = f.compare(Predicate::gt, total, f.number(total, 0));
  Value divisor = f.select(some, total, f.number(total, 1));
  Value p = f.div(e, f.along(divisor, e, 3));
  Type type = elementOf(getQ());
  Value out = f.dot(f.cast(p, type), g.perQueryHead(getV()));
  Value lse = f.cast(f.add(most, f.log(divisor)), builder.getF32Type());
  return Values{out, lse};
}

Value tarn::graph::materialiseAttention(
    OpBuilder &builder, AttentionOp op, bool anyRow,
    llvm::function_ref<Value(Value)> onProbabilities) {
  AttentionGraph g(builder, op.getLoc(), op.getQ(), op.getK(), op.getCaptures(),
                   op.getTf32());
  Formula &f = g.f;
  Value s = g.products(op.getQ(), op.getK(), op.getScale());
  if (!op.getScore().empty())
    s = f.cast(g.run(op.getScore(), {f.cast(s, builder.getF32Type())}),
               elementOf(s));
  Value keep;
  if (!op.getMask().empty()) {
    keep = g.run(op.getMask(), {});
    s = f.select(keep, s, f.number(s, noScore));
  }
  Value p = SoftmaxOp::create(builder, op.getLoc(), s.getType(), s,
                              builder.getI64IntegerAttr(3));
  if (keep && anyRow)
    p = f.select(keep, p, f.number(p, 0));
  if (onProbabilities)
    p = onProbabilities(p);
  return f.dot(f.cast(p, elementOf(op.getQ())), g.perQueryHead(op.getV()));
}

FailureOr<Values> AttentionBackwardOp::decompose(OpBuilder &builder) {
  AttentionGraph g(builder, getLoc(), getQ(), getK(), getCaptures(), getTf32());
  Formula &f = g.f;
  Type type = elementOf(getQ()), wide = g.accumulator(type);
  Value product = g.products(getQ(), getK(), getScale()), s = product;
  Value narrow = f.cast(product, builder.getF32Type());
  if (!getScore().empty())
    s = f.cast(g.run(getScore(), {narrow}), wide);
  Value p = f.exp(f.sub(s, f.along(f.cast(getLse(), wide), s, 3)));
  Value keep;
  if (!getMask().empty()) {
    keep = g.run(getMask(), {});
    p = f.select(keep, p, f.number(p, 0));
  }
  Value dp = f.dot(getGrad(), g.perQueryHead(getV()), false, true, wide);
  Value delta =
      hasSums()
          ? f.cast(getOut(), wide)
          : f.sum(f.mul(f.cast(getGrad(), wide), f.cast(getOut(), wide)), 3);
  Value ds = f.mul(p, f.sub(dp, f.along(delta, dp, 3)));
  if (!getScoreGradient().empty())
    ds = f.cast(
        g.run(getScoreGradient(), {f.cast(ds, builder.getF32Type()), narrow}),
        wide);
  ds = f.cast(f.scale(ds, getScale()), type);
  Type made = elementOf(getDq());
  Value dq = f.dot(ds, g.perQueryHead(getK()), false, false, made);
  Value dk = g.perKeyHead(f.dot(ds, getQ(), true, false, made));
  Value dv = g.perKeyHead(f.dot(f.cast(p, type), getGrad(), true, false, made));
  return Values{dq, dk, dv};
}
