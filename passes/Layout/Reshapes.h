//===- Reshapes.h - what passes that move reshapes share --------*- C++ -*-===//

#ifndef PASSES_LAYOUT_RESHAPES_H
#define PASSES_LAYOUT_RESHAPES_H

#include "mlir/IR/Builders.h"

namespace tarn {

/// `value` seen as `shape`: without a reshape op where there is a direct way.
mlir::Value reshaped(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                     llvm::ArrayRef<int64_t> shape);

/// An op whose operands and results all have one shape and whose body does not
/// look at indices.
bool isPlainElementwise(mlir::Operation *op);

} // namespace tarn

#endif // PASSES_LAYOUT_RESHAPES_H
