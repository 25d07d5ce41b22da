//===- ReduceOps.td - ops that drop dims ----------------------------------===//

#ifndef DIALECTS_TARN_REDUCEOPS_TD
#define DIALECTS_TARN_REDUCEOPS_TD

include "dialects/Tarn/TarnBase.td"

class Tarn_Reduce<string mnemonic, string formula, string gradient>
    : Tarn_InferredOp<mnemonic, !listconcat(Reduction, Gradient)> {
  let summary = "reduce dims by " # formula;
  let description = "`result[i] = " # formula # [{ of x` over `dims`, which the
    result no longer has. bf16 and f16 are accumulated in f32 and rounded once.

    Shapes: x's without `dims`.

    Constraints:
    - C1: `dims` increases and lies within x's rank.

    Gradient: }] # gradient # [{

    Example:
    ```mlir
    %r = tarn.}] # mnemonic # [{ %x dims = [1] : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Number:$x, DenseI64ArrayAttr:$dims);
  let results = (outs Tarn_Number:$result);
  let assemblyFormat = "$x `dims` `=` $dims attr-dict `:` type($x)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def ReduceSumOp : Tarn_Reduce<"reduce_sum", "sum", "`dx = broadcast(g)`.">;
def ReduceMaxOp : Tarn_Reduce<"reduce_max", "maximum",
    "`g` where `x` equals the maximum, split evenly among equal ones.">;

def ArgmaxOp : Tarn_InferredOp<"argmax", !listconcat(Decomposed, NoGradient)> {
  let summary = "find the position of the largest element";
  let description = [{
    `result[i]` is the smallest position along `dim` at which x is largest.

    Shapes: x's without `dim`; i32.

    Constraints:
    - C1: `dim` is a dim of x.
    - C2: x has at most 2^24 elements along `dim` (positions are compared in
      f32).

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.argmax %x dim = 1 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_DimAttr:$dim);
  let results = (outs Tarn_I32:$result);
  let assemblyFormat = "$x `dim` `=` $dim attr-dict `:` type($x)";
}

#endif
