//===- Elaborator.cpp - declarations, calls, statements -------------------===//

#include "frontends/TarnLanguage/Elaborator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;

const char *Datum::kindName() const {
  switch (kind) {
  case Kind::None:
    return "none";
  case Kind::Bool:
    return "a truth value";
  case Kind::Int:
  case Kind::Float:
    return "a number";
  case Kind::String:
    return "a string";
  case Kind::Tensor:
  case Kind::Parameter:
    return "a tensor";
  case Kind::List:
    return "a list";
  case Kind::Instance:
    return "a module";
  case Kind::Module:
    return "a module's declaration";
  case Kind::Function:
  case Kind::Builtin:
  case Kind::Lambda:
    return "a function";
  case Kind::Initializer:
    return "an initializer";
  case Kind::Record:
    return "an optimizer or schedule";
  case Kind::Cache:
    return "a cache";
  }
  return "";
}

Datum Elaborator::error(Range range, const std::string &message) {
  // One error at a time: what follows from it would only confuse.
  if (!failed)
    diagnostics.error(range, message);
  failed = true;
  return {};
}

mlir::Location Elaborator::locationOf(Range range) {
  // Ops of the library's layers carry the place that uses the layer.
  if (!range.file || range.file->name == "nn.tarn")
    return loc;
  auto [line, column] = range.lineAndColumn();
  mlir::Location place =
      mlir::FileLineColLoc::get(b.getContext(), range.file->name, line, column);
  if (layer.empty())
    return place;
  // The layer goes with its ops to their gradients and kernels: reports and
  // plans know them by it.
  return mlir::FusedLoc::get(b.getContext(), {place}, b.getStringAttr(layer));
}

/// A number as people write it.
static std::string numberText(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15)
    return std::to_string(int64_t(value));
  return llvm::formatv("{0:f4}", value).str();
}

/// Names that are close to a wrong one.
static std::string known(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "there are none" : "there are " + text;
}

/// The value of `--set NAME=TEXT`.
Datum Elaborator::parseSetting(const std::string &text) {
  if (text == "true" || text == "false")
    return Datum::ofBool(text == "true");
  char *end = nullptr;
  double number = std::strtod(text.c_str(), &end);
  if (end && *end == '\0' && end != text.c_str() && std::isfinite(number)) {
    bool integer = text.find_first_of(".eE") == std::string::npos &&
                   std::fabs(number) < mostWhole;
    return integer ? Datum::ofInt(int64_t(number)) : Datum::ofFloat(number);
  }
  return Datum::ofString(text);
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

Elaborator::~Elaborator() {
  std::vector<std::map<std::string, Datum>> names;
  for (Scope *scope : scopes)
    names.push_back(std::exchange(scope->names, {}));
}

std::shared_ptr<Scope> Elaborator::scopeIn(std::shared_ptr<Scope> parent) {
  auto scope = std::make_unique<Scope>();
  scope->parent = std::move(parent);
  scopes.insert(scope.get());
  return {scope.release(), [this](Scope *ended) {
            scopes.erase(ended);
            delete ended;
          }};
}

void Elaborator::declare(const File &file, bool isLibrary) {
  std::shared_ptr<Scope> target = isLibrary ? libraryGlobals : globals;
  std::set<std::string> seen;
  auto unique = [&](const std::string &name, Range range) {
    if (!seen.insert(name).second) {
      error(range, "`" + name + "` is declared twice");
      failed = false; // the next declaration is another matter
    }
  };
  for (const Module &declared : file.modules) {
    unique(declared.name, declared.range);
    Datum d;
    d.kind = Datum::Kind::Module;
    d.module = &declared;
    target->names[declared.name] = d;
  }
  for (const Function &declared : file.functions) {
    unique(declared.name, declared.range);
    Datum d;
    d.kind = Datum::Kind::Function;
    d.function = &declared;
    d.scope = target;
    target->names[declared.name] = d;
  }
  for (const UseDecl &use : file.uses) {
    if (use.library != "nn") {
      error(use.range, "there is no library `" + use.library + "`");
      failed = false;
    }
    for (auto &[name, range] : use.names)
      if (!libraryGlobals->find(name) && !Builtins::exists(name)) {
        error(range, "`nn` has no `" + name + "`");
        failed = false;
      }
  }
}

void Elaborator::bindParams(const File &file) {
  for (const ParamDecl &param : file.params) {
    Datum value = evaluate(*param.value, globals);
    if (auto set = options.set.find(param.name); set != options.set.end()) {
      value = parseSetting(set->second);
      usedSettings.insert(param.name);
    }
    if (!value.isNumber() && value.kind != Datum::Kind::Bool &&
        value.kind != Datum::Kind::String) {
      error(param.range, "a hyper-parameter is a number, a string or a truth "
                         "value");
      continue;
    }
    globals->names[param.name] = value;
    hyper[param.name] = value;
  }
}

void Elaborator::makeModels(const File &file) {
  for (const ModelDecl &model : file.models) {
    if (model.value->kind != Expr::Kind::Call) {
      error(model.value->range, "a model is a module with its arguments, such "
                                "as GPT2()");
      continue;
    }
    Datum callee = evaluate(*model.value->args[0], globals);
    if (callee.kind != Datum::Kind::Module) {
      error(model.value->range, "a model is a module with its arguments, such "
                                "as GPT2()");
      continue;
    }
    Arguments arguments;
    for (const Argument &argument : model.value->arguments)
      arguments.push_back({argument.name, evaluate(*argument.value, globals)});
    size_t first = parameters.size();
    Datum instance = instantiate(*callee.module, arguments, model.range,
                                 model.prefix, &options.set);
    for (size_t i = first; i != parameters.size(); ++i) {
      parameters[i].frozen |= model.frozen;
      parameters[i].fixed |= model.frozen;
    }
    globals->names[model.name] = instance;
    if (failed)
      return;
  }
}

/// Binds arguments to parameters by place or name; defaults see those before.
bool Elaborator::bindParameters(const std::vector<Parameter> &declared,
                                const Arguments &arguments,
                                std::shared_ptr<Scope> scope, Range call,
                                const std::string &what) {
  std::map<std::string, Datum> given;
  size_t place = 0;
  for (auto &[name, value] : arguments) {
    std::string target = name;
    if (target.empty()) {
      if (place == declared.size()) {
        error(call, what + " takes " + std::to_string(declared.size()) +
                        " arguments, but gets more");
        return false;
      }
      target = declared[place++].name;
    }
    bool exists = llvm::any_of(
        declared, [&](const Parameter &p) { return p.name == target; });
    if (!exists) {
      std::vector<std::string> names;
      for (const Parameter &p : declared)
        names.push_back(p.name);
      if (!failed)
        diagnostics.error(call, what + " has no parameter `" + target + "`")
            .withHelp(known(names));
      failed = true;
      return false;
    }
    if (!given.emplace(target, value).second) {
      error(call, "`" + target + "` is given twice");
      return false;
    }
  }
  for (const Parameter &parameter : declared) {
    auto found = given.find(parameter.name);
    if (found != given.end()) {
      scope->names[parameter.name] = found->second;
    } else if (parameter.fallback) {
      scope->names[parameter.name] = evaluate(*parameter.fallback, scope);
    } else {
      if (!failed)
        diagnostics.error(call, what + " needs `" + parameter.name + "`")
            .note("it is declared here", parameter.range);
      failed = true;
      return false;
    }
    const Datum &value = scope->names[parameter.name];
    if (parameter.type.isTensor && !value.isNone() &&
        !bindType(parameter.type, parameter.name, value, scope, call))
      return false;
  }
  return !failed;
}

std::string Elaborator::typeText(mlir::Type type) {
  mlir::Type element = llvm::cast<RankedTensorType>(type).getElementType();
  std::string text;
  llvm::raw_string_ostream(text) << element;
  return (element.isInteger(1) ? "bool" : text) + shapeText(type);
}

std::string Elaborator::shapeText(mlir::Type type) {
  std::string text = "[";
  for (int64_t extent : llvm::cast<RankedTensorType>(type).getShape())
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// Checks a tensor against `[B, T, width]`: a name that has no value yet gets
/// the dimension's; everything else must agree.
bool Elaborator::bindType(const TypeExpr &type, const std::string &name,
                          const Datum &value, std::shared_ptr<Scope> scope,
                          Range range) {
  Value tensor = resolve(value, range);
  if (!tensor)
    return false;
  auto shaped = llvm::cast<RankedTensorType>(tensor.getType());
  if (shaped.getRank() != int64_t(type.dims.size())) {
    if (!failed)
      diagnostics
          .error(range, "`" + name + "` has the shape " + shapeText(shaped) +
                            ", but its type has " +
                            std::to_string(type.dims.size()) + " dimensions")
          .note("the type is declared here", type.range);
    failed = true;
    return false;
  }
  for (auto [i, dim] : llvm::enumerate(type.dims)) {
    int64_t extent = shaped.getDimSize(i);
    if (dim->kind == Expr::Kind::Name && !scope->find(dim->text)) {
      scope->names[dim->text] = Datum::ofInt(extent);
      scope->origin[dim->text] = range;
      continue;
    }
    Datum wanted = evaluate(*dim, scope);
    if (failed)
      return false;
    if (!wanted.isInt() || wanted.integer() != extent) {
      std::string text = dim->range.file->text.substr(
          dim->range.begin, dim->range.end - dim->range.begin);
      Diagnostic &d = diagnostics.error(
          range,
          "dimension " + std::to_string(i) + " of `" + name + "` is " +
              std::to_string(extent) +
              (dim->kind == Expr::Kind::Number
                   ? ", but its type says " + text
                   : ", but `" + text + "` is " +
                         (wanted.isNumber() ? numberText(wanted.number)
                                            : std::string(wanted.kindName()))));
      d.note("the type is declared here", dim->range);
      if (dim->kind == Expr::Kind::Name)
        if (Scope *holder = scope->holder(dim->text))
          if (auto origin = holder->origin.find(dim->text);
              origin != holder->origin.end())
            d.note("`" + dim->text + "` got its value here", origin->second);
      failed = true;
      return false;
    }
  }
  return true;
}

/// The extents of a parameter's type.
std::optional<std::vector<int64_t>>
Elaborator::dimsOf(const TypeExpr &type, std::shared_ptr<Scope> scope) {
  std::vector<int64_t> shape;
  int64_t elements = 1;
  for (const ExprPtr &dim : type.dims) {
    Datum value = evaluate(*dim, scope);
    if (failed)
      return std::nullopt;
    if (!value.isInt() || value.integer() < 1) {
      error(dim->range, "a dimension is a positive whole number, not " +
                            (value.isNumber() ? numberText(value.number)
                                              : std::string(value.kindName())));
      return std::nullopt;
    }
    shape.push_back(value.integer());
    if (__builtin_mul_overflow(elements, value.integer(), &elements) ||
        elements > (int64_t(1) << 40)) {
      error(type.range, "this tensor has more than 2^40 elements");
      return std::nullopt;
    }
  }
  return shape;
}

Datum Elaborator::instantiate(const Module &declared,
                              const Arguments &arguments, Range call,
                              const std::string &path,
                              const std::map<std::string, std::string> *set) {
  if (--budget < 0)
    return error(call, "the model is too large: evaluation was stopped");
  if (std::count(path.begin(), path.end(), '.') > 60)
    return error(call, "modules contain each other without end: `" +
                           declared.name + "`");
  diagnostics.calls.push_back(call);
  llvm::scope_exit leave([&] { diagnostics.calls.pop_back(); });
  auto scope = scopeIn(declared.range.file && declared.range.file->library
                           ? libraryGlobals
                           : globals);
  Arguments bound = arguments;
  if (set)
    for (const Parameter &parameter : declared.parameters)
      if (auto found = set->find(parameter.name); found != set->end()) {
        usedSettings.insert(parameter.name);
        llvm::erase_if(bound, [&](auto &argument) {
          return argument.first == parameter.name;
        });
        bound.push_back({parameter.name, parseSetting(found->second)});
      }
  if (!bindParameters(declared.parameters, bound, scope, call,
                      "`" + declared.name + "`"))
    return {};
  if (set)
    for (const Parameter &parameter : declared.parameters)
      hyper[parameter.name] = scope->names[parameter.name];
  auto instance = std::make_shared<Instance>();
  instance->module = &declared;
  instance->path = path;
  instance->scope = scope;
  for (const Member &member : declared.members) {
    std::string own = (path.empty() ? "" : path + ".") + member.name;
    Datum value;
    switch (member.kind) {
    case Member::Kind::Value:
      value = evaluate(*member.value, scope, own);
      break;
    case Member::Kind::Constant:
      value = evaluate(*member.value, scope);
      if (!failed && value.kind == Datum::Kind::Float &&
          member.value->kind == Expr::Kind::Binary && member.value->text == "/")
        return error(member.range, "`" + member.name +
                                       "` is not a whole number: " +
                                       numberText(value.number));
      break;
    case Member::Kind::State:
      if (!member.type.isTensor)
        return error(member.range, "a state is a tensor: `state " +
                                       member.name + ": [n] = 0`");
      [[fallthrough]];
    case Member::Kind::Parameter: {
      Datum initializer = evaluate(*member.value, scope);
      // A parameter that begins as nothing is not there.
      if (failed || initializer.isNone())
        break;
      std::optional<std::vector<int64_t>> shape = dimsOf(member.type, scope);
      if (!shape)
        return {};
      ModelParameter parameter;
      parameter.path = own;
      parameter.shape = *shape;
      parameter.initializer = initializer;
      parameter.range = member.range;
      parameter.state = parameter.frozen = member.kind == Member::Kind::State;
      if (!parameter.initializer.isNumber() &&
          parameter.initializer.kind != Datum::Kind::Initializer)
        return error(member.value->range,
                     "a parameter begins as a number or an initializer, not " +
                         std::string(parameter.initializer.kindName()));
      value.kind = Datum::Kind::Parameter;
      value.number = double(parameters.size());
      parameters.push_back(std::move(parameter));
      break;
    }
    }
    if (failed)
      return {};
    scope->names[member.name] = value;
  }
  for (const Function &function : declared.functions) {
    if (function.name.empty())
      continue;
    Datum d;
    d.kind = Datum::Kind::Function;
    d.function = &function;
    d.scope = scope;
    d.text = path;
    scope->names[function.name] = d;
  }
  Datum result;
  result.kind = Datum::Kind::Instance;
  result.instance = instance;
  return result;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Datum Elaborator::callFunction(const Function &called,
                               std::shared_ptr<Scope> outer,
                               const Arguments &arguments, Range range) {
  if (llvm::is_contained(running, &called) && running.size() > 40)
    return error(range, "`" + (called.name.empty() ? "fn" : called.name) +
                            "` calls itself without end");
  if (running.size() > 100)
    return error(range, "calls are nested too deeply");
  diagnostics.calls.push_back(range);
  llvm::scope_exit leave([&] { diagnostics.calls.pop_back(); });
  auto scope = scopeIn(outer);
  std::string what =
      called.name.empty() ? "this module" : "`" + called.name + "`";
  if (!bindParameters(called.parameters, arguments, scope, range, what))
    return {};
  for (const ExprPtr &condition : called.conditions)
    if (!truth(evaluate(*condition, scope), condition->range) && !failed) {
      std::string text = condition->range.file->text.substr(
          condition->range.begin,
          condition->range.end - condition->range.begin);
      std::string values;
      if (condition->kind == Expr::Kind::Binary)
        for (const ExprPtr &side : condition->args) {
          Datum value = evaluate(*side, scope);
          if (value.isNumber() && side->kind == Expr::Kind::Name)
            values += (values.empty() ? ": " : ", ") + side->text + " is " +
                      numberText(value.number);
        }
      diagnostics.error(range, "`" + text + "` does not hold" + values)
          .note("it is demanded here", condition->range);
      failed = true;
      return {};
    }
  running.push_back(&called);
  Datum result = runBlock(called.body, scope);
  running.pop_back();
  if (failed)
    return {};
  if (called.result && called.result->isTensor) {
    if (result.isNone())
      return error(called.range, "this function returns nothing");
    if (!result.isList() && !bindType(*called.result, "the result", result,
                                      scope, called.body.range))
      return {};
  }
  return result;
}

Datum Elaborator::call(const Datum &callee, const Expr &expr,
                       std::shared_ptr<Scope> scope, const std::string &path) {
  if (callee.kind == Datum::Kind::Builtin)
    return Builtins::call(*this, callee.text, expr, scope);
  Arguments arguments;
  for (const Argument &argument : expr.arguments) {
    arguments.push_back({argument.name, evaluate(*argument.value, scope)});
    if (failed)
      return {};
  }
  // What a layer's fn makes is the layer's.
  auto callIn = [&](const std::string &called, const Function &function,
                    std::shared_ptr<Scope> outer) {
    mlir::Location before = loc;
    std::string caller = layer;
    if (!called.empty())
      layer = called;
    loc = locationOf(expr.range);
    Datum result = callFunction(function, outer, arguments, expr.range);
    layer = caller;
    loc = before;
    return result;
  };
  switch (callee.kind) {
  case Datum::Kind::Module:
    if (path.empty())
      return error(expr.range, "a module is made as a member of a module or as "
                               "a model, not inside a function");
    return instantiate(*callee.module, arguments, expr.range, path, nullptr);
  case Datum::Kind::Function:
    return callIn(callee.text, *callee.function, callee.scope);
  case Datum::Kind::Instance:
    for (const Function &function : callee.instance->module->functions)
      if (function.name.empty())
        return callIn(callee.instance->path, function, callee.instance->scope);
    return error(expr.range, "`" + callee.instance->module->name +
                                 "` cannot be called: it has no fn");
  default:
    return error(expr.args[0]->range,
                 std::string(callee.kindName()) + " cannot be called");
  }
}

mlir::OwningOpRef<mlir::ModuleOp> Elaborator::run(const File &library,
                                                  const File &file,
                                                  const std::string &name) {
  module = mlir::ModuleOp::create(b.getUnknownLoc(), name);
  for (const char *word : {"causal", "zeros", "ones"}) {
    libraryGlobals->names[word] = Datum::ofString(word);
  }
  globals->parent = libraryGlobals;
  for (auto &[word, extent] : options.shape)
    shapes[word] = extent;
  declare(library, true);
  declare(file, false);
  bindParams(file);
  if (!failed && !diagnostics.any())
    makeModels(file);
  if (!failed && !diagnostics.any()) {
    if (file.models.empty())
      diagnostics.error(file.end, "the file declares no model")
          .withHelp("`model net = GPT2()` makes one");
    emitInit();
    for (const StepDecl &step : file.steps) {
      emitStep(step);
      failed = false; // errors of several steps are shown together
    }
  }
  // What was set must have been there to set.
  for (auto &[setting, text] : options.set)
    if (!usedSettings.count(setting) && !diagnostics.any()) {
      std::vector<std::string> names;
      for (auto &[hyperName, value] : hyper)
        names.push_back(hyperName);
      diagnostics.error({}, "there is no hyper-parameter `" + setting + "`")
          .withHelp(known(names));
    }
  for (auto &[dim, extent] : options.shape)
    if (!usedShapes.count(dim) && !diagnostics.any()) {
      std::vector<std::string> names;
      for (auto &[shapeName, value] : shapes)
        if (usedShapes.count(shapeName))
          names.push_back(shapeName);
      diagnostics.error({}, "there is no dimension `" + dim + "`")
          .withHelp(known(names));
    }
  if (diagnostics.any())
    return nullptr;
  llvm::SmallVector<mlir::NamedAttribute> hyperAttributes, shapeAttributes;
  for (auto &[key, value] : hyper) {
    mlir::Attribute attribute;
    if (value.isInt())
      attribute = b.getI64IntegerAttr(value.integer());
    else if (value.isNumber())
      attribute = b.getF64FloatAttr(value.number);
    else if (value.kind == Datum::Kind::Bool)
      attribute = b.getBoolAttr(value.number != 0);
    else if (value.kind == Datum::Kind::String)
      attribute = b.getStringAttr(value.text);
    else
      continue;
    hyperAttributes.push_back(b.getNamedAttr(key, attribute));
  }
  for (auto &[key, value] : shapes)
    shapeAttributes.push_back(b.getNamedAttr(key, b.getI64IntegerAttr(value)));
  (*module)->setAttr("tarn.hyper", b.getDictionaryAttr(hyperAttributes));
  (*module)->setAttr("tarn.shape", b.getDictionaryAttr(shapeAttributes));
  return std::move(module);
}
