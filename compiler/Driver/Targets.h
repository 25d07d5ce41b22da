//===- Targets.h - `--target` as a list of instruction sets -----*- C++ -*-===//

#ifndef COMPILER_DRIVER_TARGETS_H
#define COMPILER_DRIVER_TARGETS_H

#include <string>
#include <vector>

namespace tarn {

/// Turns the words of `--target` into CPU instruction-set names, each once, in
/// order: `auto` and `cpu` are the best level of this machine, `cpu:LEVEL` is
/// that level. Returns false with `error` (and a way out in `help`) for a word
/// that names no target.
bool resolveTargets(const std::vector<std::string> &words,
                    std::vector<std::string> &levels, std::string &error,
                    std::string &help);

} // namespace tarn

#endif // COMPILER_DRIVER_TARGETS_H
