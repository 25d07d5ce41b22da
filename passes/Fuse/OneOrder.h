//===- OneOrder.h - values in memory once -----------------------*- C++ -*-===//

#ifndef PASSES_FUSE_ONEORDER_H
#define PASSES_FUSE_ONEORDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// Keeps what an op with a program of its own makes in one order of its dims:
/// where a transposition of it must lie in memory, its other readers see the
/// value through that, and the kernel stores it once. Rows stay rows.
void keepOneOrder(mlir::func::FuncOp function);

} // namespace tarn

#endif // PASSES_FUSE_ONEORDER_H
