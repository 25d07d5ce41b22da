//===- Case.h - a recorded kernel, its inputs and results -------*- C++ -*-===//
//
// A folder with kernel.cu, launch.txt (how it is launched), inputN.bin (bytes
// of the buffers that are read) and expectedN.bin (doubles). No LLVM: machines
// with a GPU read it too.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_GPU_CASE_H
#define TEST_GPU_CASE_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tarn::gpu {

struct CaseBuffer {
  /// read, write, accumulate or partial.
  std::string access, element;
  std::vector<int64_t> shape;
  /// What is read.
  std::vector<uint8_t> input;
  /// What has to be written.
  std::vector<double> expected;
  /// An absolute error that is allowed here in any case: what roundings inside
  /// of the kernel come to.
  double noise = 0;

  bool isOutput() const { return access != "read"; }
  int64_t elements() const;
  unsigned elementBytes() const;
  int64_t bytes() const { return elements() * elementBytes(); }
  /// Bytes from one element to the next in dim `dim`.
  int64_t stride(size_t dim) const;
};

/// A word of a table: a number, or the address of a buffer.
struct CaseWord {
  bool isAddress = false;
  uint64_t value = 0;
};

struct CaseParameter {
  bool isTensorMap = false;
  /// What is passed by value instead of a buffer; empty for others.
  std::vector<CaseWord> table;
  unsigned buffer = 0;
  /// An extent per dim of the buffer.
  std::vector<int64_t> box;
};

struct Case {
  std::string folder, kernel;
  int64_t blocks = 0, threads = 0, sharedBytes = 0;
  /// Allowed errors: absolute, and relative to the expected number.
  double absolute = 0, relative = 0;
  /// Multiplications and additions of the whole launch, and the bytes that it
  /// has to move; 0 if not recorded.
  double flops = 0, bytes = 0;
  /// Whether there are no recorded numbers: only its time is of interest.
  bool timeOnly = false;
  /// Whether blocks walk over `blocks` tiles: one for each multiprocessor is
  /// launched.
  bool persistent = false;
  std::vector<CaseBuffer> buffers;
  std::vector<CaseParameter> parameters;
  /// Pairs of buffers, read and written, that may be the same bytes.
  std::vector<std::pair<unsigned, unsigned>> inPlace;
};

/// The words of a parameter's table, buffers being at `addresses`.
std::vector<uint64_t> tableWords(const CaseParameter &parameter,
                                 const std::vector<uint64_t> &addresses);

/// Reads a case; an error text, or an empty one.
std::string readCase(const std::string &folder, Case &result);

/// Element `i` of `bytes` as a number.
double readElement(const CaseBuffer &buffer, const uint8_t *bytes, int64_t i);

/// The largest error of an output over what is allowed: right if at most 1.
/// NaN where a number is expected counts as infinite.
double largestError(const Case &c, const CaseBuffer &buffer,
                    const uint8_t *bytes);

/// A whole file; false if it can't be read.
bool readFile(const std::string &path, std::string &text);

} // namespace tarn::gpu

#endif // TEST_GPU_CASE_H
