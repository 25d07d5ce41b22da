//===- Builtins.cpp - the functions that are not written in Tarn ----------===//

#include "frontends/TarnLanguage/Elaborator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;
using mlir::Value;

static RankedTensorType typeOf(Value value) {
  return llvm::cast<RankedTensorType>(value.getType());
}

namespace {

/// The arguments of one call, taken by place or name, and what a built-in does
/// with them.
class Call {
public:
  using Evaluate = std::function<Datum(const Expr &)>;
  Call(const Expr &expr, Evaluate evaluate) : expr(expr) {
    for (const Argument &argument : expr.arguments) {
      Datum value = evaluate(*argument.value);
      if (argument.name.empty())
        places.push_back(value);
      else
        named.push_back({argument.name, value});
    }
  }
  /// The argument at the next place, or of this name.
  std::optional<Datum> take(const std::string &name) {
    for (auto &[word, value] : named)
      if (word == name) {
        used.insert(name);
        return value;
      }
    if (next < places.size())
      return places[next++];
    return std::nullopt;
  }
  /// Only by name.
  std::optional<Datum> option(const std::string &name) {
    for (auto &[word, value] : named)
      if (word == name) {
        used.insert(name);
        return value;
      }
    return std::nullopt;
  }
  /// What nobody took, for the message; empty if all is well.
  std::string leftOver() const {
    if (next < places.size())
      return "takes " + std::to_string(next) +
             " arguments by place, but gets " + std::to_string(places.size());
    for (auto &[word, value] : named)
      if (!used.count(word))
        return "has no parameter `" + word + "`";
    return "";
  }
  const Expr &expr;
  std::vector<Datum> places;
  std::vector<std::pair<std::string, Datum>> named;

private:
  size_t next = 0;
  std::set<std::string> used;
};

} // namespace

/// FNV-1a: the same on every machine.
static int64_t hashOf(const std::string &text) {
  uint64_t hash = 1469598103934665603u;
  for (unsigned char c : text)
    hash = (hash ^ c) * 1099511628211u;
  return int64_t(hash & 0x7fffffff); // what random_bits takes
}

namespace tarn::lang {

/// Implementations, as members so that they may use the elaborator.
class BuiltinImpl {
public:
  BuiltinImpl(Elaborator &e, Call &call, std::shared_ptr<Scope> scope)
      : e(e), call(call), range(call.expr.range), scope(scope) {}

  Elaborator &e;
  Call &call;
  Range range;
  std::shared_ptr<Scope> scope;

  Datum none(const std::string &name) {
    return e.error(range, "`" + name + "` is missing an argument");
  }
  Value tensor(const std::string &name) {
    std::optional<Datum> value = call.take(name);
    if (!value) {
      none(name);
      return {};
    }
    return e.resolve(*value, range);
  }
  std::optional<double> number(const std::string &name,
                               std::optional<double> fallback = {}) {
    std::optional<Datum> value = call.take(name);
    if (!value && fallback)
      return fallback;
    if (!value || !value->isNumber()) {
      e.error(range, "`" + name + "` must be a number");
      return std::nullopt;
    }
    return value->number;
  }
  Datum of(Value value) { return value ? Datum::ofTensor(value) : Datum(); }
  template <typename OpTy, typename... Args> Value make(Args &&...args) {
    return OpTy::create(e.b, e.loc, std::forward<Args>(args)...);
  }
  int64_t lastDim(Value x) { return typeOf(x).getRank() - 1; }

  /// exp and its like, on numbers and tensors.
  template <typename OpTy> Datum unary(double (*function)(double)) {
    std::optional<Datum> value = call.take("x");
    if (!value)
      return none("x");
    if (value->isNumber() && function)
      return Datum::ofFloat(function(value->number));
    Value x = e.resolve(*value, range);
    return x ? of(make<OpTy>(x)) : Datum();
  }
  Datum
  record(const std::string &what,
         std::vector<std::pair<std::string, std::optional<double>>> fields);
  Datum initializer(const std::string &what, std::vector<std::string> fields);
  Datum optimizer(const std::string &what);
  Datum attention();
  Datum crossEntropy();
  Datum rearrange();
  Datum dropout();
  Datum rope();
  Datum positions();
  Datum append();
  Datum mean(bool divide);
  bool buildMask(const Datum &mask, mlir::Region &region,
                 mlir::TypeRange captures, bool offset);
  Datum asNumber(Value x);
};

} // namespace tarn::lang

Datum BuiltinImpl::record(
    const std::string &what,
    std::vector<std::pair<std::string, std::optional<double>>> wanted) {
  Datum d;
  d.kind = Datum::Kind::Record;
  d.text = what;
  d.fields = std::make_shared<std::map<std::string, Datum>>();
  for (auto &[name, fallback] : wanted) {
    std::optional<double> value = number(name, fallback);
    if (!value)
      return {};
    (*d.fields)[name] = Datum::ofFloat(*value);
  }
  return d;
}

Datum BuiltinImpl::initializer(const std::string &what,
                               std::vector<std::string> wanted) {
  Datum d;
  d.kind = Datum::Kind::Initializer;
  d.text = what;
  d.fields = std::make_shared<std::map<std::string, Datum>>();
  for (const std::string &name : wanted) {
    std::optional<double> value = number(name);
    if (!value)
      return {};
    (*d.fields)[name] = Datum::ofFloat(*value);
  }
  return d;
}

Datum BuiltinImpl::optimizer(const std::string &what) {
  Datum d;
  d.kind = Datum::Kind::Record;
  d.text = what;
  d.fields = std::make_shared<std::map<std::string, Datum>>();
  std::optional<Datum> rate = call.take("rate");
  if (!rate)
    return none("rate");
  (*d.fields)["rate"] = *rate;
  if (what == "adamw") {
    std::optional<Datum> betas = call.option("betas");
    double beta1 = 0.9, beta2 = 0.999;
    if (betas) {
      if (!betas->isList() || betas->list->size() != 2 ||
          !(*betas->list)[0].isNumber() || !(*betas->list)[1].isNumber())
        return e.error(range, "`betas` are two numbers, such as (0.9, 0.95)");
      beta1 = (*betas->list)[0].number;
      beta2 = (*betas->list)[1].number;
    }
    for (double beta : {beta1, beta2})
      if (!(beta >= 0 && beta < 1))
        return e.error(range, "`betas` lie between 0 and 1");
    (*d.fields)["beta1"] = Datum::ofFloat(beta1);
    (*d.fields)["beta2"] = Datum::ofFloat(beta2);
    std::optional<Datum> eps = call.option("eps");
    (*d.fields)["eps"] = eps ? *eps : Datum::ofFloat(1e-8);
  } else {
    std::optional<Datum> momentum = call.option("momentum");
    (*d.fields)["momentum"] = momentum ? *momentum : Datum::ofFloat(0);
  }
  std::optional<Datum> decay = call.option("decay");
  (*d.fields)["decay"] = decay ? *decay : Datum::ofFloat(0);
  for (auto &[name, value] : *d.fields)
    if (name != "rate" && !value.isNumber())
      return e.error(range, "`" + name + "` must be a number");
  return d;
}

/// A predicate over (b, h, i, j), or `causal`; with `offset` the queries begin
/// at the position that is the last capture.
bool BuiltinImpl::buildMask(const Datum &mask, mlir::Region &region,
                            mlir::TypeRange captures, bool offset) {
  if (mask.kind == Datum::Kind::String && mask.text == "causal") {
    graph::AttentionOp::buildCausalMask(
        region, captures,
        offset ? std::optional<unsigned>(captures.size() - 1) : std::nullopt);
    return true;
  }
  if (mask.kind != Datum::Kind::Lambda || mask.lambda->names.size() != 4) {
    e.error(range, "a mask is `causal` or a predicate "
                   "(b, h, i, j) -> ...");
    return false;
  }
  mlir::OpBuilder::InsertionGuard guard(e.b);
  mlir::Block *block = e.b.createBlock(&region);
  auto scalar = RankedTensorType::get({}, e.b.getI32Type());
  auto inner = std::make_shared<Scope>();
  inner->parent = mask.scope;
  for (const std::string &name : mask.lambda->names)
    inner->names[name] = Datum::ofTensor(block->addArgument(scalar, e.loc));
  for (mlir::Type type : captures)
    block->addArgument(type, e.loc);
  Datum result = e.evaluate(*mask.lambda->args[0], inner);
  if (e.failed)
    return false;
  if (!result.isTensor() ||
      !typeOf(result.tensor).getElementType().isInteger(1) ||
      typeOf(result.tensor).getRank() != 0) {
    e.error(mask.lambda->range, "a mask's predicate gives a truth value");
    return false;
  }
  graph::YieldOp::create(e.b, e.loc, result.tensor);
  return true;
}

Datum BuiltinImpl::attention() {
  Value q = tensor("q"), k = tensor("k"), v = tensor("v");
  if (!q || !k || !v)
    return {};
  std::optional<Datum> mask = call.option("mask");
  std::optional<Datum> past = call.option("past");
  std::optional<Datum> scale = call.option("scale");
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
  llvm::SmallVector<Value> captures;
  if (offset)
    captures.push_back(e.cachePosition);
  double factor = scale && scale->isNumber()
                      ? scale->number
                      : 1 / std::sqrt(double(queries.getDimSize(3)));
  llvm::SmallVector<int64_t> shape(queries.getShape());
  shape[3] = values.getDimSize(3);
  auto outType = RankedTensorType::get(shape, queries.getElementType());
  auto lseType =
      RankedTensorType::get(queries.getShape().drop_back(), e.b.getF32Type());
  auto op = graph::AttentionOp::create(
      e.b, e.loc, mlir::TypeRange{outType, lseType}, q, k, v, captures,
      e.b.getF64FloatAttr(factor));
  if (offset && !mask)
    mask = Datum::ofString("causal");
  if (mask && !mask->isNone() &&
      !buildMask(*mask, op.getMask(), mlir::ValueRange(captures).getTypes(),
                 offset))
    return {};
  return Datum::ofTensor(op.getOut());
}

/// Sum of the losses of the rows that count, over their number.
Datum BuiltinImpl::crossEntropy() {
  Value logits = tensor("logits"), targets = tensor("targets");
  if (!logits || !targets)
    return {};
  std::optional<Datum> ignore = call.option("ignore");
  int64_t ignored = ignore && ignore->isInt() ? ignore->integer() : -100;
  auto type = typeOf(logits);
  if (type.getRank() < 1 ||
      type.getShape().drop_back() != typeOf(targets).getShape())
    return e.error(range,
                   "targets of the shape " + e.shapeText(targets.getType()) +
                       " do not fit logits of the shape " + e.shapeText(type));
  auto rows =
      RankedTensorType::get(type.getShape().drop_back(), e.b.getF32Type());
  auto op = graph::CrossEntropyOp::create(
      e.b, e.loc, mlir::TypeRange{rows, rows}, logits, targets, ignored);
  llvm::SmallVector<int64_t> all =
      llvm::to_vector(llvm::seq<int64_t>(0, rows.getRank()));
  auto sum = [&](Value x) -> Value {
    return all.empty() ? x : make<graph::ReduceSumOp>(x, all);
  };
  Value counts = make<graph::CompareOp>(
      graph::Predicate::ne, targets,
      graph::splat(e.b, e.loc, targets.getType(), double(ignored)));
  Value count =
      sum(make<graph::SelectOp>(counts, graph::splat(e.b, e.loc, rows, 1),
                                graph::splat(e.b, e.loc, rows, 0)));
  return of(make<graph::RatioOp>(sum(op.getLoss()), count));
}

Datum BuiltinImpl::rearrange() {
  Value x = tensor("x");
  if (!x)
    return {};
  const Pattern &pattern = *call.expr.pattern;
  auto type = typeOf(x);
  if (int64_t(pattern.from.size()) != type.getRank())
    return e.error(range, "the pattern has " +
                              std::to_string(pattern.from.size()) +
                              " dimensions for the shape " + e.shapeText(type));
  std::map<std::string, int64_t> extents;
  for (auto &[name, value] : call.named)
    if (value.isInt()) {
      extents[name] = value.integer();
      call.option(name);
    }
  std::vector<std::string> names;
  llvm::SmallVector<int64_t> split;
  for (auto [d, group] : llvm::enumerate(pattern.from)) {
    int64_t knownProduct = 1;
    std::string unknown;
    for (const std::string &name : group) {
      if (llvm::is_contained(names, name))
        return e.error(range, "`" + name + "` stands twice in the pattern");
      names.push_back(name);
      auto found = extents.find(name);
      if (found != extents.end())
        knownProduct *= found->second;
      else if (unknown.empty())
        unknown = name;
      else
        return e.error(range, "the sizes of `" + unknown + "` and `" + name +
                                  "` are not known: give one, as in `" + name +
                                  " = 4`");
    }
    int64_t extent = type.getDimSize(d);
    if (knownProduct < 1 || extent % knownProduct != 0 ||
        (unknown.empty() && knownProduct != extent))
      return e.error(range, "dimension " + std::to_string(d) + " has " +
                                std::to_string(extent) +
                                " elements, which do not divide into " +
                                std::to_string(knownProduct));
    if (!unknown.empty())
      extents[unknown] = extent / knownProduct;
    for (const std::string &name : group)
      split.push_back(extents[name]);
  }
  llvm::SmallVector<int64_t> permutation, shape;
  for (const std::vector<std::string> &group : pattern.to) {
    int64_t product = 1;
    for (const std::string &name : group) {
      auto found = llvm::find(names, name);
      if (found == names.end())
        return e.error(range, "`" + name +
                                  "` stands on the right of the "
                                  "pattern only");
      permutation.push_back(found - names.begin());
      product *= extents[name];
    }
    shape.push_back(product);
  }
  if (permutation.size() != names.size())
    return e.error(range, "the two sides of the pattern have different names");
  Value result = x;
  if (llvm::ArrayRef(split) != type.getShape())
    result = make<graph::ReshapeOp>(result, split);
  bool moves = false;
  for (auto [to, from] : llvm::enumerate(permutation))
    moves |= int64_t(to) != from;
  if (moves)
    result = make<graph::TransposeOp>(result, permutation);
  if (llvm::ArrayRef(shape) != typeOf(result).getShape())
    result = make<graph::ReshapeOp>(result, shape);
  return of(result);
}

/// Keeps each element with probability 1 - rate, scaled up; counter-based, so
/// that computing it again draws the same.
Datum BuiltinImpl::dropout() {
  Value x = tensor("x");
  std::optional<double> rate = number("rate");
  if (!x || !rate)
    return {};
  if (*rate < 0 || *rate >= 1)
    return e.error(range, "a dropout rate lies in [0, 1)");
  if (!e.training || *rate == 0)
    return of(x);
  auto type = typeOf(x);
  auto f32 = RankedTensorType::get(type.getShape(), e.b.getF32Type());
  Value key = e.randomKey(range);
  Value draw = graph::RandomUniformOp::create(
      e.b, e.loc, f32, key,
      e.b.getI64IntegerAttr(hashOf("dropout." + std::to_string(e.dropouts++))));
  Value keep = make<graph::CompareOp>(graph::Predicate::ge, draw,
                                      graph::splat(e.b, e.loc, f32, *rate));
  Value scaled =
      make<graph::MulOp>(x, graph::splat(e.b, e.loc, type, 1 / (1 - *rate)));
  return of(
      make<graph::SelectOp>(keep, scaled, graph::splat(e.b, e.loc, type, 0)));
}

/// Numbers of T positions, after those of the cache.
Datum BuiltinImpl::positions() {
  std::optional<double> count = number("count");
  std::optional<Datum> past = call.take("past");
  if (!count)
    return {};
  auto type = RankedTensorType::get({int64_t(*count)}, e.b.getI32Type());
  Value at = make<graph::IotaOp>(type, 0);
  if (past && !past->isNone())
    at = make<graph::AddOp>(
        at, make<graph::BroadcastOp>(type, e.cachePosition,
                                     llvm::ArrayRef<int64_t>()));
  return of(at);
}

/// rope(x [.., T, D], positions [T], theta): rotary embedding, the halves of
/// each head paired as Llama's checkpoints have them.
Datum BuiltinImpl::rope() {
  Value x = tensor("x"), at = tensor("positions");
  std::optional<double> theta = number("theta", 10000);
  if (!x || !at || !theta)
    return {};
  auto type = typeOf(x);
  int64_t width = type.getShape().back(), half = width / 2;
  int64_t time = typeOf(at).getDimSize(0);
  if (type.getRank() < 2 || width % 2 != 0 ||
      type.getDimSize(type.getRank() - 2) != time)
    return e.error(range, "rope is over [.., T, even width] with T positions, "
                          "not over " +
                              e.shapeText(type));
  auto angles = RankedTensorType::get({time, half}, e.b.getF32Type());
  auto vector = RankedTensorType::get({half}, e.b.getF32Type());
  // theta^(-2k / width) = exp(k * -2 ln(theta) / width)
  Value k = make<graph::CastOp>(
      vector,
      make<graph::IotaOp>(RankedTensorType::get({half}, e.b.getI32Type()), 0));
  Value frequency = make<graph::ExpOp>(make<graph::MulOp>(
      k, graph::splat(e.b, e.loc, vector, -2 * std::log(*theta) / width)));
  Value position =
      make<graph::CastOp>(RankedTensorType::get({time}, e.b.getF32Type()), at);
  Value angle = make<graph::MulOp>(
      make<graph::BroadcastOp>(angles, position, llvm::ArrayRef<int64_t>{0}),
      make<graph::BroadcastOp>(angles, frequency, llvm::ArrayRef<int64_t>{1}));
  return of(graph::RopeOp::create(e.b, e.loc, type, x,
                                  make<graph::CosOp>(angle),
                                  make<graph::SinOp>(angle), false));
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

/// Truth values and integers as f32, for means.
Datum BuiltinImpl::asNumber(Value x) {
  auto type = typeOf(x);
  auto f32 = RankedTensorType::get(type.getShape(), e.b.getF32Type());
  if (type.getElementType().isInteger(1))
    return of(make<graph::SelectOp>(x, graph::splat(e.b, e.loc, f32, 1),
                                    graph::splat(e.b, e.loc, f32, 0)));
  if (llvm::isa<mlir::IntegerType>(type.getElementType()))
    return of(make<graph::CastOp>(f32, x));
  return of(x);
}

/// The sum, or mean, over all dims or over `axis`.
Datum BuiltinImpl::mean(bool divide) {
  Value x = tensor("x");
  if (!x)
    return {};
  x = asNumber(x).tensor;
  auto type = typeOf(x);
  llvm::SmallVector<int64_t> dims;
  if (std::optional<Datum> axis = call.option("axis")) {
    int64_t d = axis->integer() < 0 ? axis->integer() + type.getRank()
                                    : axis->integer();
    if (!axis->isInt() || d < 0 || d >= type.getRank())
      return e.error(range, "there is no such axis in " + e.shapeText(type));
    dims.push_back(d);
  } else {
    dims = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  }
  if (dims.empty())
    return of(x);
  int64_t count = 1;
  for (int64_t d : dims)
    count *= type.getDimSize(d);
  Value sum = make<graph::ReduceSumOp>(x, dims);
  if (!divide)
    return of(sum);
  return of(make<graph::MulOp>(
      sum, graph::splat(e.b, e.loc, sum.getType(), 1.0 / count)));
}

using Handler = Datum (*)(BuiltinImpl &);

/// One line per function.
static const llvm::StringMap<Handler> &table() {
  using I = BuiltinImpl;
  static const llvm::StringMap<Handler> handlers = {
      {"sqrt", [](I &i) { return i.unary<graph::SqrtOp>(std::sqrt); }},
      {"exp", [](I &i) { return i.unary<graph::ExpOp>(std::exp); }},
      {"log", [](I &i) { return i.unary<graph::LogOp>(std::log); }},
      {"tanh", [](I &i) { return i.unary<graph::TanhOp>(std::tanh); }},
      {"sin", [](I &i) { return i.unary<graph::SinOp>(std::sin); }},
      {"cos", [](I &i) { return i.unary<graph::CosOp>(std::cos); }},
      {"abs", [](I &i) { return i.unary<graph::AbsOp>(std::fabs); }},
      {"erf", [](I &i) { return i.unary<graph::ErfOp>(std::erf); }},
      {"sigmoid", [](I &i) { return i.unary<graph::SigmoidOp>(nullptr); }},
      {"relu", [](I &i) { return i.unary<graph::ReluOp>(nullptr); }},
      {"silu", [](I &i) { return i.unary<graph::SiluOp>(nullptr); }},
      {"stop_gradient",
       [](I &i) { return i.unary<graph::StopGradientOp>(nullptr); }},
      {"gelu_tanh",
       [](I &i) {
         Value x = i.tensor("x");
         return x ? i.of(i.make<graph::GeluOp>(x, graph::GeluKind::tanh))
                  : Datum();
       }},
      {"gelu",
       [](I &i) {
         Value x = i.tensor("x");
         return x ? i.of(i.make<graph::GeluOp>(x, graph::GeluKind::none))
                  : Datum();
       }},
      {"swiglu",
       [](I &i) {
         Value gate = i.tensor("gate"), up = i.tensor("up");
         if (!gate || !up)
           return Datum();
         return i.e.arithmetic("*",
                               Datum::ofTensor(i.make<graph::SiluOp>(gate)),
                               Datum::ofTensor(up), i.range);
       }},
      {"softmax",
       [](I &i) {
         Value x = i.tensor("x");
         return x ? i.of(i.make<graph::SoftmaxOp>(x)) : Datum();
       }},
      {"log_softmax",
       [](I &i) {
         Value x = i.tensor("x");
         return x ? i.of(i.make<graph::LogSoftmaxOp>(x)) : Datum();
       }},
      {"layer_norm",
       [](I &i) {
         Value x = i.tensor("x"), w = i.tensor("weight"), b = i.tensor("bias");
         std::optional<double> eps = i.number("eps", 1e-5);
         if (!x || !w || !b || !eps)
           return Datum();
         return i.of(graph::LayerNormOp::create(i.e.b, i.e.loc, x.getType(), x,
                                                w, b,
                                                i.e.b.getF64FloatAttr(*eps)));
       }},
      {"rms_norm",
       [](I &i) {
         Value x = i.tensor("x"), w = i.tensor("weight");
         std::optional<double> eps = i.number("eps", 1e-6);
         if (!x || !w || !eps)
           return Datum();
         return i.of(graph::RmsNormOp::create(i.e.b, i.e.loc, x.getType(), x, w,
                                              i.e.b.getF64FloatAttr(*eps)));
       }},
      {"linear",
       [](I &i) {
         Value x = i.tensor("x"), w = i.tensor("weight");
         return x && w ? i.of(i.e.matmul(x, w, true, i.range)) : Datum();
       }},
      {"gather",
       [](I &i) {
         Value table = i.tensor("table"), index = i.tensor("index");
         if (!table || !index)
           return Datum();
         if (!typeOf(index).getElementType().isInteger(32))
           return i.e.error(i.range, "rows are named by i32 numbers");
         return i.of(i.make<graph::GatherOp>(table, index));
       }},
      {"attention", [](I &i) { return i.attention(); }},
      {"cross_entropy", [](I &i) { return i.crossEntropy(); }},
      {"rearrange", [](I &i) { return i.rearrange(); }},
      {"dropout", [](I &i) { return i.dropout(); }},
      {"positions", [](I &i) { return i.positions(); }},
      {"rope", [](I &i) { return i.rope(); }},
      {"cache.append", [](I &i) { return i.append(); }},
      {"mean", [](I &i) { return i.mean(true); }},
      {"sum", [](I &i) { return i.mean(false); }},
      {"argmax",
       [](I &i) {
         Value x = i.tensor("x");
         return x ? i.of(i.make<graph::ArgmaxOp>(x, i.lastDim(x))) : Datum();
       }},
      {"len",
       [](I &i) {
         std::optional<Datum> list = i.call.take("list");
         if (!list || !list->isList())
           return i.e.error(i.range, "len is of a list");
         return Datum::ofInt(list->list->size());
       }},
      {"zip",
       [](I &i) {
         std::optional<Datum> x = i.call.take("x"), y = i.call.take("y");
         if (!x || !y || !x->isList())
           return i.e.error(i.range, "zip is of two lists");
         std::vector<Datum> pairs;
         // Beside nothing each item gets nothing.
         if (!y->isNone() &&
             (!y->isList() || y->list->size() != x->list->size()))
           return i.e.error(i.range, "the two lists have different lengths");
         for (size_t k = 0; k != x->list->size(); ++k)
           pairs.push_back(Datum::ofList(
               {(*x->list)[k], y->isNone() ? Datum() : (*y->list)[k]}));
         return Datum::ofList(std::move(pairs));
       }},
      {"kv_cache",
       [](I &i) {
         std::optional<double> heads = i.number("heads"),
                               width = i.number("width"),
                               capacity = i.number("capacity");
         if (!heads || !width || !capacity)
           return Datum();
         if (!i.e.cachePosition)
           return i.e.error(i.range, "a cache belongs into `generate`");
         auto type = RankedTensorType::get(
             {1, int64_t(*heads), int64_t(*capacity), int64_t(*width)},
             i.e.b.getF32Type());
         std::string name = "cache." + std::to_string(i.e.caches.size());
         Value key = i.e.addArgument("cache", name + ".key", type, i.range);
         Value value = i.e.addArgument("cache", name + ".value", type, i.range);
         Datum d;
         d.kind = Datum::Kind::Cache;
         d.number = double(i.e.caches.size());
         i.e.caches.push_back({key, value, name});
         return d;
       }},
      {"normal", [](I &i) { return i.initializer("normal", {"deviation"}); }},
      {"uniform",
       [](I &i) { return i.initializer("uniform", {"low", "high"}); }},
      {"AdamW", [](I &i) { return i.optimizer("adamw"); }},
      {"SGD", [](I &i) { return i.optimizer("sgd"); }},
      {"warmup_cosine",
       [](I &i) {
         return i.record(
             "warmup_cosine",
             {{"peak", {}}, {"warmup", {}}, {"total", {}}, {"floor", 0.0}});
       }},
      {"linear_decay",
       [](I &i) {
         return i.record(
             "linear_decay",
             {{"peak", {}}, {"warmup", {}}, {"total", {}}, {"floor", 0.0}});
       }},
  };
  return handlers;
}

bool Builtins::exists(const std::string &name) {
  return table().contains(name) && name.find('.') == std::string::npos;
}

Datum Builtins::call(Elaborator &e, const std::string &name, const Expr &expr,
                     std::shared_ptr<Scope> scope) {
  Call call(expr,
            [&](const Expr &argument) { return e.evaluate(argument, scope); });
  if (e.failed)
    return {};
  e.loc = e.locationOf(expr.range);
  if (name == "rearrange" && !expr.pattern)
    return e.error(expr.range, "`rearrange` needs a pattern, as in "
                               "b t (h d) -> b h t d");
  BuiltinImpl impl(e, call, scope);
  Datum result = table().find(name)->second(impl);
  if (e.failed)
    return {};
  if (std::string extra = call.leftOver(); !extra.empty())
    return e.error(expr.range, "`" + name + "` " + extra);
  return result;
}
