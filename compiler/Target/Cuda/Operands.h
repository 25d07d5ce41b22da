//===- Operands.h - tiles in shared memory ----------------------*- C++ -*-===//
//
// What the lowering of dots infers from a program: which loads become TMA
// boxes in shared memory, which of them share a barrier, how deep the ring is,
// and how many warpgroups compute.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CUDA_OPERANDS_H
#define COMPILER_TARGET_CUDA_OPERANDS_H

#include "compiler/Target/Cuda/EmitCuda.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"

namespace tarn::cuda {

/// A tile that TMA writes to shared memory: `chunks` boxes of `perRow`
/// contiguous elements by `rows`, each 128 bytes a row, swizzled.
struct SharedTile {
  tile::LoadOp load;
  std::string name, map;
  /// The tile dim whose elements are contiguous in the buffer.
  unsigned contiguousDim = 1;
  int64_t chunks = 0, rows = 0, perRow = 64;
  /// Index of the group in Operands::groups, or none for tiles loaded once.
  std::optional<unsigned> group;
  int64_t offset = 0;

  int64_t chunkBytes() const { return rows * 128; }
  int64_t bytes() const { return chunks * chunkBytes(); }
};

/// Tiles of a loop that share a pair of barriers: those with the same first
/// dot.
struct RingGroup {
  std::string name;
  mlir::scf::ForOp loop;
  llvm::SmallVector<unsigned> tiles;
  /// Dots that read the tiles; the stage is free after the last one.
  llvm::SmallVector<tile::DotOp> readers;
  int64_t barrierOffset = 0;
};

struct Operands {
  llvm::SmallVector<SharedTile> tiles;
  llvm::SmallVector<RingGroup> groups;
  llvm::SmallVector<tile::DotOp> dots;
  /// Warpgroups that compute; one more loads.
  unsigned consumers = 0;
  unsigned stages = 0;
  int64_t onceBytes = 0, onceBarrier = 0, sharedBytes = 0;

  /// The shared tile of a loaded value, or null.
  SharedTile *find(mlir::Value value);
};

/// An error that names what the emitter does not carry.
mlir::InFlightDiagnostic unsupported(mlir::Operation *op);

/// Infers the operands of a kernel with dots.
llvm::FailureOr<Operands> analyseOperands(tile::KernelOp kernel,
                                          const CudaOptions &options);

/// The box of a shared tile: an extent per buffer dim.
llvm::SmallVector<int64_t> boxOf(const SharedTile &tile);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_OPERANDS_H
