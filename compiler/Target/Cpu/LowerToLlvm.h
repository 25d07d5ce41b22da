//===- LowerToLlvm.h - from vector IR to machine code -----------*- C++ -*-===//

#ifndef COMPILER_TARGET_CPU_LOWERTOLLVM_H
#define COMPILER_TARGET_CPU_LOWERTOLLVM_H

#include "compiler/Target/Cpu/CpuTarget.h"

namespace tarn::cpu {

/// Loads what `lowerToLlvm` needs; to be called once before it.
mlir::LogicalResult prepareLowering(mlir::MLIRContext &context);

/// Lowers a module of `lowerKernel` to the LLVM dialect and adds the entry
/// function `symbol` with the kernels' calling convention. Safe to call from
/// several threads on different modules.
mlir::LogicalResult lowerToLlvm(mlir::ModuleOp module, llvm::StringRef symbol);

/// Translates a module in the LLVM dialect to an ELF object. Safe to call from
/// several threads on different modules.
mlir::FailureOr<llvm::SmallVector<char>> emitObject(mlir::ModuleOp module,
                                                    const Isa &isa);

/// Links objects to one shared object without undefined symbols. Returns an
/// empty string with `error` set when that fails.
std::string linkObjects(llvm::ArrayRef<llvm::SmallVector<char>> objects,
                        std::string &error);

} // namespace tarn::cpu

#endif // COMPILER_TARGET_CPU_LOWERTOLLVM_H
