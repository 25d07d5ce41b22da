//===- Ranges.h - what values a block-uniform index can have ----*- C++ -*-===//

#ifndef COMPILER_TARGET_CPU_RANGES_H
#define COMPILER_TARGET_CPU_RANGES_H

#include "dialects/Tile/TileOps.h"

namespace tarn::cpu {

/// Inclusive bounds, and a number that every value is a multiple of.
struct IndexRange {
  int64_t low, high, multiple;
};

/// The values that `index` can have over all blocks and iterations; as wide as
/// possible where nothing is known.
IndexRange rangeOf(tile::KernelOp kernel, mlir::OpFoldResult index);

/// Whether a tile dim of `extent` elements starting at `position` always lies
/// inside a buffer dim of `size`.
bool staysInside(tile::KernelOp kernel, mlir::OpFoldResult position,
                 int64_t extent, int64_t size);

} // namespace tarn::cpu

#endif // COMPILER_TARGET_CPU_RANGES_H
