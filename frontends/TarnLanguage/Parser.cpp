//===- Parser.cpp - from words to the shape of a file ---------------------===//
//
// Recursive descent with a bound on nesting. After an error it goes on at the
// next statement or declaration, so that one run shows several.
//
//===----------------------------------------------------------------------===//

#include "frontends/TarnLanguage/Ast.h"
#include "frontends/TarnLanguage/Lexer.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace tarn::lang;

namespace {

constexpr unsigned deepest = 200;

class Parser {
public:
  Parser(const SourceFile &source, Diagnostics &diagnostics)
      : diagnostics(diagnostics), tokens(lex(source, diagnostics)) {}
  File parseFile();

private:
  struct SyntaxError {};

  const Token &peek(unsigned ahead = 0) const {
    return tokens[std::min(at + ahead, tokens.size() - 1)];
  }
  Token next() {
    Token token = peek();
    if (at + 1 < tokens.size())
      ++at;
    return token;
  }
  bool accept(const char *symbol) {
    if (!peek().is(symbol))
      return false;
    next();
    return true;
  }
  bool acceptName(const char *word) {
    if (!peek().isName(word))
      return false;
    next();
    return true;
  }
  static std::string describe(const Token &token) {
    switch (token.kind) {
    case Token::Kind::End:
      return "the end of the file";
    case Token::Kind::Newline:
      return "the end of the line";
    default:
      return "`" + token.text + "`";
    }
  }
  void complain(const std::string &wanted) {
    if (!failed)
      diagnostics.error(peek().range,
                        "expected " + wanted + ", found " + describe(peek()));
    failed = true;
  }
  void expect(const char *symbol) {
    if (!failed && !accept(symbol))
      complain(std::string("`") + symbol + "`");
  }
  std::string expectName(const std::string &what) {
    if (failed || peek().kind != Token::Kind::Name) {
      complain(what);
      return "";
    }
    return next().text;
  }
  void skipNewlines() {
    while (peek().kind == Token::Kind::Newline)
      next();
  }
  void recover(bool inBlock);
  bool beginsDeclaration() const;
  void closeBlock();

  ExprPtr node(Expr::Kind kind, Range range) {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->range = range;
    return expr;
  }
  Range since(size_t first) const {
    return tokens[first].range.to(tokens[at ? at - 1 : 0].range);
  }

  void parseUse(File &file);
  void parseModule(File &file);
  Function parseFunction(bool named);
  void parseModel(File &file);
  void parseStep(File &file);
  std::vector<Parameter> parseParameters();
  TypeExpr parseType();
  Block parseBlock();
  void parseStatement(Block &block);
  ExprPtr parseExpr();
  ExprPtr parseBinary(unsigned level);
  ExprPtr parseUnary();
  ExprPtr parsePostfix();
  ExprPtr parsePrimary();
  ExprPtr parseIf();
  void parseArguments(Expr &call);
  Pattern parsePattern();
  bool looksLikeLambda() const;

  Diagnostics &diagnostics;
  std::vector<Token> tokens;
  size_t at = 0;
  unsigned depth = 0;
  bool failed = false;
  bool unclosed = false; ///< a block ended without its brace; said already
};

} // namespace

/// A declaration's word at the start of a line: whatever was open before it was
/// meant to be closed.
bool Parser::beginsDeclaration() const {
  const Token &token = peek();
  uint32_t begin = token.range.begin;
  if (token.kind != Token::Kind::Name ||
      (begin != 0 && token.range.file->text[begin - 1] != '\n'))
    return false;
  for (const char *word :
       {"use", "param", "module", "fn", "model", "train", "eval", "generate"})
    if (token.text == word)
      return true;
  return false;
}

/// The end of a block; one that was left open is reported once.
void Parser::closeBlock() {
  if (!beginsDeclaration())
    expect("}");
  else if (!unclosed)
    complain("`}`");
  unclosed = beginsDeclaration();
}

/// Skips to where a new statement or declaration can begin.
void Parser::recover(bool inBlock) {
  failed = false;
  unsigned braces = 0;
  for (size_t first = at; peek().kind != Token::Kind::End;) {
    if (at != first && beginsDeclaration()) {
      unclosed = inBlock;
      return;
    }
    if (peek().is("{"))
      ++braces;
    if (peek().is("}")) {
      if (braces == 0 && inBlock)
        return;
      if (braces)
        --braces;
    }
    bool newline = peek().kind == Token::Kind::Newline;
    next();
    if (newline && braces == 0)
      return;
  }
}

File Parser::parseFile() {
  File file;
  file.end = tokens.back().range;
  for (skipNewlines(); peek().kind != Token::Kind::End; skipNewlines()) {
    size_t first = at;
    if (peek().isName("use")) {
      parseUse(file);
    } else if (peek().isName("module")) {
      parseModule(file);
    } else if (peek().isName("fn")) {
      file.functions.push_back(parseFunction(true));
    } else if (peek().isName("model")) {
      parseModel(file);
    } else if (peek().isName("train") || peek().isName("eval") ||
               peek().isName("generate")) {
      parseStep(file);
    } else if (acceptName("param")) {
      ParamDecl param;
      param.name = expectName("the hyper-parameter's name");
      expect("=");
      param.value = parseExpr();
      param.range = since(first);
      file.params.push_back(std::move(param));
    } else {
      complain("use, param, module, fn, model, train, eval or generate");
    }
    if (failed && (at == first || !beginsDeclaration()))
      recover(false);
    failed = unclosed = false;
  }
  return file;
}

void Parser::parseUse(File &file) {
  size_t first = at;
  next();
  UseDecl use;
  use.library = expectName("the library's name");
  expect("(");
  while (!failed && !peek().is(")")) {
    Range range = peek().range;
    use.names.push_back({expectName("a name"), range});
    if (!accept(","))
      break;
  }
  expect(")");
  use.range = since(first);
  file.uses.push_back(std::move(use));
}

std::vector<Parameter> Parser::parseParameters() {
  std::vector<Parameter> parameters;
  expect("(");
  while (!failed && !peek().is(")")) {
    size_t first = at;
    Parameter parameter;
    parameter.name = expectName("a parameter's name");
    if (accept(":"))
      parameter.type = parseType();
    if (accept("="))
      parameter.fallback = parseExpr();
    parameter.range = since(first);
    parameters.push_back(std::move(parameter));
    if (!accept(","))
      break;
  }
  expect(")");
  return parameters;
}

/// `f32[B, T = 4]`, `[B, T]`, `i32`, `Cache?`.
TypeExpr Parser::parseType() {
  size_t first = at;
  TypeExpr type;
  if (peek().kind == Token::Kind::Name)
    type.element = next().text;
  if (accept("[")) {
    type.isTensor = true;
    while (!failed && !peek().is("]")) {
      type.dims.push_back(parseExpr());
      type.defaults.push_back(accept("=") ? parseExpr() : nullptr);
      if (!accept(","))
        break;
    }
    expect("]");
  }
  accept("?"); // optional: the fallback says so
  type.range = since(first);
  return type;
}

void Parser::parseModule(File &file) {
  size_t first = at;
  next();
  Module module;
  module.name = expectName("the module's name");
  module.parameters = parseParameters();
  module.range = since(first);
  expect("{");
  for (skipNewlines(); !failed && !peek().is("}") &&
                       peek().kind != Token::Kind::End && !beginsDeclaration();
       skipNewlines()) {
    size_t begin = at;
    if (peek().isName("fn")) {
      module.functions.push_back(parseFunction(false));
    } else {
      Member member;
      member.kind = Member::Kind::Value;
      if (acceptName("const"))
        member.kind = Member::Kind::Constant;
      else if (acceptName("state"))
        member.kind = Member::Kind::State;
      member.name = expectName("a member's name");
      if (accept(":")) {
        if (member.kind == Member::Kind::Value)
          member.kind = Member::Kind::Parameter;
        member.type = parseType();
      }
      if (!peek().is("="))
        complain(member.kind == Member::Kind::Parameter
                     ? "`=` and an initial value"
                     : "`=`");
      expect("=");
      member.value = parseExpr();
      member.range = since(begin);
      if (!failed && peek().kind != Token::Kind::Newline && !peek().is("}"))
        complain("the end of the line");
      if (!failed)
        module.members.push_back(std::move(member));
    }
    if (failed)
      recover(true);
  }
  closeBlock();
  file.modules.push_back(std::move(module));
}

Function Parser::parseFunction(bool named) {
  size_t first = at;
  next(); // fn
  Function function;
  if (peek().kind == Token::Kind::Name)
    function.name = next().text;
  else if (named)
    complain("the function's name");
  function.parameters = parseParameters();
  if (accept("->"))
    function.result = parseType();
  if (acceptName("where")) {
    do
      function.conditions.push_back(parseExpr());
    while (accept(","));
  }
  function.range = since(first);
  function.body = parseBlock();
  return function;
}

void Parser::parseModel(File &file) {
  size_t first = at;
  next();
  ModelDecl model;
  model.name = expectName("the model's name");
  expect("=");
  model.value = parseExpr();
  model.prefix = model.name;
  if (acceptName("named")) {
    if (peek().kind == Token::Kind::String)
      model.prefix = next().text;
    else
      complain("a string");
  }
  model.frozen = acceptName("frozen");
  model.range = since(first);
  file.models.push_back(std::move(model));
}

void Parser::parseStep(File &file) {
  size_t first = at;
  StepDecl step;
  step.kind = next().text;
  step.function.name = expectName("a name");
  step.function.parameters = parseParameters();
  step.function.range = since(first);
  step.function.body = parseBlock();
  file.steps.push_back(std::move(step));
}

Block Parser::parseBlock() {
  size_t first = at;
  Block block;
  expect("{");
  if (failed)
    return block;
  for (skipNewlines(); !peek().is("}") && peek().kind != Token::Kind::End &&
                       !beginsDeclaration();
       skipNewlines()) {
    parseStatement(block);
    if (!failed && peek().kind != Token::Kind::Newline && !peek().is("}"))
      complain("the end of the line");
    if (failed)
      recover(true);
  }
  closeBlock();
  block.range = since(first);
  return block;
}

void Parser::parseStatement(Block &block) {
  size_t first = at;
  Statement statement;
  auto names = [&] {
    do
      statement.names.push_back(expectName("a name"));
    while (accept(","));
  };
  if (acceptName("let")) {
    statement.kind = Statement::Kind::Let;
    names();
    expect("=");
    statement.value = parseExpr();
  } else if (acceptName("for")) {
    statement.kind = Statement::Kind::For;
    names();
    if (!acceptName("in"))
      complain("`in`");
    statement.value = parseExpr();
    statement.range = since(first);
    statement.block = std::make_unique<Block>(parseBlock());
  } else if (peek().isName("metric") || peek().isName("cache") ||
             peek().isName("update")) {
    std::string word = next().text;
    statement.kind = word == "metric"  ? Statement::Kind::Metric
                     : word == "cache" ? Statement::Kind::Cache
                                       : Statement::Kind::Update;
    names();
    expect("=");
    statement.value = parseExpr();
  } else if (peek().kind == Token::Kind::Name && peek(1).is("=")) {
    statement.kind = Statement::Kind::Assign;
    statement.names.push_back(next().text);
    next();
    statement.value = parseExpr();
    // except may stand on the next line
    size_t here = at;
    skipNewlines();
    if (!peek().isName("except"))
      at = here;
    while (!failed && peek().isName("except")) {
      Statement::Except except;
      size_t begin = at;
      next();
      expect("(");
      while (!failed && !peek().is(")")) {
        except.patterns.push_back(parseExpr());
        if (!accept(","))
          break;
      }
      expect(")");
      do {
        Argument setting;
        setting.range = peek().range;
        setting.name = expectName("a setting");
        expect("=");
        setting.value = parseExpr();
        except.settings.push_back(std::move(setting));
      } while (!failed && accept(","));
      except.range = since(begin);
      statement.excepts.push_back(std::move(except));
      here = at;
      skipNewlines();
      if (!peek().isName("except"))
        at = here;
    }
  } else {
    statement.kind = Statement::Kind::Expr;
    statement.value = parseExpr();
  }
  if (failed)
    return;
  if (statement.kind != Statement::Kind::For)
    statement.range = since(first);
  block.statements.push_back(std::move(statement));
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

ExprPtr Parser::parseExpr() {
  if (++depth > deepest) {
    if (!failed)
      diagnostics.error(peek().range, "this is nested too deeply");
    failed = true;
  }
  ExprPtr expr = failed ? node(Expr::Kind::None, peek().range) : parseBinary(0);
  --depth;
  return expr;
}

/// Operators from the loosest to the tightest.
static const std::vector<std::vector<const char *>> operatorLevels = {
    {"or"},          {"and"}, {"==", "!=", "<", "<=", ">", ">="},
    {".."},          {"++"},  {"+", "-"},
    {"*", "/", "@"}, {"**"}};

ExprPtr Parser::parseBinary(unsigned level) {
  if (level == operatorLevels.size())
    return parseUnary();
  size_t first = at;
  ExprPtr left = parseBinary(level + 1);
  while (!failed) {
    const Token &token = peek();
    bool match = llvm::any_of(operatorLevels[level], [&](const char *symbol) {
      return token.is(symbol) || token.isName(symbol);
    });
    if (!match)
      return left;
    std::string symbol = next().text;
    skipNewlines();
    ExprPtr both = node(
        symbol == ".." ? Expr::Kind::Repeat : Expr::Kind::Binary, token.range);
    both->text = symbol;
    both->args.push_back(std::move(left));
    both->args.push_back(parseBinary(level + 1));
    both->range = since(first);
    left = std::move(both);
  }
  return left;
}

ExprPtr Parser::parseUnary() {
  size_t first = at;
  if (peek().is("-") || peek().isName("not")) {
    ExprPtr expr = node(Expr::Kind::Unary, peek().range);
    expr->text = next().text;
    if (++depth > deepest) {
      diagnostics.error(peek().range, "this is nested too deeply");
      failed = true;
      return expr;
    }
    expr->args.push_back(parseUnary());
    --depth;
    expr->range = since(first);
    return expr;
  }
  return parsePostfix();
}

ExprPtr Parser::parsePostfix() {
  size_t first = at;
  ExprPtr expr = parsePrimary();
  while (!failed) {
    if (peek().is("(")) {
      ExprPtr call = node(Expr::Kind::Call, peek().range);
      call->args.push_back(std::move(expr));
      parseArguments(*call);
      call->range = since(first);
      expr = std::move(call);
    } else if (accept(".")) {
      ExprPtr member = node(Expr::Kind::Member, peek().range);
      member->args.push_back(std::move(expr));
      member->text = expectName("a member's name");
      member->range = since(first);
      expr = std::move(member);
    } else if (accept("[")) {
      ExprPtr index = node(Expr::Kind::Index, peek().range);
      index->args.push_back(std::move(expr));
      while (!failed && !peek().is("]")) {
        Expr::Slice slice;
        if (!peek().is(":"))
          slice.from = parseExpr();
        if (accept(":")) {
          slice.isRange = true;
          if (!peek().is(",") && !peek().is("]"))
            slice.to = parseExpr();
        }
        index->slices.push_back(std::move(slice));
        if (!accept(","))
          break;
      }
      expect("]");
      index->range = since(first);
      expr = std::move(index);
    } else {
      return expr;
    }
  }
  return expr;
}

/// Groups of names: `b t (n h d) -> n b h t d`.
Pattern Parser::parsePattern() {
  Pattern pattern;
  auto side = [&](std::vector<std::vector<std::string>> &groups) {
    while (!failed) {
      if (accept("(")) {
        groups.emplace_back();
        while (peek().kind == Token::Kind::Name)
          groups.back().push_back(next().text);
        expect(")");
      } else if (peek().kind == Token::Kind::Name) {
        groups.push_back({next().text});
      } else {
        return;
      }
    }
  };
  side(pattern.from);
  expect("->");
  side(pattern.to);
  return pattern;
}

void Parser::parseArguments(Expr &call) {
  bool rearrange = call.args[0]->kind == Expr::Kind::Name &&
                   call.args[0]->text == "rearrange";
  expect("(");
  while (!failed && !peek().is(")")) {
    size_t first = at;
    if (rearrange && call.arguments.size() == 1 && !call.pattern) {
      call.pattern = parsePattern();
    } else {
      Argument argument;
      if (peek().kind == Token::Kind::Name && peek(1).is("=")) {
        argument.name = next().text;
        next();
      }
      argument.value = parseExpr();
      argument.range = since(first);
      call.arguments.push_back(std::move(argument));
    }
    if (!accept(","))
      break;
  }
  expect(")");
}

/// `(a, b) ->` begins a lambda.
bool Parser::looksLikeLambda() const {
  size_t i = at + 1;
  while (i < tokens.size() &&
         (tokens[i].kind == Token::Kind::Name || tokens[i].is(",")))
    ++i;
  return i + 1 < tokens.size() && tokens[i].is(")") && tokens[i + 1].is("->");
}

ExprPtr Parser::parseIf() {
  size_t first = at;
  ExprPtr expr = node(Expr::Kind::If, peek().range);
  next(); // if
  expr->args.push_back(parseExpr());
  expr->block = std::make_unique<Block>(parseBlock());
  size_t here = at;
  skipNewlines();
  if (acceptName("else")) {
    if (peek().isName("if")) {
      Block block;
      Statement inner;
      inner.kind = Statement::Kind::Expr;
      inner.value = parseIf();
      inner.range = inner.value->range;
      block.statements.push_back(std::move(inner));
      expr->otherwise = std::make_unique<Block>(std::move(block));
    } else {
      expr->otherwise = std::make_unique<Block>(parseBlock());
    }
  } else {
    at = here;
  }
  expr->range = since(first);
  return expr;
}

ExprPtr Parser::parsePrimary() {
  size_t first = at;
  const Token token = peek();
  switch (token.kind) {
  case Token::Kind::Number: {
    ExprPtr expr = node(Expr::Kind::Number, token.range);
    expr->number = token.number;
    expr->isInteger = token.isInteger;
    next();
    return expr;
  }
  case Token::Kind::String: {
    ExprPtr expr = node(Expr::Kind::String, token.range);
    expr->text = token.text;
    next();
    return expr;
  }
  case Token::Kind::Name:
    if (token.text == "if")
      return parseIf();
    if (token.text == "none" || token.text == "true" || token.text == "false") {
      ExprPtr expr =
          node(token.text == "none" ? Expr::Kind::None : Expr::Kind::Bool,
               token.range);
      expr->number = token.text == "true";
      next();
      return expr;
    } else {
      ExprPtr expr = node(Expr::Kind::Name, token.range);
      expr->text = token.text;
      next();
      return expr;
    }
  case Token::Kind::Symbol:
    if (token.text == "(") {
      if (looksLikeLambda()) {
        ExprPtr expr = node(Expr::Kind::Lambda, token.range);
        next();
        while (!peek().is(")")) {
          expr->names.push_back(expectName("a name"));
          if (!accept(","))
            break;
        }
        expect(")");
        expect("->");
        expr->args.push_back(parseExpr());
        expr->range = since(first);
        return expr;
      }
      next();
      ExprPtr inner = parseExpr();
      if (peek().is(",")) {
        ExprPtr list = node(Expr::Kind::List, token.range);
        list->args.push_back(std::move(inner));
        while (accept(",") && !peek().is(")"))
          list->args.push_back(parseExpr());
        inner = std::move(list);
      }
      expect(")");
      inner->range = since(first);
      return inner;
    }
    if (token.text == "[") {
      ExprPtr list = node(Expr::Kind::List, token.range);
      next();
      while (!failed && !peek().is("]")) {
        list->args.push_back(parseExpr());
        if (list->args.size() == 1 && acceptName("for")) {
          list->comprehension = true;
          list->text = expectName("a name");
          if (!acceptName("in"))
            complain("`in`");
          list->args.push_back(parseExpr());
          break;
        }
        if (!accept(","))
          break;
      }
      expect("]");
      list->range = since(first);
      return list;
    }
    break;
  default:
    break;
  }
  complain("an expression");
  return node(Expr::Kind::None, token.range);
}

File tarn::lang::parse(const SourceFile &source, Diagnostics &diagnostics) {
  return Parser(source, diagnostics).parseFile();
}
