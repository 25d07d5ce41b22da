//===- Ast.h - the shape of a Tarn file -------------------------*- C++ -*-===//

#ifndef FRONTENDS_TARNLANGUAGE_AST_H
#define FRONTENDS_TARNLANGUAGE_AST_H

#include "frontends/TarnLanguage/Source.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tarn::lang {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;
struct Block;

/// An argument of a call: `NAME = VALUE` or `VALUE`.
struct Argument {
  std::string name;
  ExprPtr value;
  Range range;
};

/// A pattern of `rearrange`: one group of names per dim.
struct Pattern {
  std::vector<std::vector<std::string>> from, to;
};

/// A type: an element type ("" = as the precision says) and dims; `defaults`
/// are those of `B = 12`. No dims and no element: a compile-time value.
struct TypeExpr {
  std::string element;
  bool isTensor = false;
  std::vector<ExprPtr> dims;
  std::vector<ExprPtr> defaults;
  Range range;
};

struct Expr {
  enum class Kind {
    Number,
    String,
    Name,
    None,
    Bool,
    Unary,  ///< text is the operator
    Binary, ///< text is the operator
    Call,   ///< args[0] is what is called
    Member, ///< args[0] . text
    Index,  ///< args[0] [ slices ]
    List,   ///< [a, b]; or [args[0] for text in args[1]] when comprehension
    If,     ///< if args[0] { block } else { otherwise }
    Lambda, ///< (names) -> args[0]
    Repeat  ///< args[0] .. args[1]
  };
  Kind kind;
  Range range;
  std::string text;
  double number = 0;
  bool isInteger = false;
  std::vector<ExprPtr> args;
  std::vector<Argument> arguments;
  std::optional<Pattern> pattern;
  bool comprehension = false;
  std::vector<std::string> names;
  /// Of Index: per dim, single index or from:to (null = open).
  struct Slice {
    ExprPtr from, to;
    bool isRange = false;
  };
  std::vector<Slice> slices;
  std::unique_ptr<Block> block, otherwise;
};

/// `NAME: TYPE = DEFAULT`.
struct Parameter {
  std::string name;
  TypeExpr type;
  ExprPtr fallback;
  Range range;
};

struct Statement {
  enum class Kind {
    Let,    ///< let names = value
    Assign, ///< names[0] = value (rebinds; or a setting of a step)
    For,    ///< for names in value { block }
    Expr,   ///< value
    Metric, ///< metric names[0] = value
    Cache,  ///< cache names[0] = value
    Update, ///< update names[0] = value
    If      ///< value is an If expression used for its effects
  };
  Kind kind;
  Range range;
  std::vector<std::string> names;
  ExprPtr value;
  std::unique_ptr<Block> block;
  /// optimizer = VALUE except (patterns) NAME = VALUE ...
  struct Except {
    std::vector<ExprPtr> patterns;
    std::vector<Argument> settings;
    Range range;
  };
  std::vector<Except> excepts;
};

struct Block {
  std::vector<Statement> statements;
  Range range;
};

struct Function {
  std::string name; ///< "" = the module's own
  std::vector<Parameter> parameters;
  std::optional<TypeExpr> result;
  std::vector<ExprPtr> conditions; ///< where a <= b
  Block body;
  Range range;
};

/// A member of a module: a submodule or list (`NAME = EXPR`), a parameter
/// (`NAME: [dims] = INIT`), a constant (`const`) or a state (`state`).
struct Member {
  enum class Kind { Value, Parameter, Constant, State };
  Kind kind;
  std::string name;
  TypeExpr type;
  ExprPtr value;
  Range range;
};

struct Module {
  std::string name;
  std::vector<Parameter> parameters;
  std::vector<Member> members;
  std::vector<Function> functions;
  Range range;
};

/// model NAME = EXPR named "PREFIX" frozen
struct ModelDecl {
  std::string name;
  ExprPtr value;
  std::string prefix;
  bool frozen = false;
  Range range;
};

/// train, eval or generate.
struct StepDecl {
  std::string kind;
  Function function;
};

/// param NAME = VALUE: a hyper-parameter of the file.
struct ParamDecl {
  std::string name;
  ExprPtr value;
  Range range;
};

struct UseDecl {
  std::string library;
  std::vector<std::pair<std::string, Range>> names;
  Range range;
};

struct File {
  Range end; ///< its last character, for what is missing
  std::vector<UseDecl> uses;
  std::vector<ParamDecl> params;
  std::vector<Module> modules;
  std::vector<Function> functions;
  std::vector<ModelDecl> models;
  std::vector<StepDecl> steps;
};

/// Parses a file, reporting every syntax error it can.
File parse(const SourceFile &source, Diagnostics &diagnostics);

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_AST_H
