//===- CacheFolder.cpp - made things on disk, by content ------------------===//
//
// A file is the SHA-256 of its name and of what follows (32 bytes), and what
// was stored. The time of its last change is that of its last use.
//
//===----------------------------------------------------------------------===//

#include "compiler/Cache/CacheFolder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

using namespace tarn;

CacheKey &CacheKey::add(llvm::StringRef field) {
  hash.update(std::to_string(field.size()) + ":");
  hash.update(field);
  return *this;
}

std::string CacheKey::text() {
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

/// Whether only this user may write to `folder`.
static bool isPrivate(const std::string &folder) {
  struct stat status{};
  return stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH));
}

CacheFolder::CacheFolder() {
  llvm::SmallString<128> path;
  if (auto own = llvm::sys::Process::GetEnv("TARN_CACHE")) {
    path = *own;
  } else if (auto xdg = llvm::sys::Process::GetEnv("XDG_CACHE_HOME")) {
    path = *xdg;
    llvm::sys::path::append(path, "tarn");
  } else if (llvm::sys::path::home_directory(path)) {
    llvm::sys::path::append(path, ".cache", "tarn");
  } else {
    return;
  }
  if (llvm::sys::fs::create_directories(path, true, llvm::sys::fs::owner_all))
    return;
  if (isPrivate(path.str().str()))
    folder = path.str().str();
}

std::string CacheFolder::pathOf(llvm::StringRef key,
                                llvm::StringRef extension) const {
  return folder + "/" + key.str() + extension.str();
}

/// Over the name too: a file under another's name is a damaged one.
static std::array<uint8_t, 32> digestOf(llvm::StringRef path,
                                        llvm::StringRef bytes) {
  llvm::SHA256 hash;
  hash.update(llvm::sys::path::filename(path));
  hash.update(bytes);
  return hash.final();
}

std::optional<std::string>
CacheFolder::lookup(llvm::StringRef key, llvm::StringRef extension) const {
  if (folder.empty())
    return std::nullopt;
  std::string path = pathOf(key, extension);
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  llvm::StringRef all = (*file)->getBuffer();
  if (all.size() < 32)
    return std::nullopt;
  llvm::StringRef bytes = all.drop_front(32);
  if (all.take_front(32) != llvm::toStringRef(digestOf(path, bytes)))
    return std::nullopt;
  utimensat(AT_FDCWD, path.c_str(), /*times=*/nullptr, 0);
  return bytes.str();
}

void CacheFolder::store(llvm::StringRef key, llvm::StringRef extension,
                        llvm::StringRef bytes) {
  if (folder.empty())
    return;
  stored = true;
  // Written beside its name and renamed: readers see all of it or nothing.
  std::string path = pathOf(key, extension);
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
    out << llvm::toStringRef(digestOf(path, bytes)) << bytes;
    return llvm::Error::success();
  });
  llvm::consumeError(std::move(error));
}

/// Bytes that a folder may hold.
static uint64_t mostBytes() {
  uint64_t bytes;
  auto given = llvm::sys::Process::GetEnv("TARN_CACHE_BYTES");
  if (given && !llvm::StringRef(*given).getAsInteger(10, bytes))
    return bytes;
  return uint64_t(2) << 30;
}

/// Whether a file is one of ours: a key, and what comes behind it, which for a
/// store that was killed is more than an extension.
static bool isOurs(llvm::StringRef name) {
  return name.size() > 64 && llvm::all_of(name.take_front(64), [](char c) {
           return llvm::isHexDigit(c);
         });
}

// A process that looks for what another removes finds nothing and makes it
// again; one that reads it already has it open.
CacheFolder::~CacheFolder() {
  if (!stored)
    return;
  using Time = llvm::sys::TimePoint<>;
  std::vector<std::tuple<Time, std::string, uint64_t>> files;
  uint64_t sum = 0;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator at(folder, error), end;
       !error && at != end; at.increment(error)) {
    llvm::ErrorOr<llvm::sys::fs::basic_file_status> status = at->status();
    if (!status || status->type() != llvm::sys::fs::file_type::regular_file ||
        !isOurs(llvm::sys::path::filename(at->path())))
      continue;
    files.emplace_back(status->getLastModificationTime(), at->path(),
                       status->getSize());
    sum += status->getSize();
  }
  llvm::sort(files);
  uint64_t most = mostBytes();
  for (const auto &[time, path, bytes] : files) {
    if (sum <= most)
      return;
    llvm::sys::fs::remove(path);
    sum -= bytes;
  }
}
