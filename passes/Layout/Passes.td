//===- Passes.td - phase `layout`: how values lie in memory ---------------===//

#ifndef PASSES_LAYOUT_PASSES_TD
#define PASSES_LAYOUT_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnSinkReshapes : Pass<"tarn-sink-reshapes"> {
  let summary = "Move reshapes below the ops that do not care";
  let description = [{
    What: a reshape only renames places, but it hides from fusion that its two
    sides are the same loop nest. Elementwise ops, reductions, broadcasts and
    iotas that see a reshaped operand are rewritten over the operand's own
    shape, and the reshape moves below them, until it meets an op that needs
    the shape (attention, gather) or the end.

    When: phase layout, after composites are decomposed.

    ```mlir
    %r = tarn.reshape %x : tensor<12x8xf32> -> tensor<3x4x8xf32>
    %e = tarn.exp %r : tensor<3x4x8xf32>
    // becomes
    %e = tarn.exp %x : tensor<12x8xf32>
    %r = tarn.reshape %e : tensor<12x8xf32> -> tensor<3x4x8xf32>
    ```

    Limits: dims are only merged or split as whole groups; a broadcast whose
    new and old dims fall into one group keeps its reshape.

    Numerics: exact.
  }];
}

#endif // PASSES_LAYOUT_PASSES_TD
