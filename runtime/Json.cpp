//===- Json.cpp - A small strict JSON reader and writer -------------------===//

#include "runtime/Json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace tarn::rt;

const char *Json::kindName() const {
  switch (kind()) {
  case Kind::Null:
    return "null";
  case Kind::Bool:
    return "a boolean";
  case Kind::Int:
    return "an integer";
  case Kind::Double:
    return "a number";
  case Kind::String:
    return "a string";
  case Kind::Array:
    return "an array";
  case Kind::Object:
    return "an object";
  }
  return "?";
}

const Json *Json::find(std::string_view key) const {
  if (!isObject())
    return nullptr;
  for (const Member &member : asObject())
    if (member.first == key)
      return &member.second;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Reader
//===----------------------------------------------------------------------===//

namespace {

/// The length of the valid UTF-8 sequence at `at`, or 0.
size_t utf8Length(std::string_view text, size_t at) {
  auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  unsigned b = byte(at);
  if (b < 0x80)
    return 1;
  if (b >= 0xC2 && b <= 0xDF)
    return tail(at + 1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    if (!tail(at + 1) || !tail(at + 2))
      return 0;
    if (b == 0xE0 && byte(at + 1) < 0xA0)
      return 0; // overlong
    if (b == 0xED && byte(at + 1) > 0x9F)
      return 0; // surrogate
    return 3;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    if (!tail(at + 1) || !tail(at + 2) || !tail(at + 3))
      return 0;
    if (b == 0xF0 && byte(at + 1) < 0x90)
      return 0; // overlong
    if (b == 0xF4 && byte(at + 1) > 0x8F)
      return 0; // past U+10FFFF
    return 4;
  }
  return 0;
}

void appendUtf8(std::string &out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

/// Recursive descent; the first error wins and stops everything.
class Reader {
public:
  explicit Reader(std::string_view text) : text(text) {}

  Result<Json> run(size_t *place) {
    Json value;
    skipSpace();
    if (parseValue(value, 0)) {
      skipSpace();
      if (at != text.size())
        fail("there is text after the value");
    }
    if (!error.empty() && place)
      *place = errorAt;
    if (!error.empty())
      return Status(Code::Invalid,
                    "JSON, byte " + std::to_string(errorAt) + ": " + error);
    return value;
  }

private:
  bool fail(std::string message) {
    if (error.empty()) {
      error = std::move(message);
      errorAt = at;
    }
    return false;
  }

  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' ||
                                text[at] == '\r' || text[at] == '\t'))
      ++at;
  }

  bool eat(char c) {
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }

  bool parseWord(std::string_view word, Json value, Json &out) {
    if (text.substr(at, word.size()) != word)
      return fail("expected a value");
    at += word.size();
    out = std::move(value);
    return true;
  }

  bool parseValue(Json &out, unsigned depth) {
    size_t begin = at;
    bool good = parseAny(out, depth);
    out.setOffset(begin);
    return good;
  }

  bool parseAny(Json &out, unsigned depth) {
    if (depth > jsonDepthLimit)
      return fail("nested deeper than " + std::to_string(jsonDepthLimit));
    if (at >= text.size())
      return fail("the text ends where a value should be");
    switch (text[at]) {
    case '{':
      return parseObject(out, depth);
    case '[':
      return parseArray(out, depth);
    case '"': {
      std::string s;
      if (!parseString(s))
        return false;
      out = Json(std::move(s));
      return true;
    }
    case 't':
      return parseWord("true", Json(true), out);
    case 'f':
      return parseWord("false", Json(false), out);
    case 'n':
      return parseWord("null", Json(), out);
    default:
      return parseNumber(out);
    }
  }

  bool parseArray(Json &out, unsigned depth) {
    ++at;
    Json::Array items;
    skipSpace();
    if (!eat(']')) {
      do {
        skipSpace();
        items.emplace_back();
        if (!parseValue(items.back(), depth + 1))
          return false;
        skipSpace();
      } while (eat(','));
      if (!eat(']'))
        return fail("expected `,` or `]`");
    }
    out = Json(std::move(items));
    return true;
  }

  bool parseObject(Json &out, unsigned depth) {
    ++at;
    Json::Object members;
    skipSpace();
    if (!eat('}')) {
      do {
        skipSpace();
        members.emplace_back();
        if (!parseString(members.back().first))
          return false;
        skipSpace();
        if (!eat(':'))
          return fail("expected `:`");
        skipSpace();
        if (!parseValue(members.back().second, depth + 1))
          return false;
        skipSpace();
      } while (eat(','));
      if (!eat('}'))
        return fail("expected `,` or `}`");
      if (!checkUnique(members))
        return false;
    }
    out = Json(std::move(members));
    return true;
  }

  bool checkUnique(const Json::Object &members) {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const Json::Member &member : members)
      keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end())
      return true;
    return fail("the key `" + std::string(twice->substr(0, 100)) +
                "` occurs twice in one object");
  }

  bool parseHex4(uint32_t &out) {
    out = 0;
    for (int i = 0; i < 4; ++i, ++at) {
      char c = at < text.size() ? text[at] : '\0';
      uint32_t digit;
      if (c >= '0' && c <= '9')
        digit = c - '0';
      else if (c >= 'a' && c <= 'f')
        digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F')
        digit = c - 'A' + 10;
      else
        return fail("expected four hexadecimal digits after `\\u`");
      out = out << 4 | digit;
    }
    return true;
  }

  bool parseEscape(std::string &out) {
    char c = at < text.size() ? text[at] : '\0';
    ++at;
    switch (c) {
    case '"':
    case '\\':
    case '/':
      out += c;
      return true;
    case 'b':
      out += '\b';
      return true;
    case 'f':
      out += '\f';
      return true;
    case 'n':
      out += '\n';
      return true;
    case 'r':
      out += '\r';
      return true;
    case 't':
      out += '\t';
      return true;
    case 'u': {
      uint32_t point;
      if (!parseHex4(point))
        return false;
      if (point >= 0xDC00 && point <= 0xDFFF)
        return fail("a low surrogate stands alone");
      if (point >= 0xD800 && point <= 0xDBFF) {
        uint32_t low;
        if (!eat('\\') || !eat('u'))
          return fail("a high surrogate stands alone");
        if (!parseHex4(low))
          return false;
        if (low < 0xDC00 || low > 0xDFFF)
          return fail("a high surrogate stands alone");
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      }
      appendUtf8(out, point);
      return true;
    }
    default:
      --at;
      return fail("unknown escape in a string");
    }
  }

  bool parseString(std::string &out) {
    if (!eat('"'))
      return fail("expected a string");
    while (at < text.size()) {
      unsigned char c = static_cast<unsigned char>(text[at]);
      if (c == '"') {
        ++at;
        return true;
      }
      if (c == '\\') {
        ++at;
        if (!parseEscape(out))
          return false;
        continue;
      }
      if (c < 0x20)
        return fail("a control character in a string");
      size_t length = utf8Length(text, at);
      if (!length)
        return fail("a string is not valid UTF-8");
      out.append(text.substr(at, length));
      at += length;
    }
    return fail("a string does not end");
  }

  bool digits() {
    size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9')
      ++at;
    return at > begin;
  }

  bool parseNumber(Json &out) {
    size_t begin = at;
    eat('-');
    if (at < text.size() && text[at] == '0')
      ++at;
    else if (!digits()) {
      at = begin;
      return fail("expected a value");
    }
    bool integral = true;
    if (eat('.')) {
      integral = false;
      if (!digits())
        return fail("expected a digit after the point");
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
      integral = false;
      ++at;
      if (!eat('+'))
        eat('-');
      if (!digits())
        return fail("expected a digit in the exponent");
    }
    const char *first = text.data() + begin, *last = text.data() + at;
    if (integral) {
      int64_t integer;
      if (std::from_chars(first, last, integer).ec == std::errc()) {
        out = Json(integer);
        return true;
      }
    }
    double number = 0;
#if defined(__cpp_lib_to_chars)
    if (std::from_chars(first, last, number).ec != std::errc())
      return fail("the number does not fit a double");
#else
    number = std::strtod(std::string(first, last).c_str(), nullptr);
    if (!std::isfinite(number))
      return fail("the number does not fit a double");
#endif
    out = Json(number);
    return true;
  }

  std::string_view text;
  size_t at = 0;
  std::string error;
  size_t errorAt = 0;
};

//===----------------------------------------------------------------------===//
// Writer
//===----------------------------------------------------------------------===//

void writeString(std::string &out, std::string_view s) {
  out += '"';
  for (char c : s) {
    switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\r':
      out += "\\r";
      break;
    default:
      if (static_cast<unsigned char>(c) < 0x20) {
        char buffer[8];
        std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
        out += buffer;
      } else {
        out += c;
      }
    }
  }
  out += '"';
}

void writeDouble(std::string &out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char buffer[40];
#if defined(__cpp_lib_to_chars)
  auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  std::string_view text(buffer, end - buffer);
#else
  std::snprintf(buffer, sizeof buffer, "%.17g", number);
  std::string_view text(buffer);
#endif
  out += text;
  // Keep a double a double when it is read back.
  if (text.find_first_of(".e") == std::string_view::npos)
    out += ".0";
}

void write(std::string &out, const Json &value) {
  switch (value.kind()) {
  case Json::Kind::Null:
    out += "null";
    break;
  case Json::Kind::Bool:
    out += value.asBool() ? "true" : "false";
    break;
  case Json::Kind::Int:
    out += std::to_string(value.asInt());
    break;
  case Json::Kind::Double:
    writeDouble(out, value.asDouble());
    break;
  case Json::Kind::String:
    writeString(out, value.asString());
    break;
  case Json::Kind::Array: {
    out += '[';
    bool first = true;
    for (const Json &item : value.asArray()) {
      if (!first)
        out += ',';
      first = false;
      write(out, item);
    }
    out += ']';
    break;
  }
  case Json::Kind::Object: {
    out += '{';
    bool first = true;
    for (const Json::Member &member : value.asObject()) {
      if (!first)
        out += ',';
      first = false;
      writeString(out, member.first);
      out += ':';
      write(out, member.second);
    }
    out += '}';
    break;
  }
  }
}

} // namespace

std::string Json::dump() const {
  std::string out;
  write(out, *this);
  return out;
}

Result<Json> tarn::rt::parseJson(std::string_view text, size_t *errorAt) {
  return Reader(text).run(errorAt);
}
