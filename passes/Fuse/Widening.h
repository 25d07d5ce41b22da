//===- Widening.h - what is cheaper made than read --------------*- C++ -*-===//

#ifndef PASSES_FUSE_WIDENING_H
#define PASSES_FUSE_WIDENING_H

#include "dialects/Tarn/TarnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// Bits of a value in memory: no element has less than a byte.
int64_t bitsInMemory(mlir::Value value);

/// Has each reader make for itself what cheap ops make out of fewer bits (a
/// widened copy, a comparison with index numbers, an outer product): what lies
/// in memory between kernels is what it is made of.
void widenAtReaders(mlir::func::FuncOp function);

} // namespace tarn

#endif // PASSES_FUSE_WIDENING_H
