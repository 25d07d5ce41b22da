//===- Passes.td - phase `train`: from a forward graph to a step ----------===//

#ifndef PASSES_TRAIN_PASSES_TD
#define PASSES_TRAIN_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnBuildStep : Pass<"tarn-build-step", "::mlir::ModuleOp"> {
  let summary = "Build the training step: gradients, clip, optimizer";
  let description = [{
    What: every function of kind `train` that carries `tarn.train` becomes the
    whole step: gradients of its loss with respect to the trainable parameters,
    the global norm and clip, the optimizer, the schedule of its rate, and the
    next value of every state. All updates are predicated on the result
    `finite`. With `accumulate` above 1 the function is split in two: a `micro`
    function that adds gradients, loss and counts of one micro-batch into
    accumulators, and the step that applies them. With the option `parts` the
    micro-batches are parts of one batch: draws that are marked `tarn.part` are
    parts of one draw, a result that is marked `tarn.adds` is the sum over
    micro-batches, and random keys go on once a step. A function with `tarn.cut`
    that only has a loss and metrics is split in the same way.

    When: phase train, on a forward graph in which calls are inlined.

    Example: see test/passes/Train/build-step.mlir, accumulate-parts.mlir.

    Limits: the loss is a rank-0 float. Ops without a gradient are an error at
    their source line.

    Numerics: exact (the forward graph is unchanged); with `parts` or `tarn.cut`,
    rounding or meaning, as whoever set them has to find out and to note.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

def TarnBuildGradient : Pass<"tarn-build-gradient", "::mlir::ModuleOp"> {
  let summary = "Return gradients beside a function's results";
  let description = [{
    What: the function named `function` also returns `grad.NAME`, the gradient
    of its first float result of rank 0, for every trainable parameter; it and
    the functions it needs are all that is left of the module. This is what
    `tarn run --grad` compiles.

    When: in place of tarn-build-step.

    Example: see test/passes/Train/build-gradient.mlir.

    Limits: as tarn-build-step.

    Numerics: exact.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
  let options = [
    Option<"function", "function", "std::string", /*default=*/"",
           "name of the function">
  ];
}

def TarnVerifyStep : Pass<"tarn-verify-step", "::mlir::ModuleOp"> {
  let summary = "Check the form that phase train ends in";
  let description = [{
    What: every argument and result of a function with `tarn.kind` has a role
    and a name; in a function of kind `train` each parameter that is trained,
    and each optimizer state, has exactly one next value, of its type; no
    result updates what is no argument.

    When: at the end of phase train.

    Example: see test/passes/Train/verify-step.mlir.

    Numerics: exact (changes nothing).
  }];
}

#endif // PASSES_TRAIN_PASSES_TD
