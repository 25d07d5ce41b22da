//===- CompileKernels.h - kernels to images for a GPU -----------*- C++ -*-===//
//
// Tile programs become text, equal texts one image, images that are not in the
// cache are compiled on all cores.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CUDA_COMPILEKERNELS_H
#define COMPILER_TARGET_CUDA_COMPILEKERNELS_H

#include "compiler/Target/Cuda/Group.h"
#include "compiler/Target/Cuda/Nvrtc.h"

#include <string>
#include <vector>

namespace tarn::cuda {

/// A kernel's text and the machine code of it.
struct Image {
  /// Of the kernel, and its symbol.
  std::string name;
  std::string text;
  CompiledKernel code;
};

/// All kernels of a module, and groups of them, for one architecture.
struct CompiledKernels {
  std::string architecture;
  /// How each is launched, and which image it is in, in the order given.
  std::vector<CudaKernel> kernels;
  std::vector<size_t> imageOf;
  std::vector<Image> images;
  double emitSeconds = 0;

  // After compileKernels:
  /// The compiler's version.
  std::string compiler;
  /// Whether images are cubins (or something for tests).
  bool cubins = true;
  /// Registers of a thread, by kernel; empty where images are no cubins.
  std::vector<unsigned> registers;
  /// Images that were in the cache.
  size_t cached = 0;
  double compileSeconds = 0;
};

/// Writes the text of what is launched, under names that differ, for one
/// architecture. What cannot be emitted yet is an error on the op.
llvm::FailureOr<CompiledKernels> emitKernels(const LaunchedKernels &launched,
                                             Architecture architecture);

/// Makes code of the text of `launched`, on `threads` threads (0 = all), or
/// takes it from the cache on disk. Text that does not compile, or code whose
/// parameters are not those that a launch passes, is an error on the op.
llvm::LogicalResult compileKernels(const LaunchedKernels &launched,
                                   const KernelCompiler &compiler, bool cache,
                                   unsigned threads, CompiledKernels &result);

/// The text of several kernels as one file that compiles: the include once,
/// then each kernel.
std::string joinTexts(const CompiledKernels &kernels);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_COMPILEKERNELS_H
