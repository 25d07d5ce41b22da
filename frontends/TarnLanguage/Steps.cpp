//===- Steps.cpp - the functions of the module ----------------------------===//
//
// init, and one function for each train, eval and generate of the file. Every
// function takes all parameters; what it returns is named by role.
//
//===----------------------------------------------------------------------===//

#include "frontends/TarnLanguage/Elaborator.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <numbers>

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;

/// FNV-1a of a parameter's path: its random numbers depend on nothing else.
static int64_t saltOf(const std::string &path) {
  uint64_t hash = 1469598103934665603u;
  for (unsigned char c : path)
    hash = (hash ^ c) * 1099511628211u;
  return int64_t(hash & 0x7fffffff); // what random_bits takes
}

mlir::func::FuncOp Elaborator::beginFunction(const std::string &name,
                                             const std::string &kind,
                                             Range range) {
  if (range.file) {
    auto [line, column] = range.lineAndColumn();
    loc = mlir::FileLineColLoc::get(b.getContext(), range.file->name, line,
                                    column);
  }
  b.setInsertionPointToEnd(module->getBody());
  function =
      mlir::func::FuncOp::create(b, loc, name, b.getFunctionType({}, {}));
  function->setAttr("tarn.kind", b.getStringAttr(kind));
  b.setInsertionPointToStart(function.addEntryBlock());
  parameterArguments.clear();
  updates.clear();
  namedArguments.clear();
  caches.clear();
  cachePosition = newPosition = {};
  dropouts = 0;
  return function;
}

mlir::Value Elaborator::addArgument(const std::string &role,
                                    const std::string &name, mlir::Type type,
                                    Range range) {
  mlir::Location at = loc;
  if (range.file)
    at = locationOf(range);
  unsigned index = function.getNumArguments();
  (void)function.insertArgument(
      index, type,
      b.getDictionaryAttr({b.getNamedAttr("tarn.name", b.getStringAttr(name)),
                           b.getNamedAttr("tarn.role", b.getStringAttr(role))}),
      mlir::NameLoc::get(b.getStringAttr(name), at));
  return function.getArgument(index);
}

void Elaborator::finishFunction(
    const std::vector<std::tuple<std::string, std::string, Value>> &results) {
  llvm::SmallVector<Value> values;
  for (auto &[role, name, value] : results)
    values.push_back(value);
  mlir::func::ReturnOp::create(b, loc, values);
  for (auto &[role, name, value] : results)
    (void)function.insertResult(
        function.getNumResults(), value.getType(),
        b.getDictionaryAttr(
            {b.getNamedAttr("tarn.name", b.getStringAttr(name)),
             b.getNamedAttr("tarn.role", b.getStringAttr(role))}));
}

mlir::Value Elaborator::parameterValue(unsigned index, Range range) {
  if (!function) {
    error(range, "parameters have no values outside of a step");
    return {};
  }
  return parameterArguments[index];
}

/// The key that this step's random numbers are drawn from.
mlir::Value Elaborator::randomKey(Range range) {
  Value &key = namedArguments["rng.key"];
  if (!key)
    key = addArgument("rng", "rng.key",
                      RankedTensorType::get({2}, b.getI32Type()), range);
  return key;
}

void Elaborator::emitInit() {
  beginFunction("init", "init", {});
  auto keyType = RankedTensorType::get({2}, b.getI32Type());
  Value seed = addArgument("input", "seed", keyType, {});
  std::vector<std::tuple<std::string, std::string, Value>> results;
  for (const ModelParameter &parameter : parameters) {
    loc = locationOf(parameter.range);
    auto type = RankedTensorType::get(parameter.shape, b.getF32Type());
    const Datum &init = parameter.initializer;
    int64_t salt = saltOf(parameter.path);
    auto field = [&](const char *name) { return init.fields->at(name).number; };
    Value value;
    if (init.isNumber()) {
      value = graph::splat(b, loc, type, init.number);
    } else if (init.text == "normal") {
      Value draw = graph::RandomNormalOp::create(b, loc, type, seed, salt);
      value = graph::MulOp::create(
          b, loc, draw, graph::splat(b, loc, type, field("deviation")));
    } else {
      Value draw = graph::RandomUniformOp::create(b, loc, type, seed, salt);
      Value scaled = graph::MulOp::create(
          b, loc, draw,
          graph::splat(b, loc, type, field("high") - field("low")));
      value = graph::AddOp::create(b, loc, scaled,
                                   graph::splat(b, loc, type, field("low")));
    }
    results.push_back({"parameter", parameter.path, value});
  }
  // Dropout draws from a key of its own, which begins as the seed.
  Value other =
      graph::AddOp::create(b, loc, seed, graph::splat(b, loc, keyType, 1));
  results.push_back({"rng", "rng.key", other});
  finishFunction(results);
  function = {};
}

void Elaborator::emitStep(const StepDecl &step) {
  beginFunction(step.function.name, step.kind, step.function.range);
  training = step.kind == "train";
  auto scope = scopeIn(globals);
  // Inputs: their dims come from --shape, or from the defaults.
  for (const Parameter &parameter : step.function.parameters) {
    llvm::SmallVector<int64_t> shape;
    for (auto [i, dim] : llvm::enumerate(parameter.type.dims)) {
      Datum value;
      if (dim->kind == Expr::Kind::Name) {
        usedShapes.insert(dim->text);
        if (auto given = options.shape.find(dim->text);
            given != options.shape.end() && step.kind != "generate")
          value = Datum::ofInt(given->second);
        else if (parameter.type.defaults[i])
          value = evaluate(*parameter.type.defaults[i], scope);
        else if (shapes.count(dim->text) && !scope->find(dim->text))
          value = Datum::ofInt(shapes[dim->text]);
        else
          value = evaluate(*dim, scope);
        if (!failed && value.isInt()) {
          scope->names[dim->text] = value;
          scope->origin[dim->text] = parameter.range;
          if (step.kind != "generate")
            shapes[dim->text] = value.integer();
        }
      } else {
        value = evaluate(*dim, scope);
      }
      if (failed)
        return;
      if (!value.isInt() || value.integer() < 1) {
        error(dim->range, "a dimension is a positive whole number");
        return;
      }
      shape.push_back(value.integer());
    }
    mlir::Type element;
    const std::string &word = parameter.type.element;
    if (word == "i32")
      element = b.getI32Type();
    else if (word == "f32" || word.empty())
      element = b.getF32Type();
    else if (word == "bool")
      element = b.getI1Type();
    else {
      error(parameter.range, "inputs are i32, f32 or bool, not `" + word + "`");
      return;
    }
    scope->names[parameter.name] = Datum::ofTensor(
        addArgument("input", parameter.name,
                    RankedTensorType::get(shape, element), parameter.range));
  }
  for (auto [i, parameter] : llvm::enumerate(parameters)) {
    parameterArguments[i] =
        addArgument("parameter", parameter.path,
                    RankedTensorType::get(parameter.shape, b.getF32Type()),
                    parameter.range);
    if (parameter.frozen)
      function.setArgAttr(function.getNumArguments() - 1, "tarn.frozen",
                          b.getUnitAttr());
  }
  if (step.kind == "generate")
    cachePosition = addArgument("cache", "cache.position",
                                RankedTensorType::get({}, b.getI32Type()), {});
  StepResult result;
  stepResult = &result;
  runBlock(step.function.body, scope);
  stepResult = nullptr;
  if (failed)
    return;

  std::vector<std::tuple<std::string, std::string, Value>> results;
  static const std::set<std::string> trainSettings = {
      "optimizer", "clip", "accumulate", "precision"};
  for (auto &[name, value] : result.settings) {
    Range range = result.ranges[name];
    if (step.kind == "train" && trainSettings.count(name))
      continue;
    Value tensor = asTensor(value, range);
    if (!tensor)
      return;
    if (step.kind == "train" && name != "loss") {
      diagnostics.error(range, "`" + name + "` is no setting of a step")
          .withHelp("`let` makes a name, `metric` shows a number; settings are "
                    "loss, optimizer, clip, accumulate and precision");
      failed = true;
      return;
    }
    results.push_back({name == "loss" ? "loss" : "output", name, tensor});
  }
  if (step.kind != "generate" && !result.settings.count("loss") &&
      step.kind == "train") {
    error(step.function.range, "the training step sets no loss");
    return;
  }
  for (auto &[name, value] : result.metrics) {
    Value tensor = asTensor(value, step.function.range);
    if (!tensor)
      return;
    results.push_back({"metric", name, tensor});
  }
  for (auto &[index, value] : updates)
    results.push_back({"parameter", parameters[index].path, value});
  for (const CacheState &cache : caches) {
    results.push_back({"cache", cache.name + ".key", cache.key});
    results.push_back({"cache", cache.name + ".value", cache.value});
  }
  if (newPosition)
    results.push_back({"cache", "cache.position", newPosition});
  mlir::func::FuncOp built = function;
  finishFunction(results);
  if (step.kind == "train")
    emitTrainSettings(step, built, result);
  function = {};
  training = false;
}

/// rate(step: i32) -> f32, with the first update as step 1.
mlir::func::FuncOp Elaborator::emitSchedule(const Datum &rate, Range range) {
  b.setInsertionPointToEnd(module->getBody());
  auto number = RankedTensorType::get({}, b.getF32Type());
  auto count = RankedTensorType::get({}, b.getI32Type());
  auto schedule =
      mlir::func::FuncOp::create(b, loc, "schedule." + function.getName().str(),
                                 b.getFunctionType({count}, {number}));
  schedule.setPrivate();
  mlir::Block *block = schedule.addEntryBlock();
  b.setInsertionPointToStart(block);
  Value result;
  auto constant = [&](double value) {
    return graph::splat(b, loc, number, value);
  };
  if (rate.isNumber()) {
    result = constant(rate.number);
  } else {
    auto field = [&](const char *name) { return rate.fields->at(name).number; };
    double peak = field("peak"), warmup = std::max(field("warmup"), 0.0),
           floor = field("floor"), total = field("total");
    Value step = graph::CastOp::create(b, loc, number, block->getArgument(0));
    auto mul = [&](Value x, Value y) -> Value {
      return graph::MulOp::create(b, loc, x, y);
    };
    auto add = [&](Value x, Value y) -> Value {
      return graph::AddOp::create(b, loc, x, y);
    };
    // How far behind the warm-up, from 0 to 1.
    Value far = mul(add(step, constant(-warmup)),
                    constant(1 / std::max(total - warmup, 1.0)));
    far = graph::MaxOp::create(b, loc, far, constant(0));
    far = graph::MinOp::create(b, loc, far, constant(1));
    Value shape;
    if (rate.text == "warmup_cosine") {
      Value wave =
          graph::CosOp::create(b, loc, mul(far, constant(std::numbers::pi)));
      shape = mul(add(wave, constant(1)), constant(0.5));
    } else {
      shape = graph::SubOp::create(b, loc, constant(1), far);
    }
    Value after = add(mul(shape, constant(peak - floor)), constant(floor));
    Value rising = mul(step, constant(peak / std::max(warmup, 1.0)));
    Value warm = graph::CompareOp::create(b, loc, graph::Predicate::le, step,
                                          constant(warmup));
    result = graph::SelectOp::create(b, loc, warm, rising, after);
  }
  mlir::func::ReturnOp::create(b, loc, result);
  return schedule;
}

void Elaborator::emitTrainSettings(const StepDecl &step,
                                   mlir::func::FuncOp built,
                                   const StepResult &result) {
  auto find = [&](const char *name) -> const Datum * {
    auto found = result.settings.find(name);
    return found == result.settings.end() ? nullptr : &found->second;
  };
  auto rangeOf = [&](const char *name) { return result.ranges.at(name); };
  const Datum *optimizer = find("optimizer");
  if (!optimizer) {
    diagnostics.error(step.function.range, "the training step has no optimizer")
        .withHelp("`optimizer = AdamW(rate = 1e-3)` is one");
    return;
  }
  if (optimizer->kind != Datum::Kind::Record ||
      !(optimizer->text == "adamw" || optimizer->text == "sgd")) {
    error(rangeOf("optimizer"), "an optimizer is AdamW(...) or SGD(...)");
    return;
  }
  llvm::SmallVector<mlir::NamedAttribute> attributes;
  auto put = [&](const char *name, mlir::Attribute value) {
    attributes.push_back(b.getNamedAttr(name, value));
  };
  put("optimizer", b.getStringAttr(optimizer->text));
  for (auto &[name, value] : *optimizer->fields)
    if (name != "rate")
      put(name.c_str(), b.getF64FloatAttr(value.number));
  const Datum &rate = optimizer->fields->at("rate");
  if (!rate.isNumber() && rate.kind != Datum::Kind::Record) {
    error(rangeOf("optimizer"), "a rate is a number or a schedule");
    return;
  }
  {
    mlir::OpBuilder::InsertionGuard guard(b);
    function = built;
    put("rate",
        mlir::FlatSymbolRefAttr::get(emitSchedule(rate, rangeOf("optimizer"))));
  }
  if (const Datum *clip = find("clip")) {
    if (!clip->isNumber() || clip->number <= 0) {
      error(rangeOf("clip"), "clip is a positive number");
      return;
    }
    put("clip", b.getF64FloatAttr(clip->number));
  }
  if (const Datum *count = find("accumulate")) {
    if (!count->isInt() || count->integer() < 1 || count->integer() > 65536) {
      error(rangeOf("accumulate"),
            "accumulate is a whole number from 1 to 65536");
      return;
    }
    put("accumulate", b.getI64IntegerAttr(count->integer()));
  }
  if (const Datum *precision = find("precision")) {
    if (precision->kind != Datum::Kind::String ||
        !llvm::is_contained({"fp32", "tf32", "bf16"}, precision->text)) {
      error(rangeOf("precision"),
            "precision is \"fp32\", \"tf32\" or \"bf16\"");
      return;
    }
    put("precision", b.getStringAttr(precision->text));
  }
  llvm::SmallVector<mlir::Attribute> groups;
  if (result.excepts)
    for (const Statement::Except &except : *result.excepts) {
      llvm::SmallVector<mlir::Attribute> patterns;
      for (const ExprPtr &pattern : except.patterns) {
        Datum text = evaluate(*pattern, globals);
        if (text.kind != Datum::Kind::String) {
          error(pattern->range, "a pattern is a string, such as \"**.bias\"");
          return;
        }
        patterns.push_back(b.getStringAttr(text.text));
      }
      llvm::SmallVector<mlir::NamedAttribute> entries{
          b.getNamedAttr("patterns", b.getArrayAttr(patterns))};
      for (const Argument &setting : except.settings) {
        Datum value = evaluate(*setting.value, globals);
        if ((setting.name != "decay" && setting.name != "rate_scale") ||
            !value.isNumber()) {
          error(setting.range, "a group sets decay or rate_scale to a number");
          return;
        }
        entries.push_back(
            b.getNamedAttr(setting.name, b.getF64FloatAttr(value.number)));
      }
      groups.push_back(b.getDictionaryAttr(entries));
    }
  if (!groups.empty())
    put("groups", b.getArrayAttr(groups));
  built->setAttr("tarn.train", b.getDictionaryAttr(attributes));
}
