//===- Differentiate.h - reverse mode over a block --------------*- C++ -*-===//

#ifndef DIALECTS_TARN_DIFFERENTIATE_H
#define DIALECTS_TARN_DIFFERENTIATE_H

#include "mlir/IR/Builders.h"

namespace tarn {

/// Builds, at the builder's insertion point, the gradient of the rank-0 float
/// `root` with respect to each of `targets` (values of one block). A target
/// that `root` does not depend on gets zeros. Uses of a value add up in reverse
/// program order. An op on the way that has no gradient is an error at its
/// location.
mlir::LogicalResult
differentiate(mlir::OpBuilder &builder, mlir::Value root,
              mlir::ValueRange targets,
              llvm::SmallVectorImpl<mlir::Value> &gradients);

} // namespace tarn

#endif // DIALECTS_TARN_DIFFERENTIATE_H
