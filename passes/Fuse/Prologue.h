//===- Prologue.h - kernels that make their inputs themselves ---*- C++ -*-===//
//
// A value that cheap ops make from values in memory need not lie in memory: the
// kernel that reads it can do those ops itself, in front of its own, on the
// tiles that it loads. The results are the same to the last bit.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_FUSE_PROLOGUE_H
#define PASSES_FUSE_PROLOGUE_H

#include "dialects/Tarn/TarnOps.h"

namespace tarn {

/// How a kernel makes one of its results by cheap ops.
struct CheapChain {
  /// In the order of the kernel.
  llvm::SmallVector<mlir::Operation *> ops;
  /// What they start from, as the kernel's body has it: its arguments, and
  /// values that it yields too.
  llvm::SmallVector<mlir::Value> leaves;
};

/// The ops behind a result of a kernel. Nothing, with `reason` set, where one
/// of them is not cheap (see the interface Recomputable).
std::optional<CheapChain> cheapChain(mlir::OpResult result,
                                     std::string &reason);

/// What a kernel reads that does what `reader` does and makes `without` itself:
/// inputs of `reader`, or inputs of the makers of other values in `without`.
/// Every value in `without` has a cheap chain. Nothing where `reader` reads one
/// of them in another shape.
std::optional<llvm::SmallVector<mlir::Value>>
inputsWithPrologue(graph::ClusterOp reader,
                   llvm::ArrayRef<mlir::OpResult> without);

/// The kernel itself, at the builder's place, or outside of any block where it
/// has none. Its inputs are those above.
graph::ClusterOp createWithPrologue(mlir::OpBuilder &b, graph::ClusterOp reader,
                                    llvm::ArrayRef<mlir::OpResult> without);

} // namespace tarn

#endif // PASSES_FUSE_PROLOGUE_H
