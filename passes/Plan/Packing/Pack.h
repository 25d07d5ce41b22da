//===- Pack.h - packing a problem -------------------------------*- C++ -*-===//
//
// What the plan and the command call. Each memory space is packed on its own.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_PACKING_PACK_H
#define PASSES_PLAN_PACKING_PACK_H

#include "passes/Plan/Packing/Search.h"

namespace tarn::packing {

/// What packing may spend. Counted, never timed: plans are reproducible.
struct Limits {
  /// Nodes of the search tree.
  uint64_t nodes = 20'000'000;
  /// The same where the greedy orders end more than 1 % above the bound; 0 =
  /// as many.
  uint64_t nodesFar = 0;
  /// Pairs of buffers that the greedy orders may look at, per attempt.
  uint64_t pairs = 400'000'000;
  /// How far above the bound is near enough, as a share of it.
  double slack = 0;
  /// Bytes that are small enough, whatever the bound is.
  int64_t enough = 0;
};

struct Packing {
  Outcome outcome = Outcome::unknown;
  /// If packed: an offset for each buffer, and where the highest one ends.
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  /// Proven: nothing smaller holds them.
  int64_t bound = 0;
  /// What the greedy orders alone reach.
  int64_t greedyBytes = 0;
  uint64_t nodes = 0;
};

/// Packs into `capacity` bytes, or proves that it can't, or gives up.
Packing packInto(std::span<const Buffer> buffers, int64_t capacity,
                 const Limits &limits = {});

/// Packs into the least bytes that are found. Optimal where `bytes == bound`.
/// Impossible only if fixed buffers are in each other's way.
Packing packSmallest(std::span<const Buffer> buffers,
                     const Limits &limits = {});

/// Makes a packing lower where it can (see Repair.h), never higher; looks at
/// about `workLimit` pairs of buffers at most.
void repairPacking(std::span<const Buffer> buffers, Packing &packing,
                   int64_t enough, uint64_t workLimit);

} // namespace tarn::packing

#endif // PASSES_PLAN_PACKING_PACK_H
