//===- ProgramMath.h - what programs of ops are written with ----*- C++ -*-===//

#ifndef PASSES_TILE_PROGRAMMATH_H
#define PASSES_TILE_PROGRAMMATH_H

#include "dialects/Tarn/TileMath.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Tile/Derivation.h"

namespace tarn {

/// Arithmetic on tiles with the ops of the dialect tile, and on positions.
class ProgramMath : public graph::TileMath {
public:
  using graph::TileMath::TileMath;

  /// A position.
  mlir::Value index(int64_t value);
  /// A position that a number in memory is.
  mlir::Value asIndex(mlir::Value number);
  /// A scalar i32 that a position is.
  mlir::Value asNumber(mlir::Value position);
  /// One axis of `x` away.
  mlir::Value sum(mlir::Value x, int64_t axis);
  mlir::Value largest(mlir::Value x, int64_t axis);
  /// The smallest of numbers that are not negative.
  mlir::Value smallest(mlir::Value x, int64_t axis);
  /// `x` repeated along a new axis.
  mlir::Value spread(mlir::Value x, int64_t axis, int64_t extent);
  /// A scalar in every element of a tile of `shape`.
  mlir::Value splat(mlir::Value scalar, llvm::ArrayRef<int64_t> shape);
  /// i32, the positions of elements along an axis, from `start` on.
  mlir::Value iota(mlir::OpFoldResult start, llvm::ArrayRef<int64_t> shape,
                   int64_t axis);
  mlir::Value isEqual(mlir::Value x, mlir::Value y);
  mlir::Value isLess(mlir::Value x, mlir::Value y);
  mlir::RankedTensorType typeOf(mlir::Value tile);
};

/// Stores a tile of `result` in every output that holds it.
mlir::LogicalResult storeThrough(TileDeriver &deriver, mlir::Value result,
                                 mlir::Value tile, const TileSlice &slice);
/// Scatters a tile of elements: `rows` are their places along the dim that
/// `slice`, of `result`, spans.
mlir::LogicalResult scatterThrough(TileDeriver &deriver, mlir::Value result,
                                   mlir::Value tile, mlir::Value rows,
                                   const TileSlice &slice);

} // namespace tarn

#endif // PASSES_TILE_PROGRAMMATH_H
