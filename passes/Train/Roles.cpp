//===- Roles.cpp - names and roles of a step's values ---------------------===//

#include "passes/Train/Roles.h"

using namespace mlir;
using namespace tarn;

static StringRef text(Attribute attribute) {
  auto string = dyn_cast_or_null<StringAttr>(attribute);
  return string ? string.getValue() : StringRef();
}

StringRef tarn::argumentRole(func::FuncOp function, unsigned index) {
  return text(function.getArgAttr(index, "tarn.role"));
}

StringRef tarn::argumentName(func::FuncOp function, unsigned index) {
  return text(function.getArgAttr(index, "tarn.name"));
}

StringRef tarn::resultRole(func::FuncOp function, unsigned index) {
  return text(function.getResultAttr(index, "tarn.role"));
}

StringRef tarn::resultName(func::FuncOp function, unsigned index) {
  return text(function.getResultAttr(index, "tarn.name"));
}

bool tarn::isStateRole(StringRef role) {
  return role == "parameter" || role == "optimizer" || role == "state" ||
         role == "cache" || role == "rng" || role == "accumulator";
}

bool tarn::isTrainable(func::FuncOp function, unsigned index) {
  auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[index]);
  return type && isa<FloatType>(type.getElementType()) &&
         argumentRole(function, index) == "parameter" &&
         !function.getArgAttr(index, "tarn.frozen");
}

std::optional<unsigned> tarn::findResult(func::FuncOp function, StringRef role,
                                         StringRef name) {
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i)
    if (resultRole(function, i) == role && resultName(function, i) == name)
      return i;
  return std::nullopt;
}

std::optional<unsigned> tarn::findArgument(func::FuncOp function,
                                           StringRef role, StringRef name) {
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
    if (argumentRole(function, i) == role && argumentName(function, i) == name)
      return i;
  return std::nullopt;
}

ArgumentIndex::ArgumentIndex(func::FuncOp function) {
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
    indices.insert({{argumentRole(function, i), argumentName(function, i)}, i});
}

ResultIndex::ResultIndex(func::FuncOp function) {
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i)
    indices.insert({{resultRole(function, i), resultName(function, i)}, i});
}

std::optional<unsigned> RoleIndex::find(StringRef role, StringRef name) const {
  auto found = indices.find({role, name});
  return found == indices.end() ? std::nullopt : std::optional(found->second);
}

static DictionaryAttr describe(MLIRContext *context, StringRef role,
                               StringRef name) {
  Builder builder(context);
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("tarn.name", builder.getStringAttr(name)),
       builder.getNamedAttr("tarn.role", builder.getStringAttr(role))});
}

unsigned tarn::addArguments(func::FuncOp function,
                            ArrayRef<NewArgument> arguments) {
  unsigned first = function.getNumArguments();
  MLIRContext *context = function.getContext();
  SmallVector<unsigned> places(arguments.size(), first);
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> words;
  SmallVector<Location> locations;
  for (const NewArgument &argument : arguments) {
    types.push_back(argument.type);
    words.push_back(describe(context, argument.role, argument.name));
    locations.push_back(NameLoc::get(StringAttr::get(context, argument.name),
                                     function.getLoc()));
  }
  (void)function.insertArguments(places, types, words, locations);
  return first;
}

Value tarn::addArgument(func::FuncOp function, StringRef role, StringRef name,
                        Type type) {
  return function.getArgument(
      addArguments(function, {{role.str(), name.str(), type}}));
}

void tarn::addResults(func::FuncOp function, ArrayRef<NewResult> results) {
  SmallVector<unsigned> places(results.size(), function.getNumResults());
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> words;
  SmallVector<Value> values;
  for (const NewResult &result : results) {
    types.push_back(result.value.getType());
    words.push_back(describe(function.getContext(), result.role, result.name));
    values.push_back(result.value);
  }
  (void)function.insertResults(places, types, words);
  returnOf(function).getOperandsMutable().append(values);
}

void tarn::addResult(func::FuncOp function, StringRef role, StringRef name,
                     Value value) {
  addResults(function, {{role.str(), name.str(), value}});
}

func::ReturnOp tarn::returnOf(func::FuncOp function) {
  return cast<func::ReturnOp>(function.getBody().back().getTerminator());
}
