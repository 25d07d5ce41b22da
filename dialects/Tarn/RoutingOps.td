//===- RoutingOps.td - choosing experts, products by expert ---------------===//
//
// A mixture of experts without dropped tokens: scores choose experts (top_k),
// rows are put in the experts' order (group_rows), each group of rows meets its
// own matrix (grouped_dot). How many rows a group has is known only when the
// program runs; all shapes are static all the same, because the groups together
// have as many rows as were chosen.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_ROUTINGOPS_TD
#define DIALECTS_TARN_ROUTINGOPS_TD

include "dialects/Tarn/TarnBase.td"

def TopKOp : Tarn_InferredOp<"top_k", !listconcat(OwnProgram, Gradient)> {
  let summary = "find the largest elements of each row";
  let description = [{
    `values[i.., j] = x[i.., indices[i.., j]]` is the j-th largest element of
    the row; of equal ones the one at the smaller index comes first. NaN counts
    as infinity.

    Shapes: x's with the last dim replaced by `k`; indices are i32.

    Constraints:
    - C1: x has a rank of at least 1.
    - C2: `k` is positive and at most x's last extent.

    Gradient: `dx[i.., n] = sum over j with indices[i.., j] = n of g[i.., j]`;
    none through indices.

    Example:
    ```mlir
    %v, %i = tarn.top_k %x k = 2 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_DimAttr:$k);
  let results = (outs Tarn_Float:$values, Tarn_I32:$indices);
  let assemblyFormat = "$x `k` `=` $k attr-dict `:` type($x)";
  let extraClassDeclaration = "int64_t getFlops();";
}

def GroupRowsOp : Tarn_InferredOp<"group_rows", !listconcat(OwnProgram,
                                                          NoGradient)> {
  let summary = "put rows in the order of their groups";
  let description = [{
    Row r belongs to group `groups[r]`. `order` lists the rows group by group,
    in each group by number: `order[p]` is the row at place p. `places` is its
    inverse: `order[places[r]] = r`. Group g has the places from `offsets[g]` to
    `offsets[g + 1]`; rows of no group (outside of 0 .. count - 1) come last.

    Shapes: groups `[N]`, order and places `[N]`, offsets `[count + 1]`; i32.

    Constraints:
    - C1: groups has rank 1.
    - C2: `count` is positive.

    Gradient: none.

    Example:
    ```mlir
    %order, %places, %offsets = tarn.group_rows %g count = 4 : tensor<12xi32>
    ```
  }];
  let arguments = (ins Tarn_I32:$groups, Tarn_DimAttr:$count);
  let results = (outs Tarn_I32:$order, Tarn_I32:$places, Tarn_I32:$offsets);
  let assemblyFormat = "$groups `count` `=` $count attr-dict `:` type($groups)";
  let extraClassDeclaration = "int64_t getFlops();";
}

def GroupedDotOp : Tarn_Op<"grouped_dot", !listconcat(OwnProgram, Gradient,
                                                    [ProductOp])> {
  let summary = "multiply groups of rows by matrices of their own";
  let description = [{
    For row p of group g, `offsets[g] <= p < offsets[g + 1]`:
    `result[p, m] = sum_k x[p, k] * w'[g, k, m]`, where `w'` is w with its last
    two dims swapped under `transpose_w`. A row of no group gives 0. Accumulates
    in f32 (f64 for f64), rounds once.

    Shapes: x `[N, K]`, w `[G, K, M]`, offsets `[G + 1]`; the result `[N, M]`.

    Constraints:
    - C1: x, w and offsets have rank 2, 3 and 1.
    - C2: x and w agree in the extent that is summed over.
    - C3: offsets has one element more than w has matrices.
    - C4: x and w have one element type, and the result has it or f32.
    - C5: the result's shape is `[N, M]`.

    Gradient: `dx = grouped_dot(g, w)` with w the other way round,
    `dw = grouped_outer(x, g)`, or `(g, x)` under `transpose_w`.

    Example:
    ```mlir
    %r = tarn.grouped_dot %x, %w, %o : tensor<12x8xf32>, tensor<4x8x6xf32>, tensor<5xi32> -> tensor<12x6xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_Float:$w, Tarn_I32:$offsets,
                       UnitAttr:$transpose_w, UnitAttr:$tf32);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $x `,` $w `,` $offsets (`transpose_w` $transpose_w^)? attr-dict `:`
    type($x) `,` type($w) `,` type($offsets) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "::mlir::Value":$w,
      "::mlir::Value":$offsets, "bool":$transposeW)>];
  let extraClassDeclaration = "int64_t getFlops();";
  let hasVerifier = 1;
}

def GroupedOuterOp : Tarn_Op<"grouped_outer", !listconcat(OwnProgram, Gradient,
                                                        [ProductOp])> {
  let summary = "sum outer products over the rows of each group";
  let description = [{
    `result[g, k, m] = sum of x[p, k] * y[p, m]` over the rows
    `offsets[g] <= p < offsets[g + 1]`; a group without rows gives 0. What
    `grouped_dot` needs for the gradient of its matrices.

    Shapes: x `[N, K]`, y `[N, M]`, offsets `[G + 1]`; the result `[G, K, M]`.

    Constraints:
    - C1: x, y and offsets have rank 2, 2 and 1, and offsets has 2 elements or
      more.
    - C2: x and y agree in the number of rows.
    - C3: x and y have one element type, and the result has it or f32.
    - C4: the result's shape is `[G, K, M]`.

    Gradient: `dx = grouped_dot(y, g)` transposed, `dy = grouped_dot(x, g)`.

    Example:
    ```mlir
    %r = tarn.grouped_outer %x, %y, %o : tensor<12x8xf32>, tensor<12x6xf32>, tensor<5xi32> -> tensor<4x8x6xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x, Tarn_Float:$y, Tarn_I32:$offsets,
                       UnitAttr:$tf32);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = [{
    $x `,` $y `,` $offsets attr-dict `:`
    type($x) `,` type($y) `,` type($offsets) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "::mlir::Value":$y,
      "::mlir::Value":$offsets)>];
  let extraClassDeclaration = "int64_t getFlops();";
  let hasVerifier = 1;
}

#endif
