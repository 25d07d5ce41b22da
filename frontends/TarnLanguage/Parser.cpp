//===- Parser.cpp - declarations and statements ---------------------------===//

#include "frontends/TarnLanguage/Parser.h"

#include "llvm/ADT/STLExtras.h"

using namespace tarn::lang;

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

File tarn::lang::parse(const SourceFile &source, Diagnostics &diagnostics) {
  return Parser(source, diagnostics).parseFile();
}
