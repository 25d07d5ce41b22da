//===- CacheFolder.h - made things on disk, by content ----------*- C++ -*-===//

#ifndef COMPILER_CACHE_CACHEFOLDER_H
#define COMPILER_CACHE_CACHEFOLDER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/SHA256.h"

#include <atomic>
#include <optional>
#include <string>

namespace tarn {

/// A key: a hash over fields that cannot run together.
class CacheKey {
public:
  CacheKey &add(llvm::StringRef field);
  /// 64 hexadecimal digits.
  std::string text();

private:
  llvm::SHA256 hash;
};

/// A folder of files by key: `$TARN_CACHE`, else `$XDG_CACHE_HOME/tarn`, else
/// `~/.cache/tarn`. A folder that others may write to is not used, because what
/// lies there becomes code. A cache that cannot be read or written, or whose
/// file was damaged, is no error: nothing is found. Several processes and
/// threads may use it at once.
///
/// It holds `$TARN_CACHE_BYTES`, 2 GiB where that says nothing: who has stored
/// something removes in the end what was not used for longest.
class CacheFolder {
public:
  CacheFolder();
  ~CacheFolder();
  CacheFolder(const CacheFolder &) = delete;
  CacheFolder &operator=(const CacheFolder &) = delete;
  /// Whether there is a folder.
  explicit operator bool() const { return !folder.empty(); }
  /// What `store` was given for this key, or nothing.
  std::optional<std::string> lookup(llvm::StringRef key,
                                    llvm::StringRef extension) const;
  void store(llvm::StringRef key, llvm::StringRef extension,
             llvm::StringRef bytes);

private:
  std::string pathOf(llvm::StringRef key, llvm::StringRef extension) const;
  std::string folder;
  std::atomic<bool> stored = false;
};

} // namespace tarn

#endif // COMPILER_CACHE_CACHEFOLDER_H
