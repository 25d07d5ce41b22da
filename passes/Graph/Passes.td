//===- Passes.td - passes on the forward graph ----------------------------===//

#ifndef PASSES_GRAPH_PASSES_TD
#define PASSES_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

def Decompose : Pass<"tarn-decompose"> {
  let summary = "rewrite composites as graphs of simpler ops";
  let description = [{
    Replaces every op that is a `Composite` without loops of its own (norms,
    softmax, losses, argmax, rope) by what its `decompose()` builds, so that
    the fuse phase sees loop nests only. Composites that are one elementwise op
    (relu, gelu, silu) stay, unless `elementwise` is set.

    Runs before fuse, after train and precision.

    ```mlir
    %r = tarn.ratio %s, %c : tensor<f32>
    // becomes
    %one = tarn.constant dense<1.0> : tensor<f32>
    %n = tarn.max %c, %one : tensor<f32>
    %r = tarn.div %s, %n : tensor<f32>
    ```

    Limits: attention and its backward stay, because they bring their own tile
    programs; an empty `keep` decomposes them too.

    Numerics: reassociates.
  }];
  let options = [
    ListOption<"keep", "keep", "std::string", "names of ops that stay",
      [{llvm::cl::list_init<std::string>(
          {"tarn.attention", "tarn.attention_backward"})}]>,
    Option<"attention", "attention", "bool", /*default=*/"false",
      "decompose attention too, whatever `keep` says">,
    Option<"elementwise", "elementwise", "bool", /*default=*/"false",
      "decompose composites that are one elementwise op as well">,
  ];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

#endif
