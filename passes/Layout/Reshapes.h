//===- Reshapes.h - what passes that move reshapes share --------*- C++ -*-===//

#ifndef PASSES_LAYOUT_RESHAPES_H
#define PASSES_LAYOUT_RESHAPES_H

#include "dialects/Tarn/TarnOps.h"

namespace tarn {

/// Dims [outerBegin, outerEnd) of one shape hold the same elements as
/// [innerBegin, innerEnd) of the other.
struct DimGroup {
  int64_t outerBegin, outerEnd, innerBegin, innerEnd;
};

/// The finest groups of `outer` and `inner`, two shapes of one buffer.
llvm::SmallVector<DimGroup> groupDims(llvm::ArrayRef<int64_t> outer,
                                      llvm::ArrayRef<int64_t> inner);

/// `value` seen as `shape`: without a reshape op where there is a direct way.
mlir::Value reshaped(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                     llvm::ArrayRef<int64_t> shape);

/// An op whose operands and results all have one shape and whose body does not
/// look at indices.
bool isPlainElementwise(mlir::Operation *op);

/// A broadcast of x straight to another shape of its result: the new dims that
/// dims of x go to, and the shape of x for that.
struct FoldedBroadcast {
  llvm::SmallVector<int64_t> dims, shape;
};
/// Nothing where a group of dims is new in part, or several dims of x would
/// have to be repeated apart.
std::optional<FoldedBroadcast> foldBroadcast(graph::BroadcastOp broadcast,
                                             llvm::ArrayRef<int64_t> to);

} // namespace tarn

#endif // PASSES_LAYOUT_RESHAPES_H
