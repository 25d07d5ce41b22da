//===- Lexer.cpp - words of a Tarn file -----------------------------------===//

#include "frontends/TarnLanguage/Lexer.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace tarn::lang;

std::vector<Token> tarn::lang::lex(const SourceFile &source,
                                   Diagnostics &diagnostics) {
  std::vector<Token> tokens;
  llvm::StringRef text = source.text;
  size_t at = 0;
  // Open parentheses and brackets; a brace inside them lets newlines count
  // again.
  std::string open;
  auto add = [&](Token::Kind kind, size_t begin, size_t end) -> Token & {
    Token token;
    token.kind = kind;
    token.range = {&source, uint32_t(begin), uint32_t(end)};
    token.text = text.slice(begin, end).str();
    tokens.push_back(token);
    return tokens.back();
  };
  while (at < text.size()) {
    char c = text[at];
    if (c == '\n') {
      if (open.empty() || open.back() == '{')
        if (!tokens.empty() && tokens.back().kind != Token::Kind::Newline)
          add(Token::Kind::Newline, at, at + 1);
      ++at;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at;
    } else if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
    } else if (llvm::isAlpha(c) || c == '_') {
      size_t end = at;
      while (end < text.size() &&
             (llvm::isAlnum(text[end]) || text[end] == '_'))
        ++end;
      add(Token::Kind::Name, at, end);
      at = end;
    } else if (llvm::isDigit(c)) {
      size_t end = at;
      bool integer = true;
      while (end < text.size()) {
        char d = text[end];
        if (llvm::isDigit(d) || d == '_') {
          ++end;
        } else if (d == '.' && end + 1 < text.size() &&
                   llvm::isDigit(text[end + 1])) {
          integer = false;
          ++end;
        } else if ((d == 'e' || d == 'E') && end + 1 < text.size() &&
                   (llvm::isDigit(text[end + 1]) ||
                    ((text[end + 1] == '-' || text[end + 1] == '+') &&
                     end + 2 < text.size() && llvm::isDigit(text[end + 2])))) {
          integer = false;
          end += 2;
        } else {
          break;
        }
      }
      Token &token = add(Token::Kind::Number, at, end);
      std::string digits;
      for (char d : token.text)
        if (d != '_')
          digits += d;
      token.number = std::strtod(digits.c_str(), nullptr);
      token.isInteger = integer && token.number < mostWhole;
      at = end;
    } else if (c == '"') {
      size_t end = text.find_first_of("\"\n", at + 1);
      if (end == llvm::StringRef::npos || text[end] == '\n') {
        diagnostics.error({&source, uint32_t(at), uint32_t(at + 1)},
                          "this string has no end");
        end = std::min(end, text.size());
        add(Token::Kind::String, at, end).text = text.slice(at + 1, end).str();
        at = end;
      } else {
        add(Token::Kind::String, at, end + 1).text =
            text.slice(at + 1, end).str();
        at = end + 1;
      }
    } else {
      static const char *const symbols[] = {
          "->", "==", "!=", "<=", ">=", "..", "**", "++"};
      size_t length = 1;
      for (const char *symbol : symbols)
        if (text.substr(at).starts_with(symbol))
          length = 2;
      if (llvm::StringRef("()[]{},:=+-*/@<>.?").find(c) ==
              llvm::StringRef::npos &&
          length == 1) {
        diagnostics.error({&source, uint32_t(at), uint32_t(at + 1)},
                          llvm::isPrint(c)
                              ? std::string("`") + c + "` has no meaning here"
                              : "this character has no meaning here");
        ++at;
        continue;
      }
      if (length == 1 && (c == '(' || c == '[' || c == '{'))
        open += c;
      if (length == 1 && (c == ')' || c == ']' || c == '}') && !open.empty())
        open.pop_back();
      add(Token::Kind::Symbol, at, at + length);
      at += length;
    }
  }
  add(Token::Kind::Newline, text.size(), text.size());
  add(Token::Kind::End, text.size(), text.size());
  return tokens;
}
