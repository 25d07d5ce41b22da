//===- Passes.td - phase `precision`: what is computed in which type ------===//

#ifndef PASSES_PRECISION_PASSES_TD
#define PASSES_PRECISION_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnMixedPrecision : Pass<"tarn-mixed-precision", "::mlir::func::FuncOp"> {
  let summary = "Give products short operands where the function asks for it";
  let description = [{
    What: in a function with `tarn.precision = "bf16"` the factors of every
    product (ProductOp: dots, attention and its backward) are rounded to bf16,
    once per value, where it is made, whatever views and concatenations lie in
    between; products sum in f32. What a product makes is rounded too
    where several ops read it, after the bias and the like, or where it is put
    together with others of its kind; each reader widens it for itself.
    Gradients of weights, parameters, optimizer state, norms, softmax, losses,
    reductions and the residual stream stay f32: the master weights never lose a
    bit.

    When: phase precision, after train: gradients' products are rounded too.

    With `tarn.precision = "tf32"` products of f32 are marked `tf32`: each
    rounds its factors to tf32 for itself, and all that lies in memory is f32.

    Example: see test/passes/Precision/mixed-precision.mlir.

    Limits: elementwise ops compute in f32.

    Numerics: precision.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

def TarnNarrowSaved : Pass<"tarn-narrow-saved", "::mlir::func::FuncOp"> {
  let summary = "Keep what the backward pass reads in bf16";
  let description = [{
    What: in functions of kind train and micro, each f32 value that the forward
    pass makes and the backward pass reads (itself or through views) is rounded
    to bf16 where it is made (`tarn.saved`: no reader rounds it for itself); the backward pass reads the short form and widens
    it, each reader for itself (tarn-fuse-clusters sees to that). Readers in the
    forward pass, and metrics, keep the f32 value. What is forward is asked of
    the roles of results: what the loss waits for; what is backward, too: what
    a state waits for and the loss does not.

    When: phase precision, after tarn-mixed-precision, where the user allows to
    change rounding.

    Example: see test/passes/Precision/narrow-saved.mlir.

    Limits: parameters, state, integers, bits and what has less than 1/32 of the
    elements of the largest saved value (statistics of rows) stay as they are.

    Numerics: precision.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

#endif // PASSES_PRECISION_PASSES_TD
