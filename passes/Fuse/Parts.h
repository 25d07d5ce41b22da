//===- Parts.h - parts of values that no kernel copies ----------*- C++ -*-===//

#ifndef PASSES_FUSE_PARTS_H
#define PASSES_FUSE_PARTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// Makes names for bytes (Layout/InPlace.h) of slices and concatenations that
/// would be kernels of their own: where they are one run of bytes, a slice of
/// an argument, or of what a product or an op with a program of its own makes,
/// and a concatenation of such results that are made for it alone; along a dim
/// inside, one of what several kernels make, a program of its own among them.
/// What the caller gets is copied for him.
void nameParts(mlir::func::FuncOp function);

} // namespace tarn

#endif // PASSES_FUSE_PARTS_H
