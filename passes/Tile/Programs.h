//===- Programs.h - ops with tile programs of their own ---------*- C++ -*-===//

#ifndef PASSES_TILE_PROGRAMS_H
#define PASSES_TILE_PROGRAMS_H

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Tile/Derivation.h"
#include "passes/Tile/TileSizes.h"

namespace tarn {

/// A grid, before the kernel exists.
struct Grid {
  llvm::SmallVector<int64_t> sizes, tiles;
  llvm::SmallVector<bool> sequential;
  /// Adds a dim; returns its number.
  unsigned add(int64_t size, int64_t tile, bool inOrder = false) {
    sizes.push_back(size);
    tiles.push_back(tile);
    sequential.push_back(inOrder);
    return sizes.size() - 1;
  }
};

/// Lines along a dim of a tensor, of which a block has some that lie beside
/// each other along the last other dim.
class Lines {
public:
  /// A block holds `held` elements of each of its lines.
  Lines(mlir::RankedTensorType type, int64_t axis, int64_t held,
        const TileSizes &sizes);
  Grid grid() const;
  /// The block's lines from their beginning on, `extent` elements of each.
  TileSlice slice(mlir::OpBuilder &b, mlir::ValueRange positions,
                  int64_t extent) const;
  /// The shape of such a tile, and the number of the axis in it.
  llvm::SmallVector<int64_t> tile(int64_t extent) const;
  int64_t axisOfTile() const { return beside >= 0 && beside < axis ? 1 : 0; }
  /// The shape of a tile with an element for each of them.
  llvm::SmallVector<int64_t> line() const;

private:
  llvm::SmallVector<int64_t> shape;
  int64_t axis, beside = -1, count = 1;
};

/// A tile program that an op brings.
class TileProgram {
public:
  virtual ~TileProgram() = default;
  virtual Grid grid() = 0;
  /// What the kernel does with output `i`.
  virtual tile::Access access(unsigned output) { return tile::Access::Write; }
  /// Writes the program; `positions` are the block's, one per grid dim.
  virtual mlir::LogicalResult build(TileDeriver &deriver,
                                    mlir::ValueRange positions) = 0;
};

/// The program of the cluster's anchor; null with an error if it has none.
std::unique_ptr<TileProgram> createProgram(graph::ClusterOp cluster,
                                           mlir::Operation *anchor,
                                           const TileSizes &sizes);

/// The program of a cluster of any kind; null with an error if it has none.
/// Holds on to `info`.
std::unique_ptr<TileProgram> createProgram(graph::ClusterOp cluster,
                                           const ClusterInfo &info,
                                           const TileSizes &sizes);

/// Where in an output a slice of the part lies that is written of it.
TileSlice placeOf(mlir::OpBuilder &b, const WrittenPart &part,
                  const TileSlice &slice);

/// Calls `f` with every output of the cluster that holds `result`, an op's own,
/// and where in it a slice of the result lies: views move it, concatenations
/// and open pads shift it. Fails with an error at what can't be stored through.
mlir::LogicalResult forEachStore(
    mlir::OpBuilder &b, mlir::Value result, const TileSlice &slice,
    llvm::function_ref<mlir::LogicalResult(mlir::Value, const TileSlice &)> f);

/// What sizes of blocks depend on; nothing for a product of no matrices.
std::optional<DotShape> shapeOf(graph::ProductOp product);

std::unique_ptr<TileProgram> createAttention(graph::AttentionOp op,
                                             const TileSizes &sizes);
std::unique_ptr<TileProgram>
createAttentionBackward(graph::AttentionBackwardOp op, const TileSizes &sizes);
/// Products through windows, and the elementwise ops behind them.
std::unique_ptr<TileProgram> createConv(graph::ConvOp op,
                                        const TileSizes &sizes);
std::unique_ptr<TileProgram> createConvWeights(graph::ConvWeightsOp op,
                                               const TileSizes &sizes);
std::unique_ptr<TileProgram> createScatterAdd(graph::ScatterAddOp op);
std::unique_ptr<TileProgram> createUpdate(graph::UpdateSliceOp op,
                                          const TileSizes &sizes);
std::unique_ptr<TileProgram> createCumsum(graph::CumsumOp op,
                                          const TileSizes &sizes);
std::unique_ptr<TileProgram> createSort(graph::SortOp op,
                                        const TileSizes &sizes);
std::unique_ptr<TileProgram> createTopK(graph::TopKOp op,
                                        const TileSizes &sizes);
std::unique_ptr<TileProgram> createGroupRows(graph::GroupRowsOp op);
std::unique_ptr<TileProgram> createGroupedDot(graph::GroupedDotOp op,
                                              const TileSizes &sizes);
std::unique_ptr<TileProgram> createGroupedOuter(graph::GroupedOuterOp op,
                                                const TileSizes &sizes);

} // namespace tarn

#endif // PASSES_TILE_PROGRAMS_H
