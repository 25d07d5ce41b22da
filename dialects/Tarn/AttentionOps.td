//===- AttentionOps.td - attention and its backward -----------------------===//

#ifndef DIALECTS_TARN_ATTENTIONOPS_TD
#define DIALECTS_TARN_ATTENTIONOPS_TD

include "dialects/Tarn/TarnBase.td"

def AttentionOp : Tarn_InferredOp<"attention", !listconcat(
    [IsolatedFromAbove, DeclareOpInterfaceMethods<ProductOp, ["getFactors"]>],
    Decomposed, Gradient)> {
  let summary = "mix values by a softmax of query-key products";
  let description = [{
    For each batch b, head h and query i, over the keys j:
    `s_ij = score(scale * sum_d q[b,h,i,d] * k[b,h',j,d], b, h, i, j)`,
    `p_ij = exp(s_ij - lse_i)` where `mask(b, h, i, j)`, else 0,
    `lse_i = log sum_j exp(s_ij)` over the keys that the mask keeps,
    `out[b,h,i] = sum_j p_ij * v[b,h',j]`, with `h' = h / (H / Hkv)`.
    A query without any key gives out = 0 and an lse of at most -1e30.

    The regions hold elementwise `tarn` ops on rank-0 tensors, and
    `tarn.element` to read captures. `mask` has the arguments (b, h, i, j:
    tensor<i32>, captures), `score` (s: tensor<f32>, b, h, i, j, captures);
    both end in `tarn.yield`. An empty mask keeps all keys; an empty score
    returns s.

    Shapes: q `[B,H,T,D]`, k `[B,Hkv,S,D]`, v `[B,Hkv,S,Dv]`; out
    `[B,H,T,Dv]` of q's element type, lse `[B,H,T]` f32.

    Constraints:
    - C1: q, k and v have rank 4 and one element type.
    - C2: q, k and v agree in B.
    - C3: q and k agree in D; k and v agree in Hkv and S.
    - C4: Hkv divides H.
    - C5: the regions have the arguments and results above.
    - C6: the regions hold elementwise ops on rank-0 tensors and
      `tarn.element` only.

    Gradient: `attention_backward`; for floats that `score` captures (slopes, a
    table of biases) the gradient of the decomposition, which holds all scores
    at once. None for lse.

    Example:
    ```mlir
    %out, %lse = tarn.attention %q, %k, %v scale = 0.125 mask {
    ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
      %0 = tarn.compare le %j, %i : tensor<i32>
      tarn.yield %0 : tensor<i1>
    } : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$q, Tarn_Float:$k, Tarn_Float:$v,
                       Variadic<Tarn_Tensor>:$captures, Tarn_RealAttr:$scale,
                       UnitAttr:$tf32);
  let results = (outs Tarn_Float:$out, Tarn_F32:$lse);
  let regions = (region MaxSizedRegion<1>:$mask, MaxSizedRegion<1>:$score);
  let assemblyFormat = [{
    $q `,` $k `,` $v (`captures` `(` $captures^ `:` type($captures) `)`)?
    `scale` `=` $scale (`mask` $mask^)? (`score` $score^)?
    attr-dict `:` type($q) `,` type($k) `,` type($v)
  }];
  let extraClassDeclaration = [{
    /// Fills an empty mask region with `j <= i`, or `j <= i + offset` where
    /// `offset` is a captured tensor<i32>.
    static void buildCausalMask(
        ::mlir::Region &region, ::mlir::TypeRange captures = {},
        ::std::optional<unsigned> offset = ::std::nullopt);
    /// Whether a mask is `j <= i`: then blocks of keys behind a block of
    /// queries are never visited.
    static bool isCausalMask(::mlir::Region &mask);
  }];
  let hasRegionVerifier = 1;
}

def AttentionBackwardOp : Tarn_Op<"attention_backward", !listconcat(
    [IsolatedFromAbove, AllShapesMatch<["q", "dq"]>,
     AllShapesMatch<["k", "dk"]>, AllShapesMatch<["v", "dv"]>,
     AllElementTypesMatch<["dq", "dk", "dv"]>,
     DeclareOpInterfaceMethods<ProductOp, ["getFactors"]>],
    Decomposed, NoGradient)> {
  let summary = "compute the gradients of attention's q, k and v";
  let description = [{
    With p as in `tarn.attention`, from its lse: `dv_j = sum_i p_ij * g_i`,
    `dp_ij = g_i . v_j`, `ds_ij = p_ij * (dp_ij - g_i . out_i)`, through
    `score_gradient` to the product and times `scale`: `dq_i = sum_j ds_ij *
    k_j`, `dk_j = sum_i ds_ij * q_i`. Key heads sum over their query heads.

    In place of out there may be what is made of it: the sums `g_i . out_i`, in
    f32, shaped as lse. Two ops of which one makes dq and the other dk and dv
    (tarn-split-attention) read them, and out only once.

    A kernel of the op makes what is used of its results. All three: a block
    for each key head, which adds to dq in memory, in the order of keys. dk and
    dv: a block for each part of the keys, with its sums over queries and the
    heads that share the keys. dq: a block for each part of the queries.

    The region `score_gradient` has the arguments (g, s: tensor<f32>, b, h, i,
    j: tensor<i32>, captures) and returns g * d score / d s; it is empty when
    `score` is.

    Shapes: as `tarn.attention`, grad as its out; each gradient has its
    operand's shape, in f32 or the operands' element type.

    Constraints: those of `tarn.attention`, and
    - C7: out and lse have the types of its results, or both that of lse; grad
      has that of out.
    - C8: `score_gradient` is there exactly when `score` is.
    - C9: the gradients are f32 or have the operands' element type.

    Gradient: none (second derivatives go through the decomposition).

    Example:
    ```mlir
    %dq, %dk, %dv = tarn.attention_backward %q, %k, %v, %out, %lse, %g
      scale = 0.125 mask {
    ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
      %0 = tarn.compare le %j, %i : tensor<i32>
      tarn.yield %0 : tensor<i1>
    } : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$q, Tarn_Float:$k, Tarn_Float:$v,
                       Tarn_Float:$out, Tarn_F32:$lse, Tarn_Float:$grad,
                       Variadic<Tarn_Tensor>:$captures, Tarn_RealAttr:$scale,
                       UnitAttr:$tf32);
  let results = (outs Tarn_Float:$dq, Tarn_Float:$dk, Tarn_Float:$dv);
  let regions = (region MaxSizedRegion<1>:$mask, MaxSizedRegion<1>:$score,
                        MaxSizedRegion<1>:$score_gradient);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $out `,` $lse `,` $grad
    (`captures` `(` $captures^ `:` type($captures) `)`)?
    `scale` `=` $scale (`mask` $mask^)? (`score` $score^)?
    (`score_gradient` $score_gradient^)?
    attr-dict `:` type($q) `,` type($k) `,` type($v) `,` type($out) `,`
    type($lse) `,` type($grad) `->` type($dq) `,` type($dk) `,` type($dv)
  }];
  let extraClassDeclaration = [{
    /// Whether the sums of grad * out are given in place of out.
    bool hasSums() { return getOut().getType().getRank() == 3; }
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif
