//===- Certificate.h - why buffers do not fit -------------------*- C++ -*-===//

#ifndef PASSES_PLAN_PACKING_CERTIFICATE_H
#define PASSES_PLAN_PACKING_CERTIFICATE_H

#include "passes/Plan/Packing/Problem.h"

namespace tarn::packing {

/// Buffers that alone do not fit.
struct Conflict {
  /// Rising; empty if nothing was proven.
  std::vector<unsigned> buffers;
  /// Without any one of them the rest fits. False where the nodes ran out
  /// before this was known of each.
  bool irreducible = false;
};

/// A small set of buffers that can't be packed into `capacity`, found by
/// deletion: what is not needed for the proof goes.
Conflict findConflict(std::span<const Buffer> buffers, int64_t capacity,
                      uint64_t nodeLimit = 2'000'000);

} // namespace tarn::packing

#endif // PASSES_PLAN_PACKING_CERTIFICATE_H
