//===- Targets.h - what `--target` names ------------------------*- C++ -*-===//

#ifndef COMPILER_TARGET_TARGETS_H
#define COMPILER_TARGET_TARGETS_H

#include <cstdint>
#include <string>
#include <vector>

namespace tarn {

/// What code is made for.
struct Target {
  enum class Kind { cpu, cuda };
  Kind kind = Kind::cpu;
  /// The CPU's instruction-set level, or the GPU's architecture: "x86-64-v3",
  /// "sm_90a".
  std::string isa;
  /// The device that times are estimated for: a name of compiler/Cost, a
  /// target that only one device has, or a file.
  std::string device;
  /// Bytes that a device named on the command line leaves to a program; -1
  /// where none was named.
  int64_t memoryBytes = -1;

  /// "cpu:x86-64-v3", "cuda:sm_90a".
  std::string name() const;
};

/// Turns the words of `--target` into targets, each once, in order: `auto` and
/// `cpu` are the best level of this machine, `cpu:LEVEL` is that level,
/// `cuda:ARCHITECTURE` a kind of GPU, and a device's name (`h100`) or file the
/// kind that it is, a GPU's with its memory. Returns false with `error` (and a
/// way out in `help`) for a word that names none.
bool resolveTargets(const std::vector<std::string> &words,
                    std::vector<Target> &targets, std::string &error,
                    std::string &help);

} // namespace tarn

#endif // COMPILER_TARGET_TARGETS_H
