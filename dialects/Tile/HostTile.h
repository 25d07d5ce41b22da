//===- HostTile.h - values of the tile interpreter --------------*- C++ -*-===//

#ifndef DIALECTS_TILE_HOSTTILE_H
#define DIALECTS_TILE_HOSTTILE_H

#include "dialects/Tile/Interpreter.h"

namespace tarn::tile {

/// One element: the value's type says which member holds it. Integers are
/// sign-extended, but for i1, which is 0 or 1.
union Cell {
  double f;
  int64_t i;
};

/// A tile, or a scalar (rank 0 and one cell).
struct HostTile {
  llvm::SmallVector<int64_t, 3> shape;
  std::vector<Cell> cells;

  HostTile() = default;
  /// Zeros in the shape of `type`, a tile's or a scalar's.
  explicit HostTile(mlir::Type type) {
    int64_t count = 1;
    if (auto tile = mlir::dyn_cast<mlir::RankedTensorType>(type)) {
      shape.assign(tile.getShape().begin(), tile.getShape().end());
      count = tile.getNumElements();
    }
    cells.resize(count, Cell{.i = 0});
  }
};

/// `value` wrapped to an integer or index type.
int64_t wrapTo(mlir::Type type, int64_t value);

/// Computes an op of arith or math on `operands`; reports ops it does not
/// know.
mlir::FailureOr<llvm::SmallVector<HostTile>>
computeElementwise(mlir::Operation *op,
                   llvm::ArrayRef<const HostTile *> operands,
                   Rounding rounding);

} // namespace tarn::tile

#endif // DIALECTS_TILE_HOSTTILE_H
