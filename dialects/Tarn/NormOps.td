//===- NormOps.td - norms, losses, rotary positions -----------------------===//

#ifndef DIALECTS_TARN_NORMOPS_TD
#define DIALECTS_TARN_NORMOPS_TD

include "dialects/Tarn/TarnBase.td"

class Tarn_Softmax<string mnemonic, string formula, string gradient>
    : Tarn_Op<mnemonic, !listconcat([SameOperandsAndResultType], Decomposed,
                                    Gradient)> {
  let description = "`result = " # formula # [{` along `dim`. Computed
    in f32 for bf16 and f16.

    Shapes: equal.

    Constraints:
    - C1: `dim` is a dim of x.

    Gradient: }] # gradient # [{

    Example:
    ```mlir
    %r = tarn.}] # mnemonic # [{ %x dim = 1 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_DimAttr:$dim);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = "$x `dim` `=` $dim attr-dict `:` type($x)";
  // Along the last dim.
  let builders = [OpBuilder<(ins "::mlir::Value":$x)>];
  let hasVerifier = 1;
}

def SoftmaxOp : Tarn_Softmax<"softmax", "exp(x - max x) / sum exp(x - max x)",
    "`dx = result * (g - sum(g * result))`."> {
  let summary = "normalise exponentials along a dim";
}
def LogSoftmaxOp : Tarn_Softmax<"log_softmax",
    "x - max x - log sum exp(x - max x)",
    "`dx = g - exp(result) * sum(g)`."> {
  let summary = "take logarithms of a softmax along a dim";
}

def LayerNormOp : Tarn_Op<"layer_norm", !listconcat(
    [AllTypesMatch<["x", "result"]>, AllTypesMatch<["weight", "bias"]>],
    Decomposed, Gradient)> {
  let summary = "normalise rows to mean 0 and variance 1, scale and shift";
  let description = [{
    `result = (x - mean x) * rsqrt(mean (x - mean x)^2 + eps) * weight + bias`
    along the last dim. Computed in f32 for bf16 and f16.

    Shapes: weight and bias have the extent of x's last dim.

    Constraints:
    - C1: x has a rank of at least 1.
    - C2: weight and bias have rank 1 and x's last extent.
    - C3: eps is positive.

    Gradient: with `n = (x - mean) * r` and `h = g * weight`:
    `dx = r * (h - mean h - n * mean(h * n))`, `dweight = sum g * n`,
    `dbias = sum g` over the rows.

    Example:
    ```mlir
    %r = tarn.layer_norm %x, %w, %b eps = 1.0e-5 : tensor<4x8xf32>, tensor<8xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_Float:$weight, Tarn_Float:$bias,
                       Tarn_RealAttr:$eps);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $x `,` $weight `,` $bias `eps` `=` $eps attr-dict `:`
    type($x) `,` type($weight)
  }];
  let hasVerifier = 1;
}

def RmsNormOp : Tarn_Op<"rms_norm", !listconcat(
    [AllTypesMatch<["x", "result"]>], Decomposed, Gradient)> {
  let summary = "divide rows by their root mean square, and scale";
  let description = [{
    `result = x * rsqrt(mean x^2 + eps) * weight` along the last dim. Computed
    in f32 for bf16 and f16.

    Shapes: weight has the extent of x's last dim.

    Constraints:
    - C1: x has a rank of at least 1.
    - C2: weight has rank 1 and x's last extent.
    - C3: eps is positive.

    Gradient: with `n = x * r` and `h = g * weight`:
    `dx = r * (h - n * mean(h * n))`, `dweight = sum g * n` over the rows.

    Example:
    ```mlir
    %r = tarn.rms_norm %x, %w eps = 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_Float:$weight, Tarn_RealAttr:$eps);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $x `,` $weight `eps` `=` $eps attr-dict `:` type($x) `,` type($weight)
  }];
  let hasVerifier = 1;
}

def CrossEntropyOp : Tarn_InferredOp<"cross_entropy", !listconcat(Decomposed,
                                                                  Gradient)> {
  let summary = "take the negative log-probability of each row's target";
  let description = [{
    `log_sum_exp[i..] = log sum_v exp(logits[i.., v])`,
    `loss[i..] = log_sum_exp[i..] - logits[i.., targets[i..]]`, and 0 in rows
    whose target is `ignore_index`. Both are f32 (f64 for f64).

    Shapes: targets, loss and log_sum_exp have logits' shape without the last
    dim.

    Constraints:
    - C1: logits has a rank of at least 1.
    - C2: targets has the extents of logits without the last.

    Gradient: `dlogits = (softmax - onehot) * g` in rows that count, plus
    `softmax * glse`.

    Example:
    ```mlir
    %loss, %lse = tarn.cross_entropy %x, %t ignore_index = -100 : tensor<4x96xf32>, tensor<4xi32>
    ```
  }];
  let arguments = (ins Tarn_Float:$logits, Tarn_Int:$targets,
                       Tarn_DimAttr:$ignore_index);
  let results = (outs Tarn_Float:$loss, Tarn_Float:$log_sum_exp);
  let assemblyFormat = [{
    $logits `,` $targets `ignore_index` `=` $ignore_index attr-dict `:`
    type($logits) `,` type($targets)
  }];
}

def RopeOp : Tarn_Op<"rope", !listconcat(
    [AllTypesMatch<["x", "result"]>, AllTypesMatch<["cosine", "sine"]>],
    Decomposed, Gradient)> {
  let summary = "rotate pairs of features by an angle per position";
  let description = [{
    For each pair (p, q) of features of a row at position t, with
    `c = cosine[t, k]`, `s = sine[t, k]`:
    `result_p = x_p * c - x_q * s`, `result_q = x_q * c + x_p * s`.
    Pair k is features (k, k + D/2), or (2 k, 2 k + 1) under `interleaved`.

    Shapes: x `[.., T, D]`, cosine and sine `[T, D/2]`.

    Constraints:
    - C1: x has a rank of at least 2 and an even last extent.
    - C2: cosine and sine are `[T, D/2]`.

    Gradient: `dx = rope(g)` with the sine negated; none for the angles.

    Example:
    ```mlir
    %r = tarn.rope %x, %cos, %sin : tensor<2x4x8xf32>, tensor<4x4xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_Float:$cosine, Tarn_Float:$sine,
                       UnitAttr:$interleaved);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $x `,` $cosine `,` $sine (`interleaved` $interleaved^)? attr-dict `:`
    type($x) `,` type($cosine)
  }];
  let extraClassDeclaration = [{
    bool isDifferentiableOperand(unsigned operand) { return operand == 0; }
  }];
  let hasVerifier = 1;
}

def RatioOp : Tarn_Op<"ratio", !listconcat(
    [SameOperandsAndResultType], Decomposed, Gradient)> {
  let summary = "divide a sum by a count";
  let description = [{
    `result = sum / max(count, 1)`. The loss as a sum over a count stays in
    sight, so that accumulation over micro-batches can add both.

    Shapes: equal.

    Constraints:
    - C1: operands and result have one type.

    Gradient: `dsum = g / max(count, 1)`; none for the count.

    Example:
    ```mlir
    %r = tarn.ratio %sum, %count : tensor<f32>
    ```
  }];
  let arguments = (ins Tarn_Float:$sum, Tarn_Float:$count);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = "$sum `,` $count attr-dict `:` type($sum)";
  let extraClassDeclaration = [{
    bool isDifferentiableOperand(unsigned operand) { return operand == 0; }
  }];
}

#endif
