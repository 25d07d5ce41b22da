//===- ForwardPass.h - what a loss waits for --------------------*- C++ -*-===//

#ifndef PASSES_PLAN_FORWARDPASS_H
#define PASSES_PLAN_FORWARDPASS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// The kernels and aliases that a function's loss waits for, in order.
class ForwardPass {
public:
  explicit ForwardPass(mlir::func::FuncOp function);

  llvm::ArrayRef<mlir::Operation *> ops() const { return forward; }
  /// Where an op stands among them, or nothing.
  std::optional<int64_t> placeOf(mlir::Operation *op) const {
    auto found = place.find(op);
    return found == place.end() ? std::nullopt : std::optional(found->second);
  }
  /// Whether the value is made by a forward kernel that may run twice.
  bool isRecomputable(mlir::Value value) const;
  /// Recomputable results of kernels that the backward pass reads, itself or
  /// through aliases, in order. Keeping all of them computes nothing again.
  llvm::SmallVector<mlir::Value> saved() const;

private:
  mlir::func::FuncOp function;
  llvm::SmallVector<mlir::Operation *> forward;
  llvm::DenseMap<mlir::Operation *, int64_t> place;
};

} // namespace tarn

#endif // PASSES_PLAN_FORWARDPASS_H
