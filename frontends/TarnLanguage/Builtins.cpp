//===- Builtins.cpp - the functions that are not written in Tarn ----------===//

#include "frontends/TarnLanguage/BuiltinImpl.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;
using mlir::Value;

/// FNV-1a: the same on every machine.
static int64_t hashOf(const std::string &text) {
  uint64_t hash = 1469598103934665603u;
  for (unsigned char c : text)
    hash = (hash ^ c) * 1099511628211u;
  return int64_t(hash & 0x7fffffff); // what random_bits takes
}

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
  if (!isa<mlir::FloatType>(type.getElementType()) ||
      !isa<mlir::IntegerType>(typeOf(targets).getElementType()) ||
      typeOf(targets).getElementType().isInteger(1))
    return e.error(range, "cross_entropy takes logits of numbers and targets "
                          "of token numbers (i32), not " +
                              e.typeText(type) + " and " +
                              e.typeText(targets.getType()));
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
  return of(drop(x, *rate));
}

Value BuiltinImpl::drop(Value x, double rate) {
  auto type = typeOf(x);
  auto f32 = RankedTensorType::get(type.getShape(), e.b.getF32Type());
  Value key = e.randomKey(range);
  Value draw = graph::RandomUniformOp::create(
      e.b, e.loc, f32, key, hashOf("dropout." + std::to_string(e.dropouts++)));
  Value keep = make<graph::CompareOp>(graph::Predicate::ge, draw,
                                      graph::splat(e.b, e.loc, f32, rate));
  Value scaled =
      make<graph::MulOp>(x, graph::splat(e.b, e.loc, type, 1 / (1 - rate)));
  return make<graph::SelectOp>(keep, scaled, graph::splat(e.b, e.loc, type, 0));
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

/// floor and ceil, of numbers.
Datum BuiltinImpl::round(double (*function)(double)) {
  std::optional<double> x = number("x");
  if (!x)
    return {};
  double whole = function(*x);
  return std::fabs(whole) < mostWhole ? Datum::ofInt(int64_t(whole))
                                      : Datum::ofFloat(whole);
}

/// The smaller or the larger of two numbers, or tensors.
Datum BuiltinImpl::extreme(bool larger) {
  std::optional<Datum> x = call.take("x"), y = call.take("y");
  if (!x || !y)
    return none(x ? "y" : "x");
  if (x->isNumber() && y->isNumber())
    return (x->number > y->number) == larger ? *x : *y;
  auto [left, right] = e.sameShape(*x, *y, range);
  if (!left)
    return {};
  return of(larger ? make<graph::MaxOp>(left, right)
                   : make<graph::MinOp>(left, right));
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
      {"floor", [](I &i) { return i.round(std::floor); }},
      {"ceil", [](I &i) { return i.round(std::ceil); }},
      {"min", [](I &i) { return i.extreme(false); }},
      {"max", [](I &i) { return i.extreme(true); }},
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
      {"conv", [](I &i) { return i.conv(); }},
      {"attention", [](I &i) { return i.attention(); }},
      {"cross_entropy", [](I &i) { return i.crossEntropy(); }},
      {"rearrange", [](I &i) { return i.rearrange(); }},
      {"dropout", [](I &i) { return i.dropout(); }},
      {"positions", [](I &i) { return i.positions(); }},
      {"rope", [](I &i) { return i.rope(); }},
      {"cache.append", [](I &i) { return i.append(); }},
      {"cumsum", [](I &i) { return i.cumsum(); }},
      {"sort",
       [](I &i) {
         graph::SortOp op = i.sorted();
         return op ? Datum::ofList(
                         {i.of(op.getValues()), i.of(op.getIndices())})
                   : Datum();
       }},
      {"argsort",
       [](I &i) {
         graph::SortOp op = i.sorted();
         return op ? i.of(op.getIndices()) : Datum();
       }},
      {"top_k", [](I &i) { return i.topK(); }},
      {"one_hot", [](I &i) { return i.oneHot(); }},
      {"select", [](I &i) { return i.select(); }},
      {"pick", [](I &i) { return i.pick(); }},
      {"repeat", [](I &i) { return i.repeat(); }},
      {"concat", [](I &i) { return i.concat(); }},
      {"group_rows", [](I &i) { return i.groupRows(); }},
      {"grouped_linear", [](I &i) { return i.groupedLinear(); }},
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
