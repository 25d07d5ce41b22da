//===- BuiltinsAttention.cpp - attention, positions, caches ---------------===//

#include "frontends/TarnLanguage/BuiltinImpl.h"

#include "dialects/Tarn/Materialise.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

#include <cmath>

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;
using mlir::Value;

/// A predicate over (b, h, i, j), or a change of a score s over (s, b, h, i,
/// j), as a region. What it reads from outside becomes arguments later.
bool BuiltinImpl::buildRegion(const Datum &lambda, mlir::Region &region,
                              bool isScore) {
  const size_t arity = isScore ? 5 : 4;
  if (lambda.kind != Datum::Kind::Lambda ||
      lambda.lambda->names.size() != arity) {
    e.error(range, isScore ? "a score is changed by (s, b, h, i, j) -> ..."
                           : "a mask is `causal` or a predicate "
                             "(b, h, i, j) -> ...");
    return false;
  }
  mlir::OpBuilder::InsertionGuard guard(e.b);
  mlir::Block *block = e.b.createBlock(&region);
  auto inner = e.scopeIn(lambda.scope);
  for (auto [i, name] : llvm::enumerate(lambda.lambda->names)) {
    mlir::Type type = isScore && i == 0 ? mlir::Type(e.b.getF32Type())
                                        : mlir::Type(e.b.getI32Type());
    inner->names[name] = Datum::ofTensor(
        block->addArgument(RankedTensorType::get({}, type), e.loc));
  }
  Datum result = e.evaluate(*lambda.lambda->args[0], inner);
  if (e.failed)
    return false;
  mlir::Type wanted =
      isScore ? mlir::Type(e.b.getF32Type()) : mlir::Type(e.b.getI1Type());
  if (!result.isTensor() ||
      result.tensor.getType() != RankedTensorType::get({}, wanted)) {
    e.error(lambda.lambda->range, isScore ? "a score's change gives one number"
                                          : "a mask's predicate gives a truth "
                                            "value");
    return false;
  }
  graph::YieldOp::create(e.b, e.loc, result.tensor);
  return true;
}

/// Tensors that a region reads but does not make.
static void collectCaptures(mlir::Region &region,
                            llvm::SetVector<Value> &captures) {
  region.walk([&](mlir::Operation *op) {
    for (Value operand : op->getOperands())
      if (operand.getParentRegion() != &region)
        captures.insert(operand);
  });
}

/// Moves `from` into the op's region; captures become its last arguments.
static void isolate(mlir::Region &from, mlir::Region &to,
                    llvm::ArrayRef<Value> captures, mlir::Location loc) {
  if (from.empty())
    return;
  to.takeBody(from);
  for (Value capture : captures) {
    Value argument = to.front().addArgument(capture.getType(), loc);
    capture.replaceUsesWithIf(argument, [&](mlir::OpOperand &use) {
      return use.getOwner()->getParentRegion() == &to;
    });
  }
}

Datum BuiltinImpl::attention() {
  Value q = tensor("q"), k = tensor("k"), v = tensor("v");
  if (!q || !k || !v)
    return {};
  std::optional<Datum> mask = call.option("mask");
  std::optional<Datum> score = call.option("score");
  std::optional<Datum> past = call.option("past");
  std::optional<Datum> scale = call.option("scale");
  std::optional<Datum> dropped = call.option("dropout");
  double rate = dropped && dropped->isNumber() ? dropped->number : 0;
  if ((dropped && !dropped->isNumber()) || rate < 0 || rate >= 1)
    return e.error(range, "a dropout rate lies in [0, 1)");
  auto queries = typeOf(q), keys = typeOf(k), values = typeOf(v);
  if (queries.getRank() != 4 || keys.getRank() != 4 || values.getRank() != 4)
    return e.error(range, "attention is over [batch, heads, time, width], not "
                          "over " +
                              e.shapeText(queries));
  if (keys.getDimSize(1) != values.getDimSize(1))
    return e.error(range, "heads of `k` and `v` differ: " +
                              std::to_string(keys.getDimSize(1)) + " and " +
                              std::to_string(values.getDimSize(1)));
  if (keys.getDimSize(1) == 0 ||
      queries.getDimSize(1) % keys.getDimSize(1) != 0)
    return e.error(range, "the heads of `k`, " +
                              std::to_string(keys.getDimSize(1)) +
                              ", do not divide those of `q`, " +
                              std::to_string(queries.getDimSize(1)));
  if (queries.getDimSize(3) != keys.getDimSize(3))
    return e.error(range, "the widths of `q` and `k` differ: " +
                              std::to_string(queries.getDimSize(3)) + " and " +
                              std::to_string(keys.getDimSize(3)));
  if (keys.getDimSize(2) != values.getDimSize(2) ||
      queries.getDimSize(0) != keys.getDimSize(0) ||
      queries.getDimSize(0) != values.getDimSize(0))
    return e.error(
        range, "`q`, `k` and `v` do not fit: " + e.shapeText(queries) + ", " +
                   e.shapeText(keys) + " and " + e.shapeText(values));
  bool offset = past && !past->isNone();
  if (offset && (past->kind != Datum::Kind::Cache || !e.cachePosition))
    return e.error(range, "`past` is a cache or none, not " +
                              std::string(past->kindName()));
  if (offset && !mask)
    mask = Datum::ofString("causal");
  bool causal =
      mask && mask->kind == Datum::Kind::String && mask->text == "causal";
  mlir::Region maskRegion, scoreRegion;
  if (mask && !mask->isNone() && !causal &&
      !buildRegion(*mask, maskRegion, /*isScore=*/false))
    return {};
  if (score && !score->isNone() &&
      !buildRegion(*score, scoreRegion, /*isScore=*/true))
    return {};
  llvm::SetVector<Value> captures;
  if (offset)
    captures.insert(e.cachePosition);
  collectCaptures(maskRegion, captures);
  collectCaptures(scoreRegion, captures);
  double factor = scale && scale->isNumber()
                      ? scale->number
                      : 1 / std::sqrt(double(queries.getDimSize(3)));
  llvm::SmallVector<int64_t> shape(queries.getShape());
  shape[3] = values.getDimSize(3);
  auto outType = RankedTensorType::get(shape, queries.getElementType());
  auto lseType =
      RankedTensorType::get(queries.getShape().drop_back(), e.b.getF32Type());
  auto op = graph::AttentionOp::create(
      e.b, e.loc, mlir::TypeRange{outType, lseType}, q, k, v,
      captures.getArrayRef(), e.b.getF64FloatAttr(factor));
  if (causal)
    graph::AttentionOp::buildCausalMask(
        op.getMask(), mlir::ValueRange(captures.getArrayRef()).getTypes(),
        offset ? std::optional<unsigned>(0) : std::nullopt);
  isolate(maskRegion, op.getMask(), captures.getArrayRef(), e.loc);
  isolate(scoreRegion, op.getScore(), captures.getArrayRef(), e.loc);
  if (!e.training || rate == 0)
    return Datum::ofTensor(op.getOut());
  // No kernel of attention draws numbers: the probabilities go to memory.
  Value mixed = graph::materialiseAttention(
      e.b, op, /*anyRow=*/!causal, [&](Value p) { return drop(p, rate); });
  op.erase();
  return Datum::ofTensor(mixed);
}

/// Numbers of T positions, after those of the cache.
Datum BuiltinImpl::positions() {
  std::optional<double> count = number("count");
  std::optional<Datum> past = call.take("past");
  if (!count)
    return {};
  auto type = RankedTensorType::get({int64_t(*count)}, e.b.getI32Type());
  Value at = make<graph::IotaOp>(type, 0);
  if (past && !past->isNone() && !e.cachePosition)
    return e.error(range, "`past` is a cache or none, not " +
                              std::string(past->kindName()));
  if (past && !past->isNone())
    at = make<graph::AddOp>(
        at, make<graph::BroadcastOp>(type, e.cachePosition,
                                     llvm::ArrayRef<int64_t>()));
  return of(at);
}

/// Angles that a pair turns by from one position to the next, f32 [half]: from
/// `theta`, or the list `frequencies`.
Value BuiltinImpl::ropeFrequencies(int64_t half) {
  std::optional<double> theta = number("theta", 10000);
  std::optional<Datum> given = call.option("frequencies");
  if (!theta)
    return {};
  auto vector = RankedTensorType::get({half}, e.b.getF32Type());
  if (given && !given->isNone()) {
    llvm::SmallVector<float> numbers;
    if (given->isList())
      for (const Datum &item : *given->list)
        if (item.isNumber())
          numbers.push_back(float(item.number));
    if (int64_t(numbers.size()) != half) {
      e.error(range, "`frequencies` are " + std::to_string(half) +
                         " numbers, one for each pair of features");
      return {};
    }
    return make<graph::ConstantOp>(
        mlir::DenseElementsAttr::get(vector, llvm::ArrayRef<float>(numbers)));
  }
  // theta^(-2k / width) = exp(k * -ln(theta) / half)
  Value k = make<graph::CastOp>(
      vector,
      make<graph::IotaOp>(RankedTensorType::get({half}, e.b.getI32Type()), 0));
  return make<graph::ExpOp>(make<graph::MulOp>(
      k, graph::splat(e.b, e.loc, vector, -2 * std::log(*theta) / (2 * half))));
}

/// rope(x [.., T, D], positions [T], theta): rotary embedding, the halves of
/// each head paired as Llama's checkpoints have them, or neighbours.
Datum BuiltinImpl::rope() {
  Value x = tensor("x"), at = tensor("positions");
  if (!x || !at)
    return {};
  auto type = typeOf(x);
  int64_t width = type.getShape().back(), half = width / 2;
  int64_t time = typeOf(at).getRank() == 1 ? typeOf(at).getDimSize(0) : -1;
  if (type.getRank() < 2 || width % 2 != 0 ||
      type.getDimSize(type.getRank() - 2) != time)
    return e.error(range, "rope is over [.., T, even width] with T positions, "
                          "not over " +
                              e.shapeText(type));
  Value frequency = ropeFrequencies(half);
  std::optional<Datum> factor = call.option("factor");
  std::optional<Datum> neighbours = call.option("interleaved");
  if (!frequency)
    return {};
  if (factor && !factor->isNumber())
    return e.error(range, "`factor` must be a number");
  auto angles = RankedTensorType::get({time, half}, e.b.getF32Type());
  Value position =
      make<graph::CastOp>(RankedTensorType::get({time}, e.b.getF32Type()), at);
  Value angle = make<graph::MulOp>(
      make<graph::BroadcastOp>(angles, position, llvm::ArrayRef<int64_t>{0}),
      make<graph::BroadcastOp>(angles, frequency, llvm::ArrayRef<int64_t>{1}));
  Value cosine = make<graph::CosOp>(angle), sine = make<graph::SinOp>(angle);
  if (factor && factor->number != 1) {
    Value by = graph::splat(e.b, e.loc, angles, factor->number);
    cosine = make<graph::MulOp>(cosine, by);
    sine = make<graph::MulOp>(sine, by);
  }
  return of(graph::RopeOp::create(e.b, e.loc, type, x, cosine, sine,
                                  neighbours && e.truth(*neighbours, range)));
}

/// past.append(k, v): the cache with this step's keys and values put in.
Datum BuiltinImpl::append() {
  Datum object = e.evaluate(*call.expr.args[0]->args[0], scope);
  Value k = tensor("k"), v = tensor("v");
  if (!k || !v)
    return {};
  auto &cache = e.caches[size_t(object.number)];
  auto zero = RankedTensorType::get({}, e.b.getI32Type());
  Value none = graph::splat(e.b, e.loc, zero, 0);
  auto put = [&](Value &whole, Value part) {
    auto from = typeOf(part), to = typeOf(whole);
    if (from.getRank() != 4 || from.getDimSize(0) != to.getDimSize(0) ||
        from.getDimSize(1) != to.getDimSize(1) ||
        from.getDimSize(3) != to.getDimSize(3)) {
      e.error(range, "the cache holds " + e.shapeText(to) +
                         ", which does not take " + e.shapeText(from));
      return;
    }
    llvm::SmallVector<Value> at{none, none, e.cachePosition, none};
    whole = graph::UpdateSliceOp::create(e.b, e.loc, to, whole, part, at);
  };
  put(cache.key, k);
  put(cache.value, v);
  e.newPosition = make<graph::AddOp>(
      e.cachePosition,
      graph::splat(e.b, e.loc, zero, double(typeOf(k).getDimSize(2))));
  return Datum::ofList(
      {Datum::ofTensor(cache.key), Datum::ofTensor(cache.value)});
}
