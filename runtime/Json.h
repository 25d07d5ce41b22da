//===- Json.h - A small strict JSON reader and writer ----------*- C++ -*-===//
//
// RFC 8259 and no more: no comments, no trailing commas, no duplicate keys,
// valid UTF-8, bounded nesting. Input may be hostile: time and memory are
// linear in its size.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_JSON_H
#define TARN_RUNTIME_JSON_H

#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tarn::rt {

/// A JSON value. Objects keep the order of their members.
class Json {
public:
  enum class Kind : uint8_t { Null, Bool, Int, Double, String, Array, Object };
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;
  Json(std::nullptr_t) {}
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  Json(T number) {
    if constexpr (std::is_same_v<T, bool>)
      value = number;
    else if constexpr (std::is_floating_point_v<T>)
      value = static_cast<double>(number);
    else
      value = static_cast<int64_t>(number);
  }
  Json(std::string text) : value(std::move(text)) {}
  Json(std::string_view text) : value(std::string(text)) {}
  Json(const char *text) : value(std::string(text)) {}
  Json(Array items) : value(std::move(items)) {}
  Json(Object members) : value(std::move(members)) {}

  /// An empty array (`Json{}` is null).
  static Json array() { return Json(Array{}); }
  /// An empty object.
  static Json object() { return Json(Object{}); }

  Kind kind() const { return static_cast<Kind>(value.index()); }
  /// The kind as a word for messages: "an object", "a string", ...
  const char *kindName() const;

  bool isNull() const { return kind() == Kind::Null; }
  bool isBool() const { return kind() == Kind::Bool; }
  bool isInt() const { return kind() == Kind::Int; }
  bool isNumber() const { return isInt() || kind() == Kind::Double; }
  bool isString() const { return kind() == Kind::String; }
  bool isArray() const { return kind() == Kind::Array; }
  bool isObject() const { return kind() == Kind::Object; }

  // The accessors below must only be called on a value of that kind.
  bool asBool() const { return *std::get_if<bool>(&value); }
  int64_t asInt() const { return *std::get_if<int64_t>(&value); }
  /// Any number as a double.
  double asDouble() const {
    return isInt() ? static_cast<double>(asInt())
                   : *std::get_if<double>(&value);
  }
  const std::string &asString() const {
    return *std::get_if<std::string>(&value);
  }
  const Array &asArray() const { return *std::get_if<Array>(&value); }
  Array &asArray() { return *std::get_if<Array>(&value); }
  const Object &asObject() const { return *std::get_if<Object>(&value); }
  Object &asObject() { return *std::get_if<Object>(&value); }

  /// The member `key` of an object; null when there is none or this is not an
  /// object.
  const Json *find(std::string_view key) const;
  /// Appends a member to an object (the caller keeps keys unique).
  void set(std::string key, Json member) {
    asObject().emplace_back(std::move(key), std::move(member));
  }
  /// Appends to an array.
  void push(Json item) { asArray().push_back(std::move(item)); }

  /// The text of this value, without spaces. A double that is not finite is
  /// written as null: JSON has no other way to say it.
  std::string dump() const;

  /// The byte at which this value began in the text it was read from.
  size_t offset() const { return begin; }
  void setOffset(size_t at) { begin = at; }

  /// Of values; where they were read does not count.
  bool operator==(const Json &other) const { return value == other.value; }
  bool operator!=(const Json &other) const { return !(*this == other); }

private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array,
               Object>
      value;
  size_t begin = 0;
};

/// Nesting deeper than this is an error.
constexpr unsigned jsonDepthLimit = 64;

/// Reads exactly one JSON value; errors name the byte, and put it into
/// `errorAt`.
Result<Json> parseJson(std::string_view text, size_t *errorAt = nullptr);

} // namespace tarn::rt

#endif // TARN_RUNTIME_JSON_H
