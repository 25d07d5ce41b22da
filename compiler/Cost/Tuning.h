//===- Tuning.h - which candidate of each product is the fastest -*- C++
//-*-===//
//
// What `tarn bench --tune` writes and `--tune-file` reads.
// compiler/Cost/README.md has the format.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_COST_TUNING_H
#define COMPILER_COST_TUNING_H

#include "runtime/Status.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tarn {

/// A way to run a product, and how long it took.
struct TuningCandidate {
  /// Rows, columns and terms of a block of a kernel of Tarn's; zeros: cuBLASLt.
  std::array<int64_t, 3> block{};
  /// Of cuBLASLt: 128 hexadecimal digits, and the bytes that it works in.
  std::string algorithm;
  int64_t workspace = 0;
  double seconds = 0;

  bool isLibrary() const { return !algorithm.empty(); }
  /// "128 x 128 x 64", "cuBLASLt".
  std::string text() const;
};

/// The candidates of one product.
struct TunedProduct {
  std::string name, product; ///< for people
  std::vector<TuningCandidate> candidates;
  size_t best = 0;
};

/// What one device says.
struct Tuning {
  std::string model, architecture, device, date;
  int64_t driver = 0;
  int64_t library = 0; ///< version of cuBLASLt; 0: none was there
  /// By the hash of the tile program that the product has without tuning.
  std::map<std::string, TunedProduct> products;
};

/// The file's text.
std::string writeTuning(const Tuning &tuning);

/// Reads the text; errors begin with `origin` and the line.
rt::Result<Tuning> parseTuning(std::string_view text,
                               const std::string &origin);

/// Reads a file.
rt::Result<Tuning> readTuning(const std::string &path);

} // namespace tarn

#endif // COMPILER_COST_TUNING_H
