//===- CacheFolder.cpp - made things on disk, by content ------------------===//
//
// A file is the SHA-256 of what follows (32 bytes), and what was stored.
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
#include <sys/stat.h>
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

static std::array<uint8_t, 32> digestOf(llvm::StringRef bytes) {
  return llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes));
}

std::optional<std::string>
CacheFolder::lookup(llvm::StringRef key, llvm::StringRef extension) const {
  if (folder.empty())
    return std::nullopt;
  auto file = llvm::MemoryBuffer::getFile(pathOf(key, extension),
                                          /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  llvm::StringRef all = (*file)->getBuffer();
  if (all.size() < 32)
    return std::nullopt;
  llvm::StringRef bytes = all.drop_front(32);
  if (all.take_front(32) != llvm::toStringRef(digestOf(bytes)))
    return std::nullopt;
  return bytes.str();
}

void CacheFolder::store(llvm::StringRef key, llvm::StringRef extension,
                        llvm::StringRef bytes) const {
  if (folder.empty())
    return;
  // Written beside its name and renamed: readers see all of it or nothing.
  llvm::Error error =
      llvm::writeToOutput(pathOf(key, extension), [&](llvm::raw_ostream &out) {
        out << llvm::toStringRef(digestOf(bytes)) << bytes;
        return llvm::Error::success();
      });
  llvm::consumeError(std::move(error));
}
