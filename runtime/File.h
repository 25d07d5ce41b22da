//===- File.h - Files that are read checked and written atomically -*- C++ -*-//
#ifndef TARN_RUNTIME_FILE_H
#define TARN_RUNTIME_FILE_H

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

/// An error of the operating system as a Status: "WHAT PATH: REASON".
Status ioError(const std::string &what, const std::string &path, int error);

/// A regular file opened for reading.
class InputFile {
public:
  InputFile() = default;
  InputFile(InputFile &&other) noexcept;
  InputFile &operator=(InputFile &&other) noexcept;
  ~InputFile();

  /// Opens `path`, which must be a regular file.
  static Result<InputFile> open(const std::string &path);
  /// Bytes at the time of opening.
  uint64_t size() const { return bytes; }
  const std::string &path() const { return name; }
  /// Reads exactly `count` bytes at `offset`; a shorter file is an error.
  Status readAt(uint64_t offset, void *to, size_t count) const;

private:
  int descriptor = -1;
  uint64_t bytes = 0;
  std::string name;
};

/// Reads a whole file of at most `limit` bytes.
Result<std::string> readFile(const std::string &path, uint64_t limit);

/// A file that appears under its name complete or not at all: written beside
/// it under a temporary name, synced, renamed, and the folder synced. Without
/// commit() nothing is left behind.
class AtomicFile {
public:
  AtomicFile() = default;
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&other) noexcept;
  ~AtomicFile();

  /// Starts writing what will become `path`. The temporary file lies in
  /// `temporaryFolder`, by default the folder of `path`; both must be on one
  /// file system.
  static Result<AtomicFile> create(const std::string &path,
                                   const std::string &temporaryFolder = "");
  /// Appends bytes.
  Status write(const void *data, size_t size);
  /// Overwrites bytes that were already written.
  Status writeAt(uint64_t offset, const void *data, size_t size);
  /// Makes the file visible under its name.
  Status commit();

private:
  int descriptor = -1;
  std::string target, temporary;
};

/// Writes a whole file atomically.
Status writeFile(const std::string &path, std::string_view data);

/// Removes what killed processes left of AtomicFile in `folder`.
void removeStaleTemporaries(const std::string &folder);

/// Creates `path` and the folders above it; existing ones are fine.
Status makeFolders(const std::string &path);

/// Makes renames and new names in `folder` durable.
Status syncFolder(const std::string &folder);

/// The names in a folder, sorted; empty when it cannot be read.
std::vector<std::string> listFolder(const std::string &folder);

/// True if `path` names an existing folder.
bool isFolder(const std::string &path);
/// True if `path` names an existing regular file.
bool isFile(const std::string &path);

} // namespace tarn::rt

#endif // TARN_RUNTIME_FILE_H
