//===- CpuTarget.h - tile programs become machine code ----------*- C++ -*-===//
//
// A kernel is compiled to
//   extern "C" void SYMBOL(void *const *args, int64_t block, void *scratch)
// which runs one task: all blocks along sequential grid dims, one along the
// others (block numbers the others, last fastest). args[i] is the start of
// buffer i, 64-byte aligned; scratch has KernelInfo::scratchBytes bytes of the
// running thread's own.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CPU_CPUTARGET_H
#define COMPILER_TARGET_CPU_CPUTARGET_H

#include "compiler/Target/Cpu/Isa.h"
#include "dialects/Tile/TileOps.h"

#include <string>
#include <vector>

namespace tarn::cpu {

/// What a launch needs to know of a compiled kernel.
struct KernelInfo {
  /// Tasks of a launch.
  int64_t blocks = 1;
  /// Bytes of scratch memory a task needs.
  int64_t scratchBytes = 0;
};

/// One shared object, and its kernels in the order they were given.
struct CompiledKernels {
  /// An ELF shared object without undefined symbols; exports the kernels.
  std::string object;
  std::vector<KernelInfo> kernels;
};

/// Compiles kernels (each exported under its symbol name, which must be unique)
/// for one level. Uses up to `threads` threads; 0 = all. Fails with an error at
/// the op that cannot be lowered.
mlir::FailureOr<CompiledKernels>
compileKernels(llvm::ArrayRef<tile::KernelOp> kernels, const Isa &isa,
               unsigned threads = 0);

/// The vector-level IR of one kernel (func, scf, vector, memref, math), before
/// it goes to LLVM: a module with `SYMBOL.body(buffers, block, scratches)`.
/// `info` gets the sizes.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
lowerKernel(tile::KernelOp kernel, const Isa &isa, KernelInfo &info);

} // namespace tarn::cpu

#endif // COMPILER_TARGET_CPU_CPUTARGET_H
