//===- Lines.cpp - blocks that have whole lines of a tensor ---------------===//

#include "passes/Tile/Programs.h"

using namespace mlir;
using namespace tarn;

Lines::Lines(RankedTensorType type, int64_t axis, int64_t held,
             const TileSizes &sizes)
    : shape(type.getShape()), axis(axis) {
  int64_t rank = shape.size();
  if (rank == 1)
    return;
  bool isLast = axis + 1 == rank;
  beside = isLast ? rank - 2 : rank - 1;
  // A dim of one element is none to a block.
  held = std::max<int64_t>(2, held);
  count = isLast ? sizes.block({shape[beside], held}, {false, true})[0]
                 : sizes.block({held, shape[beside]}, {true, false})[1];
}

Grid Lines::grid() const {
  Grid grid;
  for (auto [d, extent] : llvm::enumerate(shape))
    if (int64_t(d) != axis)
      grid.add(extent, int64_t(d) == beside ? count : 1);
  if (grid.sizes.empty())
    grid.add(1, 1);
  return grid;
}

TileSlice Lines::slice(OpBuilder &b, ValueRange positions,
                       int64_t extent) const {
  TileSlice slice;
  for (int64_t d = 0, rank = shape.size(); d != rank; ++d) {
    bool isAxis = d == axis;
    slice.offsets.push_back(isAxis ? OpFoldResult(b.getIndexAttr(0))
                                   : OpFoldResult(positions[d - (d > axis)]));
    slice.sizes.push_back(isAxis ? extent : d == beside ? count : 1);
    if (d == beside || isAxis)
      slice.order.push_back(d);
  }
  return slice;
}

SmallVector<int64_t> Lines::line() const {
  return beside < 0 ? SmallVector<int64_t>() : SmallVector<int64_t>{count};
}

SmallVector<int64_t> Lines::tile(int64_t extent) const {
  SmallVector<int64_t> shape = line();
  shape.insert(shape.begin() + axisOfTile(), extent);
  return shape;
}
