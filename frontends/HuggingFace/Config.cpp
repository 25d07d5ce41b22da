//===- Config.cpp - a config.json, read field by field --------------------===//

#include "frontends/HuggingFace/Config.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace tarn;
using namespace tarn::hf;

std::string hf::shown(llvm::StringRef word) {
  std::string text;
  for (char c : word.take_front(60))
    text += llvm::isPrint(c) || (c & 0x80) ? c : '?';
  return text + (word.size() > 60 ? "..." : "");
}

bool Config::has(llvm::StringRef key) const {
  return object.find({key.data(), key.size()}) != nullptr;
}

const rt::Json *Config::find(llvm::StringRef key) const {
  const rt::Json *value = object.find({key.data(), key.size()});
  return value && !value->isNull() ? value : nullptr;
}

void Config::errorAt(const rt::Json &value, const std::string &message,
                     const std::string &help) {
  if (failed())
    return;
  // Carets below the value, up to where the line or the value ends.
  llvm::StringRef rest =
      llvm::StringRef(source.text)
          .drop_front(std::min(value.offset(), source.text.size()));
  size_t length = 1;
  if (value.isString())
    length = rest.find('"', 1) + 1;
  else if (!value.isObject() && !value.isArray())
    length = rest.find_first_of(",}] \t\r\n");
  uint32_t begin = value.offset();
  diagnostics
      .error({&source, begin,
              uint32_t(begin + std::clamp<size_t>(length, 1, rest.size()))},
             message)
      .withHelp(help);
}

void Config::error(llvm::StringRef key, const std::string &message,
                   const std::string &help) {
  const rt::Json *value = object.find({key.data(), key.size()});
  errorAt(value ? *value : object, message, help);
}

/// `an integer`, but for numbers the number.
static std::string described(const rt::Json &value) {
  return value.isNumber() || value.isBool() ? shown(value.dump())
                                            : value.kindName();
}

int64_t Config::size(llvm::StringRef key, std::optional<int64_t> fallback,
                     int64_t most, int64_t least) {
  const rt::Json *value = find(key);
  std::string name = "`" + key.str() + "`";
  if (!value) {
    if (!fallback)
      error(key, name + " is missing");
    return fallback.value_or(least);
  }
  std::string bounds = "a whole number from " + std::to_string(least) + " to " +
                       std::to_string(most);
  if (!value->isInt() || value->asInt() < least || value->asInt() > most) {
    errorAt(*value, name + " is " + bounds + ", not " + described(*value));
    return fallback.value_or(least);
  }
  return value->asInt();
}

double Config::number(llvm::StringRef key, std::optional<double> fallback,
                      double least, double most) {
  const rt::Json *value = find(key);
  std::string name = "`" + key.str() + "`";
  if (!value) {
    if (!fallback)
      error(key, name + " is missing");
    return fallback.value_or(least);
  }
  if (!value->isNumber() || !(value->asDouble() >= least) ||
      !(value->asDouble() <= most)) {
    errorAt(*value, name + " is a number from " + rt::Json(least).dump() +
                        " to " + rt::Json(most).dump() + ", not " +
                        described(*value));
    return fallback.value_or(least);
  }
  return value->asDouble();
}

bool Config::flag(llvm::StringRef key, bool fallback) {
  const rt::Json *value = find(key);
  if (!value)
    return fallback;
  if (!value->isBool()) {
    errorAt(*value,
            "`" + key.str() + "` is true or false, not " + described(*value));
    return fallback;
  }
  return value->asBool();
}

std::string Config::word(llvm::StringRef key, const std::string &fallback) {
  const rt::Json *value = find(key);
  if (!value)
    return fallback;
  if (!value->isString()) {
    errorAt(*value,
            "`" + key.str() + "` is a string, not " + described(*value));
    return fallback;
  }
  return value->asString();
}

std::optional<Config> Config::inner(llvm::StringRef key) {
  const rt::Json *value = find(key);
  if (!value)
    return std::nullopt;
  if (!value->isObject()) {
    errorAt(*value,
            "`" + key.str() + "` is an object, not " + described(*value));
    return std::nullopt;
  }
  return Config(source, *value, diagnostics);
}

void Config::checkTensor(llvm::StringRef key,
                         std::initializer_list<int64_t> extents) {
  int64_t elements = 1;
  for (int64_t extent : extents)
    if (llvm::MulOverflow(elements, extent, elements) ||
        elements > (int64_t(1) << 40)) {
      error(key, "with this `" + key.str() +
                     "` a parameter has more than 2^40 elements");
      return;
    }
}
