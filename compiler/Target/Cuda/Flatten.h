//===- Flatten.h - elementwise kernels over vectors -------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_FLATTEN_H
#define COMPILER_TARGET_CUDA_FLATTEN_H

#include "dialects/Tile/TileOps.h"

#include "mlir/IR/OwningOpRef.h"

namespace tarn::cuda {

/// Elements of a block of a flattened kernel.
constexpr int64_t flatBlock = 4096;

/// A kernel over vectors.
struct FlatKernel {
  mlir::OwningOpRef<tile::KernelOp> kernel;
  /// The buffer that each of its buffers was: they are in the order in which
  /// the stores need them.
  llvm::SmallVector<unsigned> buffers;
  int64_t elements = 0;

  explicit operator bool() const { return bool(kernel); }
};

/// The same kernel over vectors of all elements, in blocks of `flatBlock`: for
/// kernels that do the same with each element of buffers of one shape, at the
/// same place in all of them, and read nothing else but single numbers. So
/// kernels that differ in shapes, and in the order of their buffers, only
/// become one program. Null for all others, and where a position takes more
/// than 32 bits.
FlatKernel flatten(tile::KernelOp kernel);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_FLATTEN_H
