//===- EmitCuda.h - tile programs to CUDA text ------------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_EMITCUDA_H
#define COMPILER_TARGET_CUDA_EMITCUDA_H

#include "compiler/Target/Cuda/Architecture.h"
#include "dialects/Tile/TileOps.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/raw_ostream.h"

#include <vector>

namespace tarn::cuda {

struct CudaOptions {
  /// What the text is for.
  Architecture architecture = Architecture::sm_90a;
  /// Depth of the ring of operand tiles, 1 = none with cp.async; 0 = for TMA
  /// as many as fit, at most 4, for cp.async what the cost model finds fastest.
  unsigned stages = 0;
  /// Whether the product of the next turn may be issued before this turn's
  /// sweeps, in loops of two dots (flash attention).
  bool rotate = true;
  /// Whether wgmma and TMA may be used, where the architecture has them.
  bool wgmma = true;
  /// A product of more tiles than this is persistent; 0 = what the largest
  /// usual device of the architecture has.
  int64_t multiprocessors = 0;
  /// If given: why a kernel with products does not use them.
  std::string *whyNotWgmma = nullptr;
  /// Whether the text has `#line` directives to the model's source.
  bool lines = true;
  /// Whether a function is written, for a kernel of several launches (Group.h):
  /// it takes its block as `block` and, where all tensors are vectors that
  /// `flatten` made, their elements as `count`.
  bool isBody = false, isCounted = false;
};

/// A word of a table: a number, or a buffer's address.
struct CudaWord {
  bool isAddress = false;
  uint64_t value = 0;
};

/// A parameter of an emitted kernel: a buffer's address, a tensor map of it, or
/// a table by value.
struct CudaParameter {
  unsigned buffer = 0;
  bool isTensorMap = false;
  /// For maps: the box, an extent per buffer dim (slowest first), and the bytes
  /// of the swizzle.
  llvm::SmallVector<int64_t> box;
  unsigned swizzle = 128;
  /// The words of a table; empty for others.
  std::vector<CudaWord> table;

  /// What a launch passes.
  size_t bytes() const {
    return isTensorMap ? 128 : table.empty() ? 8 : 8 * table.size();
  }
};

/// A tensor map as cuTensorMapEncodeTiled takes it: dims from the fastest on.
struct TensorMapGeometry {
  mlir::Type element;
  llvm::SmallVector<int64_t> sizes;
  /// Bytes from one element to the next in dims 1 and up.
  llvm::SmallVector<int64_t> strides;
  llvm::SmallVector<int64_t> box;
};

/// Which of the emitter's ways a kernel took.
enum class Family {
  /// Threads hold elements; products, if any, by fma.
  simt,
  /// Products by mma.sync, operands through shared memory.
  mma,
  /// Products by wgmma, operands by TMA; one warpgroup loads.
  wgmma,
};

/// How an emitted kernel is launched: a grid of `blocks` in x, `threads` in x,
/// `sharedBytes` of dynamic shared memory (no kernel has static one). Of a
/// persistent kernel `blocks` is the number of tiles that its blocks walk over:
/// as many are launched as the device has multiprocessors, at most one a tile.
struct CudaKernel {
  std::string name;
  Architecture architecture = Architecture::sm_90a;
  Family family = Family::simt;
  int64_t blocks = 0;
  unsigned threads = 0;
  unsigned sharedBytes = 0;
  /// Depth of the ring of operand tiles; 0 = no ring.
  unsigned stages = 0;
  /// For each loop whose tiles cp.async may copy ahead: its numbers of stages,
  /// and what the cost model says of them.
  std::vector<std::string> copyNotes;
  /// Registers that a thread may have at launch: what NVRTC reports is no more.
  unsigned registerLimit = 0;
  /// Blocks that are launched together.
  unsigned cluster = 1;
  bool persistent = false;
  llvm::SmallVector<CudaParameter> parameters;
};

/// Writes `kernel` as CUDA C++; the text includes tarn_device.h only, and
/// equal kernels give equal text. What the emitter does not carry is an error
/// on the op.
llvm::FailureOr<CudaKernel> emitCuda(tile::KernelOp kernel,
                                     const CudaOptions &options,
                                     llvm::raw_ostream &os);

/// The geometry of a parameter that is a tensor map.
TensorMapGeometry getTensorMapGeometry(tile::KernelOp kernel,
                                       const CudaParameter &parameter);

/// `f32 128 x 64, read`: a buffer of the kernel, for comments.
std::string describeBuffer(tile::KernelOp kernel, unsigned buffer);

/// "simt", "mma" or "wgmma".
llvm::StringRef getName(Family family);

/// Writes how a kernel is launched, one fact a line, for runners that know
/// nothing of MLIR. test/gpu/LaunchFile.h reads it.
void writeLaunch(tile::KernelOp kernel, const CudaKernel &launch,
                 llvm::raw_ostream &os);
/// The same of a group, whose buffers are those of all members.
void writeLaunch(llvm::ArrayRef<tile::KernelOp> members,
                 const CudaKernel &launch, llvm::raw_ostream &os);

/// The text of tarn_device.h.
llvm::StringRef getDeviceHeader();

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_EMITCUDA_H
