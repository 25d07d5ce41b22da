//===- KernelTimes.h - measured times of kernels ----------------*- C++ -*-===//
//
// What `tarn bench --times` writes and `--times` reads.
// compiler/Cost/README.md has the format.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_COST_KERNELTIMES_H
#define COMPILER_COST_KERNELTIMES_H

#include "runtime/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tarn {

/// One kernel's time.
struct KernelTime {
  /// For people; the key is the hash of the tile program.
  std::string name;
  /// Of one launch.
  double seconds = 0;
  uint64_t launches = 0;
};

/// Times from one run on one device.
struct KernelTimes {
  /// The model they were taken from, for messages.
  std::string model;
  std::string device, target;
  int64_t threads = 0;
  /// By hash of the tile program.
  std::map<std::string, KernelTime> kernels;
};

/// The file's text.
std::string writeKernelTimes(const KernelTimes &times);

/// Reads the text; errors begin with `origin`.
rt::Result<KernelTimes> parseKernelTimes(std::string_view text,
                                         const std::string &origin);

/// Reads a file.
rt::Result<KernelTimes> readKernelTimes(const std::string &path);

} // namespace tarn

#endif // COMPILER_COST_KERNELTIMES_H
