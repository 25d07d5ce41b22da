//===- Derivation.h - tiles of values, on demand ----------------*- C++ -*-===//
//
// Builds the tile program of a cluster backwards: whoever needs a slice of a
// value asks for it, and gets a load when the value is an input, or else the
// body of the op that makes it, on the slices of its operands that the op's
// indexing maps name. A slice asked for twice is built once.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TILE_DERIVATION_H
#define PASSES_TILE_DERIVATION_H

#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/TileOps.h"

#include <map>

namespace tarn {

/// A box of a value. `order` lists the dims that the tile spans, in the order
/// of the tile's dims; every other dim is one element at its offset.
struct TileSlice {
  llvm::SmallVector<mlir::OpFoldResult> offsets;
  llvm::SmallVector<int64_t> sizes;
  llvm::SmallVector<int64_t> order;

  /// The whole of a value of this shape, its dims in order.
  static TileSlice whole(mlir::OpBuilder &b, llvm::ArrayRef<int64_t> shape);
};

class TileDeriver {
public:
  /// Derives tiles in `kernel`, whose buffers are the cluster's inputs and
  /// then its outputs, at the insertion point of `b`.
  TileDeriver(mlir::OpBuilder &b, graph::ClusterOp cluster,
              tile::KernelOp kernel);

  /// The tile of a slice of `value`.
  mlir::FailureOr<mlir::Value> tile(mlir::Value value, const TileSlice &slice);

  /// The kernel that is being written.
  tile::KernelOp getKernel() { return kernel; }

  /// Stores a tile of an output of the cluster at its slice.
  mlir::LogicalResult store(mlir::Value output, mlir::Value tile,
                            const TileSlice &slice);

  /// `sum` is the slice of `result`, before it is rounded to its type: stores
  /// what the cluster makes of it.
  mlir::LogicalResult finish(mlir::Value result, mlir::Value sum,
                             const TileSlice &slice);

  /// Tiles asked for between these are forgotten again: they were built inside
  /// a loop.
  void enterLoop() { memo.emplace_back(); }
  void leaveLoop() { memo.pop_back(); }

  /// Says that `tile` is the slice of `value`.
  void remember(mlir::Value value, const TileSlice &slice, mlir::Value tile);

  /// The buffer of an input of the cluster (a body argument), or null.
  mlir::Value bufferOf(mlir::Value input);
  /// The number that an input, or a free op on one, holds at a position (loaded
  /// block-uniformly).
  mlir::FailureOr<mlir::Value> scalar(mlir::Value input,
                                      llvm::ArrayRef<mlir::OpFoldResult> at);

  /// Rows of a value, by their numbers: `slice` is of the value, as if its rows
  /// (the dim that the tile spans first) began at its offset. Zeros for rows
  /// that are negative or that the value has not. Views are seen through; the
  /// value lies in memory, or is the same in all rows.
  mlir::FailureOr<mlir::Value> gather(mlir::Operation *op, mlir::Value value,
                                      mlir::Value rows, const TileSlice &slice);

  /// `offset + constant`.
  mlir::OpFoldResult add(mlir::OpFoldResult offset, int64_t constant);
  mlir::OpFoldResult add(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::Value asValue(mlir::OpFoldResult index);

  /// The dim of `value` along which memory is contiguous, seen through free
  /// ops; -1 = unknown (it is computed here).
  int64_t contiguousDim(mlir::Value value);

  mlir::OpBuilder &b;
  mlir::Location loc;

private:
  using Key = std::tuple<void *, std::vector<void *>, std::vector<int64_t>,
                         std::vector<int64_t>>;
  /// The place in the operand of a view that a place in its result is: its
  /// positions, and for each dim of the result the operand's (-1 = none). False
  /// when `op` is no such view.
  bool seeThrough(mlir::Operation *op, llvm::ArrayRef<mlir::OpFoldResult> at,
                  llvm::SmallVectorImpl<mlir::OpFoldResult> &below,
                  llvm::SmallVectorImpl<int64_t> *dimOf = nullptr);
  /// Whether a value is the same everywhere along a dim, as its views say.
  static bool isSameAlong(mlir::Value value, int64_t dim);
  mlir::Value findTable(mlir::Value source,
                        llvm::SmallVectorImpl<mlir::OpFoldResult> &positions,
                        llvm::MutableArrayRef<int64_t> dims, int64_t &rowDim);
  static Key keyOf(mlir::Value value, const TileSlice &slice);
  mlir::FailureOr<mlir::Value> build(mlir::Value value, const TileSlice &slice);
  mlir::FailureOr<mlir::Value> buildIndexed(graph::IndexedOp op,
                                            const TileSlice &slice);
  mlir::FailureOr<mlir::Value> buildGather(graph::IndexedOp op,
                                           const TileSlice &slice);
  mlir::FailureOr<mlir::Value> buildUpdate(graph::UpdateSliceOp op,
                                           const TileSlice &slice);
  mlir::FailureOr<mlir::Value>
  operandTile(graph::IndexedOp op, unsigned operand, const TileSlice &loops);

  graph::ClusterOp cluster;
  tile::KernelOp kernel;
  std::vector<std::map<Key, mlir::Value>> memo;
};

/// The type of a slice's tile.
mlir::RankedTensorType tileTypeOf(mlir::Value value, const TileSlice &slice);

} // namespace tarn

#endif // PASSES_TILE_DERIVATION_H
