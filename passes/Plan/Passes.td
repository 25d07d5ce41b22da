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
    kernel at the same place); else it is copied at the end. A kernel's result
    lies over an operand that nobody reads later where the kernel's program
    allows it (`tile::mayShareBytes`): elementwise work, norms, softmax and
    their gradients are in place. A
    function of kind `micro` goes into a `step.repeat` of the step that names
    it.

    When: phase plan, after materialize-tiles.

    Example: see test/passes/Plan/plan-memory.mlir.

    Limits: values are kept from their kernel to their last use.

    Numerics: exact.
  }];
  let dependentDialects = ["::tarn::step::StepDialect"];
  let options = [
    Option<"inPlace", "in-place", "bool", /*default=*/"true",
           "write results over operands; false: values have bytes of their own">
  ];
}

def TarnPlanSchedule : Pass<"tarn-plan-schedule", "::mlir::ModuleOp"> {
  let summary = "Choose when kernels run, which run again, and what is parked";
  let description = [{
    What: orders the kernels of the training step, and launches some again whose
    results are not kept until then. The policy `auto` climbs a ladder of
    schedules from keeping everything to keeping as little as can be: at the
    fullest moments a minimum cut decides what lives and what is made again, at
    rising prices for a byte; small graphs are polished by annealing. Values that
    nobody reads for long are parked in host memory (`step.move_start`), as many
    as the device's link carries beside the kernels or, where little is kept, as
    it carries while they wait. Every rung is packed exactly, the host's part of
    it (at most `host-bytes`) by itself; the fastest that fits into `budget-bytes` (state, arena,
    inputs, outputs and constants together, over all functions) is taken. The
    ladder, a lower bound on the bytes and one on the seconds of the chosen rung
    are noted in the module's `tarn.plan`.

    A kernel may make what it reads itself: for a value that cheap ops (see the
    interface Recomputable) make from others, each reader has a variant with
    those ops in its prologue, also in front of a product. Its time is that of
    its own tile program; its blocks are the same, so no sum changes its order.
    Where the value is not kept, its readers run as variants, and it needs
    neither bytes nor another run of its maker; one that nobody reads any more
    is not made. A variant that is modelled faster is used in any budget that is
    given; without one the step is that of `keep-all`.

    `keep-all` only orders, `sqrt` keeps what crosses about sqrt(n) segments
    (arXiv 1604.06174), `recompute-all` keeps nothing of the forward pass.

    When: phase plan, before tarn-plan-memory.

    Example: see test/passes/Plan/plan-schedule.mlir.

    Limits: functions of kind eval and generate stay as they are. A prologue
    holds the ops of one kernel, or of two; it does not look through reshapes.
    Where making a value once more is faster than in the prologues of all who
    read it then, it has no variants. A kernel still stores a result that only
    variants would read.

    Numerics: exact (the same ops on the same values, sums in the same order, and
    copies).
  }];
  let dependentDialects = ["::tarn::step::StepDialect",
                           "::tarn::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
  let options = [
    Option<"budgetBytes", "budget-bytes", "int64_t", /*default=*/"-1",
           "bytes that all memory spaces may take; negative: no limit">,
    Option<"keepAllFirst", "keep-all-first", "bool", /*default=*/"false",
           "take keep-all where it fits, though another plan is faster">,
    Option<"policy", "policy", "std::string", /*default=*/"\"auto\"",
           "auto, keep-all, sqrt or recompute-all">,
    Option<"device", "device", "std::string", /*default=*/"\"cpu\"",
           "the device that times are estimated for">,
    Option<"times", "times", "std::string", /*default=*/"\"\"",
           "file with measured times of kernels; empty: none">,
    Option<"hostBytes", "host-bytes", "int64_t", /*default=*/"-1",
           "host memory that values may be parked in; negative: no limit">,
    Option<"orSmallest", "or-smallest", "bool", /*default=*/"false",
           "take the smallest plan where none fits, and say so">,
    Option<"beatSeconds", "beat-seconds", "double", /*default=*/"0",
           "give up where every plan takes as long or longer; 0: never">,
    Option<"beatBytes", "beat-bytes", "int64_t", /*default=*/"0",
           "give up where every plan takes as much or more; 0: never">,
    Option<"effort", "effort", "double", /*default=*/"1",
           "of the work that goes into plans of small graphs, the share to do">
  ];
}

def TarnGroupLaunches : Pass<"tarn-group-launches", "::mlir::ModuleOp"> {
  let summary = "Let a GPU run launches that are independent as one";
  let description = [{
    What: kernels that wait for nothing (the updates of an optimizer, the parts
    of a norm, copies of weights) are brought together, each at the last of its
    kind that runs before its results are needed; neighbours that do not depend
    on each other become a group (the attribute `tarn.group`), which
    tarn-plan-memory makes a `step.launch_group`. A kernel joins if the model of
    the device says that it takes less time there than alone: a launch less,
    but what it reads may no longer be in the cache. Members have blocks of the
    same threads and no products.

    The function is planned, with places, after each choice: none makes the
    arena or the host's space larger, or adds a copy. What does is tried by
    halves.

    When: phase plan, for GPUs, after tarn-plan-schedule and before
    tarn-plan-memory.

    Example: see test/passes/Plan/group-launches.mlir.

    Limits: a group's table has to fit into the parameters of a launch. Kernels
    that add to memory, and fills, stay alone. At most 128 plans of a function
    are tried.

    Numerics: exact (the same kernels on the same values).
  }];
  let dependentDialects = ["::tarn::step::StepDialect"];
  let options = [
    Option<"device", "device", "std::string", /*default=*/"\"h100\"",
           "the device that times are estimated for">
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

#endif // PASSES_PLAN_PASSES_TD
