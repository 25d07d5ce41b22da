//===- OrderOps.td - running sums and sorting -----------------------------===//

#ifndef DIALECTS_TARN_ORDEROPS_TD
#define DIALECTS_TARN_ORDEROPS_TD

include "dialects/Tarn/TarnBase.td"

def CumsumOp : Tarn_InferredOp<"cumsum", !listconcat(OwnProgram, Gradient)> {
  let summary = "add up the elements along a dim, one after the other";
  let description = [{
    `result[.., n, ..] = sum over i <= n of x[.., i, ..]`: each element and all
    before it. Under `exclusive` without itself (`i < n`), under `reverse` all
    behind it (`i >= n`, or `i > n`). Accumulates in f32 (f64 for f64), rounds
    once; integers wrap. The order of the sums is a function of the shape.
    Prefix sums in parallel: G. Blelloch, "Prefix Sums and Their Applications",
    1990.

    Shapes: the result's is x's.

    Constraints:
    - C1: `dim` is one of x's.

    Gradient: `dx = cumsum(g)` in the other direction; none for integers.

    Example:
    ```mlir
    %r = tarn.cumsum %x dim = 1 reverse exclusive : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Number:$x, Tarn_DimAttr:$dim, UnitAttr:$reverse,
                       UnitAttr:$exclusive);
  let results = (outs Tarn_Number:$result);
  let assemblyFormat = [{
    $x `dim` `=` $dim (`reverse` $reverse^)? (`exclusive` $exclusive^)?
    attr-dict `:` type($x)
  }];
  let extraClassDeclaration = "int64_t getFlops();";
}

def SortOp : Tarn_InferredOp<"sort", !listconcat(OwnProgram, Gradient)> {
  let summary = "sort each row";
  let description = [{
    `values[i.., j] = x[i.., indices[i.., j]]`, from the smallest element to the
    largest, under `descending` the other way round; of equal ones the one at
    the smaller index comes first. NaN is larger than all else. `places` is the
    inverse of `indices`: `places[i.., indices[i.., j]] = j`.

    A row of n elements is n log n comparisons on a processor and n log^2 n in a
    GPU's block, of up to 8192 elements of 32 bits. Every element of longer ones
    is compared with every other one there: this is slow, and so rows have a
    limit. In rows of up to 32 this takes less. Sorting networks: K. Batcher,
    "Sorting networks and their applications", 1968.

    Shapes: all results have x's shape; indices and places are i32.

    Constraints:
    - C1: x has a rank of at least 1.
    - C2: a row has at most 262144 elements.
    - C3: x has fewer than 2^31 elements.

    Gradient: `dx[i.., n] = g[i.., places[i.., n]]`; none through indices and
    places.

    Example:
    ```mlir
    %v, %i, %p = tarn.sort %x descending : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Number:$x, UnitAttr:$descending);
  let results = (outs Tarn_Number:$values, Tarn_I32:$indices, Tarn_I32:$places);
  let assemblyFormat = [{
    $x (`descending` $descending^)? attr-dict `:` type($x)
  }];
  let extraClassDeclaration = [{
    /// The longest row that is sorted.
    static constexpr int64_t longest = 262144;
    int64_t getFlops();
  }];
}

#endif
