//===- Datum.h - values of the language -------------------------*- C++ -*-===//

#ifndef FRONTENDS_TARNLANGUAGE_DATUM_H
#define FRONTENDS_TARNLANGUAGE_DATUM_H

#include "frontends/TarnLanguage/Ast.h"

#include "mlir/IR/Value.h"

#include <map>
#include <memory>

namespace tarn::lang {

struct Instance;
struct Scope;

/// What an expression evaluates to: a compile-time value, or a tensor of the
/// graph that is being built.
struct Datum {
  enum class Kind {
    None,
    Bool,
    Int,
    Float,
    String,
    Tensor,      ///< tensor
    List,        ///< list
    Instance,    ///< a module with its parameters
    Module,      ///< a module's declaration
    Function,    ///< a function's declaration (and its instance)
    Builtin,     ///< text
    Lambda,      ///< closure
    Parameter,   ///< number: its index
    Initializer, ///< text, fields
    Record,      ///< an optimizer or schedule: text, fields
    Cache        ///< a key-value cache: number is its index
  };
  Kind kind = Kind::None;
  double number = 0;
  std::string text;
  mlir::Value tensor;
  std::shared_ptr<std::vector<Datum>> list;
  std::shared_ptr<Instance> instance;
  const Module *module = nullptr;
  const Function *function = nullptr;
  const Expr *lambda = nullptr;
  std::shared_ptr<Scope> scope;
  std::shared_ptr<std::map<std::string, Datum>> fields;

  static Datum ofInt(int64_t value) {
    Datum d;
    d.kind = Kind::Int;
    d.number = double(value);
    return d;
  }
  static Datum ofFloat(double value) {
    Datum d;
    d.kind = Kind::Float;
    d.number = value;
    return d;
  }
  static Datum ofBool(bool value) {
    Datum d;
    d.kind = Kind::Bool;
    d.number = value;
    return d;
  }
  static Datum ofString(std::string text) {
    Datum d;
    d.kind = Kind::String;
    d.text = std::move(text);
    return d;
  }
  static Datum ofTensor(mlir::Value value) {
    Datum d;
    d.kind = Kind::Tensor;
    d.tensor = value;
    return d;
  }
  static Datum ofList(std::vector<Datum> items) {
    Datum d;
    d.kind = Kind::List;
    d.list = std::make_shared<std::vector<Datum>>(std::move(items));
    return d;
  }

  bool isNone() const { return kind == Kind::None; }
  bool isInt() const { return kind == Kind::Int; }
  bool isNumber() const { return kind == Kind::Int || kind == Kind::Float; }
  bool isTensor() const { return kind == Kind::Tensor; }
  bool isList() const { return kind == Kind::List; }
  int64_t integer() const { return int64_t(number); }
  /// `a number`, `a list`, ...: for messages.
  const char *kindName() const;
};

/// Names and what they stand for; `origin` is where a dimension got its value.
struct Scope {
  std::map<std::string, Datum> names;
  std::map<std::string, Range> origin;
  std::shared_ptr<Scope> parent;

  const Datum *find(const std::string &name) const {
    for (const Scope *scope = this; scope; scope = scope->parent.get())
      if (auto found = scope->names.find(name); found != scope->names.end())
        return &found->second;
    return nullptr;
  }
  Scope *holder(const std::string &name) {
    for (Scope *scope = this; scope; scope = scope->parent.get())
      if (scope->names.count(name))
        return scope;
    return nullptr;
  }
};

/// A module with its hyper-parameters bound and its members made.
struct Instance {
  const Module *module = nullptr;
  std::string path;
  std::shared_ptr<Scope> scope; ///< hyper-parameters and members
};

/// A parameter of the model.
struct ModelParameter {
  std::string path;
  std::vector<int64_t> shape;
  Datum initializer;
  bool frozen = false;
  /// Training changes it by `update`, not by a gradient.
  bool state = false;
  /// Of a frozen model: not even that.
  bool fixed = false;
  Range range;
};

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_DATUM_H
