//===- Passes.td - phase `precision`: what is computed in which type ------===//

#ifndef PASSES_PRECISION_PASSES_TD
#define PASSES_PRECISION_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnMixedPrecision : Pass<"tarn-mixed-precision", "::mlir::func::FuncOp"> {
  let summary = "Give products bf16 operands where the function asks for it";
  let description = [{
    What: in a function with `tarn.precision = "bf16"` the factors of every
    product (ProductOp: dots, attention and its backward) are rounded to bf16,
    once per value; products sum in f32. What a product makes is rounded too
    where several ops read it, after the bias and the like; each reader widens
    it for itself. Gradients of weights, parameters, optimizer state, norms,
    softmax, losses, reductions and the residual stream stay f32: the master
    weights never lose a bit.

    When: phase precision, after train: gradients' products are rounded too.

    Example: see test/passes/Precision/mixed-precision.mlir.

    Limits: elementwise ops compute in f32.

    Numerics: precision.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

#endif // PASSES_PRECISION_PASSES_TD
