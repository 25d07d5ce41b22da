//===- Cache.h - compiled artifacts on disk ---------------------*- C++ -*-===//

#ifndef COMPILER_DRIVER_CACHE_H
#define COMPILER_DRIVER_CACHE_H

#include "compiler/Cache/CacheFolder.h"
#include "compiler/Driver/Compile.h"

namespace tarn {

/// The artifact of a request, by content: the key is a hash over everything the
/// request says, the files that it names, the compiler's own binary, this
/// machine's instruction sets, and NVRTC's version where that makes code.
class ArtifactCache {
public:
  struct Entry {
    std::vector<char> artifact;
    std::string summary; ///< what is told of it
  };

  /// `request` must outlive this, and say the same in the end.
  explicit ArtifactCache(const CompileRequest &request)
      : request(request), key(findKey()) {}
  std::optional<Entry> lookup() const;
  /// Keeps `entry`, made since this began; not if a file has changed meanwhile.
  void store(const Entry &entry);

private:
  /// Empty where a model or a compiler cannot be read: nothing is found.
  std::string findKey() const;

  const CompileRequest &request;
  CacheFolder folder;
  std::string key;
};

} // namespace tarn

#endif // COMPILER_DRIVER_CACHE_H
