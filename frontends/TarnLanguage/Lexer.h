//===- Lexer.h - words of a Tarn file ---------------------------*- C++ -*-===//

#ifndef FRONTENDS_TARNLANGUAGE_LEXER_H
#define FRONTENDS_TARNLANGUAGE_LEXER_H

#include "frontends/TarnLanguage/Source.h"

namespace tarn::lang {

struct Token {
  enum class Kind { End, Newline, Name, Number, String, Symbol };
  Kind kind = Kind::End;
  Range range;
  /// The name, the symbol, or the contents of a string.
  std::string text;
  double number = 0;
  bool isInteger = false;

  bool is(const char *symbol) const {
    return kind == Kind::Symbol && text == symbol;
  }
  bool isName(const char *word) const {
    return kind == Kind::Name && text == word;
  }
};

/// All tokens of a file, ending with End. A newline is a token only where a
/// statement may end: not inside parentheses or brackets.
std::vector<Token> lex(const SourceFile &source, Diagnostics &diagnostics);

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_LEXER_H
