//===- EmitCuda.h - tile programs to CUDA text ------------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_EMITCUDA_H
#define COMPILER_TARGET_CUDA_EMITCUDA_H

#include "dialects/Tile/TileOps.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/raw_ostream.h"

namespace tarn::cuda {

struct CudaOptions {
  /// Depth of the ring of operand tiles; 0 = as many as fit, at most 4.
  unsigned stages = 0;
  /// Whether the product of the next turn may be issued before this turn's
  /// sweeps, in loops of two dots (flash attention).
  bool rotate = true;
  /// Whether the text has `#line` directives to the model's source.
  bool lines = true;
};

/// A parameter of an emitted kernel: a buffer's address, or a tensor map of it.
struct CudaParameter {
  unsigned buffer = 0;
  bool isTensorMap = false;
  /// For maps: the box, an extent per buffer dim (slowest first).
  llvm::SmallVector<int64_t> box;
};

/// How an emitted kernel is launched.
struct CudaKernel {
  std::string name;
  int64_t blocks = 0;
  unsigned threads = 0;
  unsigned sharedBytes = 0;
  unsigned stages = 0;
  llvm::SmallVector<CudaParameter> parameters;
};

/// Writes `kernel` as CUDA C++ for sm_90a; the text includes tarn_device.h
/// only. What the emitter does not carry yet is an error on the op.
llvm::FailureOr<CudaKernel> emitCuda(tile::KernelOp kernel,
                                     const CudaOptions &options,
                                     llvm::raw_ostream &os);

/// Writes how a kernel is launched, one fact a line, for runners that know
/// nothing of MLIR. test/gpu/LaunchFile.h reads it.
void writeLaunch(tile::KernelOp kernel, const CudaKernel &launch,
                 llvm::raw_ostream &os);

/// The text of tarn_device.h.
llvm::StringRef getDeviceHeader();

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_EMITCUDA_H
