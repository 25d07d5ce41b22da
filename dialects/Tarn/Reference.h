//===- Reference.h - running regions of tarn ops in float64 -----*- C++ -*-===//

#ifndef DIALECTS_TARN_REFERENCE_H
#define DIALECTS_TARN_REFERENCE_H

#include "dialects/Tarn/HostTensor.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace tarn::graph {

/// How the reference computes.
struct ReferenceOptions {
  /// Round every value to its element type, as a program that stores each
  /// value does. Off: everything is float64 and casts between floats are free.
  bool typed = false;
  /// Evaluates ops that are not Evaluable (calls); null: they are errors.
  llvm::function_ref<mlir::LogicalResult(mlir::Operation *,
                                         llvm::ArrayRef<HostTensor>,
                                         llvm::SmallVectorImpl<HostTensor> &)>
      other = nullptr;
  /// Sees every op with its results; null: nobody looks.
  llvm::function_ref<void(mlir::Operation *, llvm::ArrayRef<HostTensor>)>
      watch = nullptr;
};

/// Runs the ops of a block; `results` are the terminator's operands.
mlir::LogicalResult evaluateBlock(mlir::Block &block,
                                  llvm::ArrayRef<HostTensor> arguments,
                                  llvm::SmallVectorImpl<HostTensor> &results,
                                  const ReferenceOptions &options = {});

/// Builds the ops of a region of attention, written on rank-0 tensors, on
/// tensors of `shape`. `arguments` replace the region's arguments: indices and
/// scores of that shape, captures as they are. Returns what the region yields,
/// in that shape.
mlir::Value inlineScalarRegion(mlir::OpBuilder &builder, mlir::Region &region,
                               mlir::ValueRange arguments,
                               llvm::ArrayRef<int64_t> shape);

/// c[m, n] += sum_k a[m, k] * b[k, n], all row-major and contiguous.
void multiplyMatrices(const double *a, const double *b, double *c, int64_t m,
                      int64_t n, int64_t k);

} // namespace tarn::graph

#endif // DIALECTS_TARN_REFERENCE_H
