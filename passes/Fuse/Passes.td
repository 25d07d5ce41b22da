//===- Passes.td - phase `fuse`: which ops share a kernel -----------------===//

#ifndef PASSES_FUSE_PASSES_TD
#define PASSES_FUSE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnFuseClusters : Pass<"tarn-fuse-clusters", "::mlir::func::FuncOp"> {
  let summary = "Group ops into kernels";
  let description = [{
    What: every op but reshapes and constants of several values goes into a
    `tarn.cluster`, which becomes one kernel. From the last op to the first, an
    op joins the kernel that uses its result where the two can be one program
    (see ClusterAnalysis.h) and no other kernel comes between them; else it
    begins its own. Ops that cost nothing (broadcasts, transposes, slices,
    splat constants, index numbers) are repeated in every kernel that needs
    them, and so is what cheap ops make out of fewer bits (a widened copy, a
    comparison with index numbers): what it is made of lies in memory. At the
    end kernels that reduce the rows of one value become one, which reads them
    once.

    What only moves bytes is no kernel where it need not be:
    - a slice, and a reshape that takes away its dims of one element, are views
      that every reader repeats: attention reads heads where the product of q,
      k and v left them;
    - what an op with a program of its own makes lies in memory once, in the
      order in which a view of it must (`[B, T, H, D]` for the next product):
      its other readers see it through that;
    - such an op stores its results where they are put together along a dim of
      their own (dq, dk, dv in the gradient of one product);
    - where several kernels make such parts (dq in one, dk and dv in another, or
      dq rounded behind the one that adds it up in f32), each writes its own:
      the whole is the sum in place (`tarn.in_place`) of pads that are open
      (`tarn.open`), of which the kernels write what is not padding;
    - a slice that is one run of bytes of what is stored anyway, and a
      concatenation of stored values that are made for it alone, are names for
      bytes (`tarn.in_place`), without bytes and a launch of their own.

    A product does not take in what is made, further on, of its own much
    larger operand: this would have to be kept until then. No rule names an op.

    When: phase fuse, on a graph of loop nests (composites decomposed but for
    those with programs of their own).

    Remarks (category `tarn-fuse`): `border`, with the ops on its two sides and
    the reason; `one kernel with`, where two became one at the end. With
    `explain` each cluster says in `tarn.borders` why none of its readers took
    it.

    Example: see test/passes/Fuse/fuse-clusters.mlir.

    Limits: parts are names only where they begin at a multiple of 64 bytes,
    and not for the caller, who gets a copy. Results are not put together along
    a dim that they have. An op is the work of one kernel. Where several kernels
    read what cheap ops make, whether they make it themselves is the plan's to
    decide (tarn-plan-schedule). A kernel holds 256 ops; some ops with programs
    of their own are alone.

    Numerics: exact.
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
  let options = [
    Option<"explain", "explain", "bool", /*default=*/"false",
           "report every border as a remark at its op, and note it at its "
           "cluster">
  ];
}

#endif // PASSES_FUSE_PASSES_TD
