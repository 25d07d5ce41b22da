//===- Offload.h - values wait in host memory -------------------*- C++ -*-===//

#ifndef PASSES_PLAN_OFFLOAD_H
#define PASSES_PLAN_OFFLOAD_H

#include "dialects/Step/StepOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// How one value leaves the arena for a while. The three ops stand in this
/// order in the function's block, behind the kernel that makes the value:
///
///   kernel  readers...  away ........ fetch ....... reader  readers...
///         |-- copy out --|  free here  |-- copy back --|
struct OffloadPlan {
  mlir::Value value; ///< a result of a kernel
  /// The copy out has been made before this op; from here on the value's place
  /// is free. Nothing from here to `reader` reads the value.
  mlir::Operation *away = nullptr;
  /// The copy back starts before this op, into a new place.
  mlir::Operation *fetch = nullptr;
  /// It has been made before this op; it and all later readers use the copy.
  mlir::Operation *reader = nullptr;
};

/// Positions for a value that `reader` reads, itself or through reshapes, after
/// a while without readers. Each copy gets `lead` kernels to run beside.
/// Nothing if no kernel would run while the value is away.
std::optional<OffloadPlan> planOffload(mlir::Value value,
                                       mlir::Operation *reader, int64_t lead);

/// Starts the copy of a value to another space. The result is to be used behind
/// a `step.wait` for the token.
step::MoveStartOp startMove(mlir::OpBuilder &b, mlir::Value value,
                            step::Space space);

/// Rewrites the value's function by `step.move_start` and `step.wait`. Exact.
void offload(const OffloadPlan &plan);

} // namespace tarn

#endif // PASSES_PLAN_OFFLOAD_H
