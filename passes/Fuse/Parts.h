//===- Parts.h - parts of values that no kernel copies ----------*- C++ -*-===//

#ifndef PASSES_FUSE_PARTS_H
#define PASSES_FUSE_PARTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// Marks slices and concatenations that would be kernels of their own as names
/// for bytes (Layout/InPlace.h), where they are one run of them: a slice of an
/// argument, or of what a product or an op with a program of its own makes; a
/// concatenation of such results that are made for it alone. What the caller
/// gets is copied for him.
void nameParts(mlir::func::FuncOp function);

} // namespace tarn

#endif // PASSES_FUSE_PARTS_H
