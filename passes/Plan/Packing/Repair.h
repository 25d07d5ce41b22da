//===- Repair.h - packings that are made lower ------------------*- C++ -*-===//

#ifndef PASSES_PLAN_PACKING_REPAIR_H
#define PASSES_PLAN_PACKING_REPAIR_H

#include "passes/Plan/Packing/Greedy.h"

namespace tarn::packing {

/// A placement that ends no higher than `start`; stops at the first that is at
/// most `enough` bytes, and when about `workLimit` pairs of buffers were looked
/// at. Returns `start` if a buffer is fixed.
Placement repair(std::span<const Buffer> buffers, Placement start,
                 int64_t enough, uint64_t workLimit);

} // namespace tarn::packing

#endif // PASSES_PLAN_PACKING_REPAIR_H
