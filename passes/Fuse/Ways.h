//===- Ways.h - kernels that would wait for themselves ----------*- C++ -*-===//

#ifndef PASSES_FUSE_WAYS_H
#define PASSES_FUSE_WAYS_H

#include "mlir/IR/Operation.h"

namespace tarn {

/// Whether a way through uses leaves `ops` and comes back to them: then they
/// cannot be one kernel. All of a kernel waits for what any of it waits for;
/// `kernelOf` gives the ops of the kernel that an op is in, nothing if in none.
/// Ways upwards lead through ops of `isAbove` alone.
bool leadsBack(
    llvm::ArrayRef<mlir::Operation *> ops,
    llvm::function_ref<bool(mlir::Operation *)> isAbove,
    llvm::function_ref<llvm::ArrayRef<mlir::Operation *>(mlir::Operation *)>
        kernelOf);

} // namespace tarn

#endif // PASSES_FUSE_WAYS_H
