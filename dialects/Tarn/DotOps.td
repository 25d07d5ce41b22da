//===- DotOps.td - products, gathers and scatters -------------------------===//

#ifndef DIALECTS_TARN_DOTOPS_TD
#define DIALECTS_TARN_DOTOPS_TD

include "dialects/Tarn/TarnBase.td"

def DotOp : Tarn_Op<"dot", !listconcat(LoopsAndCombiner, Gradient, [
    DeclareOpInterfaceMethods<ProductOp, ["getProductShape"]>])> {
  let summary = "multiply matrices, batch by batch";
  let description = [{
    `result[.., m, n] = sum_k a'[.., m, k] * b'[.., k, n]` where `a'` is `a`
    with its last two dims swapped under `transpose_a`, likewise `b'`.
    Accumulates in f32 (f64 for f64), rounds once. Under `tf32` the elements of
    `a` and `b` are rounded to tf32 before they are multiplied.

    Shapes: all leading dims are batch dims.

    Constraints:
    - C1: a and b have one rank, at least 2.
    - C2: the batch extents are equal.
    - C3: a and b agree in the extent that is summed over.
    - C4: a and b have one element type, and the result has it or f32.
    - C5: the result's shape is the batch extents, m and n.

    Gradient: `da = dot(g, b)`, `db = dot(a, g)`, transposed to fit.

    Example:
    ```mlir
    %r = tarn.dot %a, %b transpose_b : tensor<4x8xf32>, tensor<6x8xf32> -> tensor<4x6xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$a, Tarn_Float:$b, UnitAttr:$transpose_a,
                       UnitAttr:$transpose_b, UnitAttr:$tf32);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $a `,` $b (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)?
    attr-dict `:` type($a) `,` type($b) `->` type($result)
  }];
  // A null element type means the operands'.
  let builders = [OpBuilder<(ins "::mlir::Value":$a, "::mlir::Value":$b,
      CArg<"bool", "false">:$transposeA, CArg<"bool", "false">:$transposeB,
      CArg<"::mlir::Type", "{}">:$elementType)>];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def GatherOp : Tarn_InferredOp<"gather", !listconcat(Loops, Gradient)> {
  let summary = "take rows of a table";
  let description = [{
    `result[i.., r..] = table[indices[i..], r..]`; a row outside of the table is
    zero.

    Shapes: table `[V, rest..]`, indices any; the result is
    `indices.shape + rest`.

    Constraints:
    - C1: table has a rank of at least 1.

    Gradient: `dtable = scatter_add(indices, g) rows = V`.

    Example:
    ```mlir
    %r = tarn.gather %table, %i : tensor<96x8xf32>, tensor<2x3xi32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$table, Tarn_Int:$indices);
  let results = (outs Tarn_Tensor:$result);
  let hasCanonicalizer = 1;
  let assemblyFormat = [{
    $table `,` $indices attr-dict `:` type($table) `,` type($indices)
  }];
}

def ScatterAddOp : Tarn_InferredOp<"scatter_add", !listconcat(
    LoopsAndCombiner, Gradient)> {
  let summary = "add rows into a table of zeros";
  let description = [{
    `result[v, r..] = sum of updates[i.., r..] over all i with indices[i] = v`,
    added in row-major order of i; rows outside of the table are dropped.

    Shapes: updates `indices.shape + rest`; the result is `[rows, rest..]`.

    Constraints:
    - C1: the leading dims of `updates` are those of `indices`.
    - C2: `rows` is positive.

    Gradient: `dupdates = gather(g, indices)`.

    Example:
    ```mlir
    %r = tarn.scatter_add %i, %u rows = 96 : tensor<2x3xi32>, tensor<2x3x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Int:$indices, Tarn_Float:$updates,
                       Tarn_DimAttr:$rows);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $indices `,` $updates `rows` `=` $rows attr-dict `:`
    type($indices) `,` type($updates)
  }];
}

def TakeAlongOp : Tarn_InferredOp<"take_along", !listconcat(Loops, Gradient)> {
  let summary = "take one element of each row";
  let description = [{
    `result[i..] = x[i.., indices[i..]]`; a position outside of the row gives 0.

    Shapes: indices has x's shape without the last dim; so has the result.

    Constraints:
    - C1: x has a rank of at least 1.
    - C2: indices has the extents of x without the last.

    Gradient: `dx[i.., j] = g[i..] where j = indices[i..], else 0`.

    Example:
    ```mlir
    %r = tarn.take_along %x, %i : tensor<4x8xf32>, tensor<4xi32>
    ```
  }];
  let arguments = (ins Tarn_Number:$x, Tarn_Int:$indices);
  let results = (outs Tarn_Number:$result);
  let assemblyFormat = [{
    $x `,` $indices attr-dict `:` type($x) `,` type($indices)
  }];
}

def ElementOp : Tarn_InferredOp<"element", !listconcat(Loops, NoGradient)> {
  let summary = "read one element at a run-time position";
  let description = [{
    `result = x[positions[0], positions[1], ...]`; outside of x it is 0. Meant
    for the regions of attention, which read captured tensors with it.

    Shapes: the result has rank 0.

    Constraints:
    - C1: there is one position per dim of x.

    Gradient: none yet.

    Example:
    ```mlir
    %r = tarn.element %segment[%b, %i] : tensor<12x64xi32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x, Variadic<Tarn_ScalarI32>:$positions);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = "$x `[` $positions `]` attr-dict `:` type($x)";
}

#endif
