//===- Parser.h - from words to the shape of a file ------------*- C++ -*-===//
//
// Recursive descent with a bound on nesting. After an error it goes on at the
// next statement or declaration, so that one run shows several.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTENDS_TARNLANGUAGE_PARSER_H
#define FRONTENDS_TARNLANGUAGE_PARSER_H

#include "frontends/TarnLanguage/Ast.h"
#include "frontends/TarnLanguage/Lexer.h"

namespace tarn::lang {

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

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_PARSER_H
