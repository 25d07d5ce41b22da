//===- Config.h - a config.json, read field by field ------------*- C++ -*-===//
//
// The file is data from outside: every field is checked for its kind and its
// bounds. The first thing that is wrong becomes the one error, at its line and
// column; what is read after it gives its fallback.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTENDS_HUGGINGFACE_CONFIG_H
#define FRONTENDS_HUGGINGFACE_CONFIG_H

#include "frontends/TarnLanguage/Source.h"
#include "runtime/Json.h"

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace tarn::hf {

/// An object of the configuration: the file's own, or one inside it.
class Config {
public:
  Config(const lang::SourceFile &source, const rt::Json &object,
         lang::Diagnostics &diagnostics)
      : source(source), object(object), diagnostics(diagnostics) {}

  /// Whether anything was wrong.
  bool failed() const { return diagnostics.any(); }
  /// Whether the key is there, be it null.
  bool has(llvm::StringRef key) const;
  /// The value of a key; null is no value.
  const rt::Json *find(llvm::StringRef key) const;

  /// A whole number from `least` to `most`; without a fallback it must be
  /// there.
  int64_t size(llvm::StringRef key, std::optional<int64_t> fallback = {},
               int64_t most = int64_t(1) << 20, int64_t least = 1);
  /// A number from `least` to `most`.
  double number(llvm::StringRef key, std::optional<double> fallback = {},
                double least = 0, double most = 1e12);
  bool flag(llvm::StringRef key, bool fallback);
  std::string word(llvm::StringRef key, const std::string &fallback);
  /// The object under a key, if there is one.
  std::optional<Config> inner(llvm::StringRef key);

  /// A tensor of these extents must be of a size that a plan can count.
  void checkTensor(llvm::StringRef key, std::initializer_list<int64_t> extents);
  /// An error at a key's value, or at the object where it is missing.
  void error(llvm::StringRef key, const std::string &message,
             const std::string &help = "");
  /// An error at a value.
  void errorAt(const rt::Json &value, const std::string &message,
               const std::string &help = "");

private:
  const lang::SourceFile &source;
  const rt::Json &object;
  lang::Diagnostics &diagnostics;
};

/// A word of the file as messages may show it: short, without control
/// characters.
std::string shown(llvm::StringRef word);

} // namespace tarn::hf

#endif // FRONTENDS_HUGGINGFACE_CONFIG_H
