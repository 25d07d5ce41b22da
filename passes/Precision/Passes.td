//===- Passes.td - phase `precision`: what is computed in which type ------===//

#ifndef PASSES_PRECISION_PASSES_TD
#define PASSES_PRECISION_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnMixedPrecision : Pass<"tarn-mixed-precision", "::mlir::func::FuncOp"> {
  let summary = "Give products bf16 operands where the function asks for it";
  let description = [{
    What: in a function with `tarn.precision = "bf16"` the operands of every
    op that is a product of f32 tensors (tile kind `dot`) are rounded to bf16;
    products are summed in f32 and their results stay f32. A value that several
    products read is rounded once. Parameters, optimizer state, norms, softmax,
    losses, reductions and the residual stream stay f32: the master weights
    never lose a bit.

    When: phase precision, after train: gradients' products are rounded too.

    Example: see test/passes/Precision/mixed-precision.mlir.

    Limits: attention keeps f32 operands.

    Numerics: precision.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

#endif // PASSES_PRECISION_PASSES_TD
