//===- Search.h - an exact search for a packing -----------------*- C++ -*-===//

#ifndef PASSES_PLAN_PACKING_SEARCH_H
#define PASSES_PLAN_PACKING_SEARCH_H

#include "passes/Plan/Packing/Problem.h"

namespace tarn::packing {

enum class Outcome { packed, impossible, unknown };

/// What a search may spend and has spent. Counted in nodes of the search tree,
/// never in seconds, so that the same problem always has the same answer.
struct Effort {
  uint64_t nodeLimit = 0;
  uint64_t nodes = 0;
};

/// A search holds the pairs of all buffers that live together: callers give up
/// on more buffers than this, where it would not get far anyway.
constexpr size_t mostSearched = 4096;

/// Looks for offsets below `capacity`. `packed` fills `offsets`; `impossible`
/// is a proof that there are none; `unknown` means that the nodes ran out.
Outcome search(std::span<const Buffer> buffers, int64_t capacity,
               Effort &effort, std::vector<int64_t> &offsets);

} // namespace tarn::packing

#endif // PASSES_PLAN_PACKING_SEARCH_H
