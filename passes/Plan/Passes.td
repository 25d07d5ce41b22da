//===- Passes.td - phase `plan`: when kernels run and where values lie ----===//

#ifndef PASSES_PLAN_PASSES_TD
#define PASSES_PLAN_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnPlanMemory : Pass<"tarn-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Turn functions of kernels into programs on memory slices";
  let description = [{
    What: every function with `tarn.kind` becomes a `step.program` of the same
    name: launches in order, every value at an offset of a memory space. All
    functions share one layout of the state. A new state is written over the
    old one where every read of the old one comes before (or happens in the same
    elementwise kernel at the same place); else it is copied at the end. A
    function of kind `micro` goes into a `step.repeat` of the step that names
    it.

    When: phase plan, after materialize-tiles.

    Example: see test/passes/Plan/plan-memory.mlir.

    Limits: values are kept from their kernel to their last use.

    Numerics: exact.
  }];
  let dependentDialects = ["::tarn::step::StepDialect"];
}

def TarnPlanRecompute : Pass<"tarn-plan-recompute", "::mlir::ModuleOp"> {
  let summary = "Choose what is kept and what is computed again";
  let description = [{
    What: the policy `auto`. Makes a ladder of plans for the training step, from
    keeping every value that the backward pass reads to keeping none, each rung
    giving up what costs the least time a byte; packs every rung exactly; takes
    the fastest that fits into `budget-bytes` (state, arena, inputs, outputs and
    constants together, over all functions). Values that are not kept are
    computed again by their own kernels right before the backward pass reads
    them. The ladder is noted in the module's `tarn.plan`.

    When: phase plan, before tarn-plan-memory.

    Example: see test/passes/Plan/plan-recompute.mlir.

    Limits: a value is computed again once; the order of the kernels stays.

    Numerics: exact (the same kernels on the same values).
  }];
  let dependentDialects = ["::tarn::step::StepDialect"];
  let options = [
    Option<"budgetBytes", "budget-bytes", "int64_t", /*default=*/"-1",
           "bytes that all memory spaces may take; negative: no limit">,
    Option<"policy", "policy", "std::string", /*default=*/"\"auto\"",
           "auto, or recompute-all: the last rung">,
    Option<"device", "device", "std::string", /*default=*/"\"cpu\"",
           "the device that times are estimated for">,
    Option<"times", "times", "std::string", /*default=*/"\"\"",
           "file with measured times of kernels; empty: none">
  ];
}

def TarnPlanOffload : Pass<"tarn-plan-offload", "::mlir::func::FuncOp"> {
  let summary = "Park what the backward pass reads in host memory";
  let description = [{
    What: the policy `offload-all`. Every value that the forward pass makes and
    the backward pass reads is copied to host memory while the next `lead`
    kernels run, and back while the last `lead` kernels before its first
    backward reader run. Between the copies its place in the arena is free. A
    value without a kernel between the copies stays.

    When: phase plan, before tarn-plan-memory, in functions of kind train and
    micro.

    Example: see test/passes/Plan/plan-offload.mlir.

    Limits: does not ask whether a copy is made in time; a copy that is not
    makes its wait long.

    Numerics: exact (copies).
  }];
  let dependentDialects = ["::tarn::step::StepDialect"];
  let options = [
    Option<"lead", "lead", "int64_t", /*default=*/"4",
           "kernels that run beside each copy">,
    Option<"minBytes", "min-bytes", "int64_t", /*default=*/"0",
           "smaller values stay">
  ];
}

def TarnRecomputeSegments
    : Pass<"tarn-recompute-segments", "::mlir::func::FuncOp"> {
  let summary = "Keep sqrt(n) of the forward pass, compute the rest again";
  let description = [{
    What: the policy `sqrt`. The kernels that the loss waits for are cut into
    about sqrt(n) segments, where few bytes cross. Values that cross are kept;
    all others that the backward pass needs are computed again right before
    their first use there, by launching the same kernels. The last segment is
    kept.

    When: phase plan, before tarn-plan-memory, in functions of kind train and
    micro.

    Example: see test/passes/Plan/recompute-segments.mlir.

    Limits: segments count kernels, not seconds.

    Numerics: exact (the same kernels on the same values).
  }];
}

#endif // PASSES_PLAN_PASSES_TD
