//===- Safetensors.h - The safetensors format ------------------*- C++ -*-===//
//
// 8 bytes of header length, a JSON header, tensors without gaps. Files may be
// hostile: everything in the header is checked against the file's size before
// a byte of data is read.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_SAFETENSORS_H
#define TARN_RUNTIME_SAFETENSORS_H

#include "runtime/DType.h"
#include "runtime/File.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tarn::rt {

/// Free text beside the tensors, in the file's order.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// Longest header that is read: the limit of the format's own library.
constexpr uint64_t safetensorsHeaderLimit = 100000000;

/// A tensor in a file.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  uint64_t offset = 0; ///< from the beginning of the file
  uint64_t bytes = 0;
};

/// What a file's header says, checked.
struct SafetensorsIndex {
  Metadata metadata;
  std::vector<SafetensorsEntry> tensors; ///< in the order of their offsets

  /// The tensor `name`, or null.
  const SafetensorsEntry *find(std::string_view name) const;
  /// The metadata `key`, or null.
  const std::string *text(std::string_view key) const;
};

/// Checks a header (without its length field) of a file of `fileBytes`.
Result<SafetensorsIndex> parseSafetensorsHeader(std::string_view header,
                                                uint64_t fileBytes);

/// A file opened for reading.
class SafetensorsFile {
public:
  /// Opens a file and checks its header.
  static Result<SafetensorsFile> open(const std::string &path);

  const SafetensorsIndex &index() const { return contents; }
  const InputFile &file() const { return input; }
  /// The first bytes of the file: length field and header.
  const std::string &head() const { return start; }
  /// Reads a tensor of the index; `to` has room for its bytes.
  Status read(const SafetensorsEntry &entry, void *to) const;

private:
  InputFile input;
  std::string start;
  SafetensorsIndex contents;
};

/// A tensor to be written.
struct SafetensorsTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  const void *data = nullptr;
};

/// Length field and header of a file with these tensors in this order; padded
/// so that the data begins at a multiple of 64.
std::string safetensorsHead(const Metadata &metadata,
                            const std::vector<SafetensorsTensor> &tensors);

/// Writes a file atomically.
Status writeSafetensors(const std::string &path, const Metadata &metadata,
                        const std::vector<SafetensorsTensor> &tensors);

} // namespace tarn::rt

#endif // TARN_RUNTIME_SAFETENSORS_H
