//===- Feed.h - Tokens into the inputs of a function -----------*- C++ -*-===//
#ifndef TARN_RUNTIME_FEED_H
#define TARN_RUNTIME_FEED_H

#include "runtime/Data.h"
#include "runtime/Manifest.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

/// Memory for the inputs and outputs of a function, and how rows of tokens
/// fill them: `tokens` [..., T] with T tokens of a window each, `targets` of
/// the same shape with the window moved on by one. Without `targets` a row of
/// `tokens` takes the whole window.
class Feed {
public:
  /// An error if the function has an input that tokens cannot fill.
  static Result<Feed> create(const Function &function);

  /// Rows of tokens in one run, over micro-batches too.
  uint64_t rows() const { return rowCount; }
  /// Tokens of a row that the loss sees.
  uint64_t length() const { return rowLength; }
  /// Tokens of the data that a row takes.
  size_t window() const { return rowLength + (targets >= 0 ? 1 : 0); }
  /// Puts a window into a row.
  void setRow(uint64_t row, const int32_t *window);

  const void *const *inputs() const { return inputPointers.data(); }
  void *const *outputs() const { return outputPointers.data(); }
  /// The bytes of input `i`, as they were in the last run.
  const std::vector<uint8_t> &input(size_t i) const { return inputBytes[i]; }

  /// Index of the output with this name or role, or -1.
  int output(std::string_view name) const;
  /// The first element of output `i` as a number.
  double scalar(size_t i) const;

private:
  const Function *function = nullptr;
  int tokens = -1, targets = -1;
  uint64_t rowCount = 0, rowLength = 0;
  std::vector<std::vector<uint8_t>> inputBytes, outputBytes;
  std::vector<const void *> inputPointers;
  std::vector<void *> outputPointers;
};

/// The first element at `data` as a number.
double readScalar(DType dtype, const void *data);

} // namespace tarn::rt

#endif // TARN_RUNTIME_FEED_H
