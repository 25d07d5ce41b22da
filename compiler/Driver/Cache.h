//===- Cache.h - compiled artifacts on disk ---------------------*- C++ -*-===//

#ifndef COMPILER_DRIVER_CACHE_H
#define COMPILER_DRIVER_CACHE_H

#include "compiler/Cache/CacheFolder.h"
#include "compiler/Driver/Compile.h"

namespace tarn {

/// Artifacts by content: the key is a hash over the model's text, everything
/// the request says, the compiler's own binary and this machine's instruction
/// sets.
class ArtifactCache {
public:
  /// Finds the artifact of `request`; false when there is none.
  bool lookup(const CompileRequest &request, std::vector<char> &artifact);
  /// Keeps `artifact` for `request`.
  void store(const CompileRequest &request, const std::vector<char> &artifact);

private:
  /// Empty for a model that cannot be read.
  std::string keyFor(const CompileRequest &request);
  CacheFolder folder;
};

} // namespace tarn

#endif // COMPILER_DRIVER_CACHE_H
