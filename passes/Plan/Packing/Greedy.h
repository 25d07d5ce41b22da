//===- Greedy.h - packing one buffer after the other ------------*- C++ -*-===//

#ifndef PASSES_PLAN_PACKING_GREEDY_H
#define PASSES_PLAN_PACKING_GREEDY_H

#include "passes/Plan/Packing/Problem.h"

namespace tarn::packing {

/// Offsets for all buffers and where the highest one ends.
struct Placement {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};

/// Places the fixed buffers, then the others in `order`, each at the lowest
/// free offset. Adds to `work` the number of pairs it looked at.
Placement placeInOrder(std::span<const Buffer> buffers,
                       std::span<const unsigned> order, uint64_t &work);

/// The best of several orders of placing, improved in rounds that place earlier
/// what ended up at the top. Stops at the first that is at most `enough` bytes,
/// and when `workLimit` pairs were looked at (one order is always placed).
Placement packGreedy(std::span<const Buffer> buffers, int64_t enough,
                     uint64_t workLimit);

} // namespace tarn::packing

#endif // PASSES_PLAN_PACKING_GREEDY_H
