//===- Artifact.h - The file that holds a compiled model -------*- C++ -*-===//
//
// A container of named sections in which every byte is covered by a SHA-256:
// damage anywhere is found before anything in it is parsed or mapped. Layout,
// all numbers little-endian:
//
//   header, 64 bytes     magic[8] version:u32 sections:u32 file bytes:u64
//                        zero:u64, SHA-256 of these 32 bytes and the table
//   table, 128 bytes a   name[64] offset:u64 bytes:u64 span:u64 zero:u64,
//   section              SHA-256 of the span
//   sections             in the table's order, each at a multiple of 64, the
//                        span being its bytes and the zeros up to the next
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_ARTIFACT_H
#define TARN_RUNTIME_ARTIFACT_H

#include "runtime/Buffer.h"
#include "runtime/Hash.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

constexpr uint32_t artifactVersion = 1;

/// The container as it was read: checked, but its sections not interpreted.
class Artifact {
public:
  struct Section {
    std::string name;
    uint64_t offset = 0, bytes = 0;
    Digest digest{};
  };

  /// Reads and checks a file.
  static Result<Artifact> read(const std::string &path);
  /// Copies and checks bytes in memory.
  static Result<Artifact> parse(const void *data, size_t size);
  /// True if the bytes begin like an artifact (to tell file types apart).
  static bool looksLikeOne(std::string_view firstBytes);

  const std::vector<Section> &sections() const { return table; }
  /// The bytes of the section `name`; they start at a multiple of 64. Null
  /// data when there is none.
  std::string_view section(std::string_view name) const;
  /// Names this artifact: the header's digest, which covers every byte.
  const Digest &identity() const { return digest; }

private:
  Status check();

  Buffer bytes;
  std::vector<Section> table;
  Digest digest{};
};

/// Puts an artifact together. The result depends on nothing but what is added,
/// in which order.
class ArtifactWriter {
public:
  /// Adds a section; names are unique, 1 to 63 of [a-z0-9._+-].
  void add(std::string name, std::string data);
  /// The whole file; an error if a name is not allowed.
  Result<std::string> finish() const;
  /// Writes the file atomically.
  Status write(const std::string &path) const;

private:
  std::vector<std::pair<std::string, std::string>> sections;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_ARTIFACT_H
