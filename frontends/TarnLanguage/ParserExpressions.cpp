//===- ParserExpressions.cpp - expressions --------------------------------===//

#include "frontends/TarnLanguage/Parser.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace tarn::lang;

/// Expressions inside of each other, before it is an error.
constexpr unsigned deepest = 200;

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
