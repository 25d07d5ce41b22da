//===- GpuCode.h - what code for a GPU will be like -------------*- C++ -*-===//
//
// Some choices of tile programs and launches depend on how a GPU's target
// writes them. Passes ask the target, without knowing it: it adds this
// interface to the dialect.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TILE_GPUCODE_H
#define DIALECTS_TILE_GPUCODE_H

#include "dialects/Tile/TileOps.h"

#include "mlir/IR/DialectInterface.h"

#include <optional>

namespace tarn::tile {

class GpuCode : public mlir::DialectInterface::Base<GpuCode> {
public:
  explicit GpuCode(mlir::Dialect *dialect) : Base(dialect) {}

  /// Whether a kernel's products run by instructions of several warps, which
  /// take blocks of some sizes only.
  virtual bool multipliesByWarpgroups(KernelOp kernel) const = 0;
  /// The threads of a block of a kernel that may be launched as one with
  /// others; these have the same.
  virtual std::optional<unsigned> threadsInGroup(KernelOp kernel) const = 0;
  /// Whether one launch can tell so many kernels apart, the largest of which
  /// has `buffers`.
  virtual bool fitsInGroup(int64_t members, int64_t buffers) const = 0;

  /// What a target has added to the context.
  static const GpuCode &of(mlir::MLIRContext *context);
};

} // namespace tarn::tile

#endif // DIALECTS_TILE_GPUCODE_H
