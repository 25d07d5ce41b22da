//===- Data.h - Tokens to train on -----------------------------*- C++ -*-===//
#ifndef TARN_RUNTIME_DATA_H
#define TARN_RUNTIME_DATA_H

#include "runtime/File.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tarn::rt {

/// How a data file is read. Auto: `.bin` as Tokens16, everything else as Text.
enum class DataFormat : uint8_t {
  Auto,
  Text,     ///< each byte is a token
  Tokens16, ///< unsigned 16-bit, little-endian
  Tokens32, ///< unsigned 32-bit, little-endian
};

struct DataOptions {
  DataFormat format = DataFormat::Auto;
  /// Tokens must be smaller; 0: not checked.
  int64_t vocabulary = 0;
  /// One part in this many, from the end, is held out; 0: nothing.
  uint64_t heldOutPart = 10;
};

/// Files of tokens, one after the other. Read where needed, never as a whole:
/// a set may be larger than memory.
class Dataset {
public:
  /// Opens the files. Up to 1 GiB is checked against the vocabulary now, the
  /// rest when it is read.
  static Result<Dataset> open(const std::vector<std::string> &paths,
                              const DataOptions &options = {});

  uint64_t tokens() const { return total; }
  /// Tokens before the held-out part.
  uint64_t trainTokens() const { return train; }
  uint64_t heldOutTokens() const { return total - train; }
  /// Names these data: sizes and samples of the files, hashed.
  const std::string &fingerprint() const { return print; }

  /// Reads tokens `start` to `start + count - 1`.
  Status read(uint64_t start, size_t count, int32_t *to) const;

  /// The random window of `count` tokens for row `row` of step `step`, from
  /// the training part: a function of its arguments alone.
  Status sample(uint64_t seed, uint64_t step, uint64_t row, size_t count,
                int32_t *to) const;

  /// Window `index` of `windows` of `count` tokens spread evenly over the
  /// held-out part (over everything if nothing is held out).
  Status heldOut(uint64_t index, uint64_t windows, size_t count,
                 int32_t *to) const;

  /// An error unless both parts have windows of `count` tokens.
  Status checkWindow(size_t count) const;

private:
  struct Part {
    InputFile file;
    unsigned width = 1; ///< bytes of a token
    uint64_t first = 0, tokens = 0;
  };
  Status readPart(const Part &part, uint64_t start, size_t count,
                  int32_t *to) const;
  Status checkAll() const;
  Status fingerprintAll();

  std::vector<Part> parts;
  uint64_t total = 0, train = 0;
  int64_t vocabulary = 0;
  std::string print;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_DATA_H
