//===- Cache.h - compiled artifacts on disk ---------------------*- C++ -*-===//

#ifndef COMPILER_DRIVER_CACHE_H
#define COMPILER_DRIVER_CACHE_H

#include "compiler/Driver/Compile.h"

namespace tarn {

/// Artifacts by content: the key is a hash over the model's text, everything
/// the request says, the compiler's own binary and this machine's instruction
/// sets. Lives in `$TARN_CACHE`, else `$XDG_CACHE_HOME/tarn`, else
/// `~/.cache/tarn`; a folder that others may write to is not used, because an
/// artifact is a program. A cache that cannot be read or written is no error:
/// it is just not there.
class ArtifactCache {
public:
  ArtifactCache();
  /// Finds the artifact of `request`; false when there is none.
  bool lookup(const CompileRequest &request, std::vector<char> &artifact);
  /// Keeps `artifact` for `request`.
  void store(const CompileRequest &request, const std::vector<char> &artifact);

private:
  std::string pathFor(const CompileRequest &request);
  std::string folder;
};

} // namespace tarn

#endif // COMPILER_DRIVER_CACHE_H
