//===- Cubin.h - what NVIDIA's machine code says of itself ------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_CUBIN_H
#define COMPILER_TARGET_CUDA_CUBIN_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace tarn::cuda {

/// A kernel in a cubin.
struct CubinKernel {
  std::string name;
  /// Of a thread, at launch.
  unsigned registers = 0;
  /// Bytes of shared memory that the kernel itself declares (of sm_90 on, 1024
  /// that the system keeps are among them).
  uint64_t staticShared = 0;
  /// The most threads of a block; 0 = not said.
  unsigned maxThreads = 0;
  /// Bytes of each parameter, in order.
  std::vector<unsigned> parameters;
  /// Whether registers are spilled to memory.
  bool spills = false;
};

struct Cubin {
  /// The multiprocessor's version: 80, 89, 90. sm_90 and sm_90a are both 90.
  unsigned sm = 0;
  std::vector<CubinKernel> kernels;

  const CubinKernel *find(llvm::StringRef name) const;
};

/// Reads the ELF sections of a cubin; any bytes are safe to give.
llvm::Expected<Cubin> readCubin(llvm::StringRef bytes);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_CUBIN_H
