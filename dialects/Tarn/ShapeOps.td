//===- ShapeOps.td - ops that move elements -------------------------------===//

#ifndef DIALECTS_TARN_SHAPEOPS_TD
#define DIALECTS_TARN_SHAPEOPS_TD

include "dialects/Tarn/TarnBase.td"

def BroadcastOp : Tarn_Op<"broadcast", !listconcat(Loops, Gradient)> {
  let summary = "repeat a tensor along new dims";
  let description = [{
    `result[i] = x[i[dims[0]], i[dims[1]], ...]`: dim k of x is dim `dims[k]` of
    the result, every other dim of the result is new.

    Shapes: any.

    Constraints:
    - C1: `dims` has one entry per dim of x.
    - C2: `dims` increases and lies within the result's rank.
    - C3: dim k of x has the extent of dim `dims[k]` of the result.
    - C4: the element types are equal.

    Gradient: `dx = reduce_sum(g)` over the new dims.

    Example:
    ```mlir
    %r = tarn.broadcast %x dims = [1] : tensor<8xf32> -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x, DenseI64ArrayAttr:$dims);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat =
      "$x `dims` `=` $dims attr-dict `:` type($x) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def TransposeOp : Tarn_InferredOp<"transpose", !listconcat(Loops, Gradient)> {
  let summary = "permute dims";
  let description = [{
    `result[i[0], i[1], ...] = x` with dim k of the result being dim
    `permutation[k]` of x.

    Shapes: `result.shape[k] = x.shape[permutation[k]]`.

    Constraints:
    - C1: `permutation` is a permutation of x's dims.

    Gradient: `dx = transpose(g)` with the inverse permutation.

    Example:
    ```mlir
    %r = tarn.transpose %x permutation = [1, 0] : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat =
      "$x `permutation` `=` $permutation attr-dict `:` type($x)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def ReshapeOp : Tarn_Op<"reshape", !listconcat(Loops, Gradient)> {
  let summary = "read the elements, in order, as another shape";
  let description = [{
    The result has x's elements in row-major order. As a contiguous buffer it is
    x: the op aliases and has no indexing map.

    Shapes: any.

    Constraints:
    - C1: the numbers of elements are equal.
    - C2: the element types are equal.

    Gradient: `dx = reshape(g)`.

    Example:
    ```mlir
    %r = tarn.reshape %x : tensor<4x8xf32> -> tensor<32xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Value":$x,
                                 "::llvm::ArrayRef<int64_t>":$shape)>];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def SliceOp : Tarn_InferredOp<"slice", !listconcat(Loops, Gradient)> {
  let summary = "take a box out of a tensor";
  let description = [{
    `result[i] = x[i + offsets]`.

    Shapes: the result's shape is `sizes`.

    Constraints:
    - C1: `offsets` and `sizes` have one entry per dim of x.
    - C2: `0 <= offsets[k]`, `1 <= sizes[k]`,
      `offsets[k] + sizes[k] <= x.shape[k]`.

    Gradient: `dx = pad(g)` with zeros around.

    Example:
    ```mlir
    %r = tarn.slice %x offsets = [0, 2] sizes = [4, 3] : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x, DenseI64ArrayAttr:$offsets,
                       DenseI64ArrayAttr:$sizes);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = [{
    $x `offsets` `=` $offsets `sizes` `=` $sizes attr-dict `:` type($x)
  }];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def PadOp : Tarn_InferredOp<"pad", !listconcat(LoopsAndBody, Gradient)> {
  let summary = "put zeros around a tensor";
  let description = [{
    `result[i] = x[i - low]` where that lies in x, else 0.

    Shapes: `result.shape[k] = low[k] + x.shape[k] + high[k]`.

    Constraints:
    - C1: `low` and `high` have one entry per dim of x.
    - C2: no entry is negative.

    Gradient: `dx = slice(g)`.

    Example:
    ```mlir
    %r = tarn.pad %x low = [0, 1] high = [2, 0] : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x, DenseI64ArrayAttr:$low,
                       DenseI64ArrayAttr:$high);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat =
      "$x `low` `=` $low `high` `=` $high attr-dict `:` type($x)";
  let hasFolder = 1;
}

def ConcatOp : Tarn_InferredOp<"concat", !listconcat(LoopsAndBody, Gradient)> {
  let summary = "put tensors one after the other along a dim";
  let description = [{
    `result` holds `inputs[0]`, `inputs[1]`, ... along `dim`.

    Shapes: `result.shape[dim]` is the sum of the inputs' extents.

    Constraints:
    - C1: there is an input.
    - C2: `dim` is a dim of the inputs.
    - C3: the inputs agree in rank, element type and every other extent.

    Gradient: `d inputs[k] = slice(g)`.

    Example:
    ```mlir
    %r = tarn.concat %x, %y dim = 1 : tensor<4x8xf32>, tensor<4x2xf32>
    ```
  }];
  let arguments = (ins Variadic<Tarn_Tensor>:$inputs, Tarn_DimAttr:$dim);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = "$inputs `dim` `=` $dim attr-dict `:` type($inputs)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def UpdateSliceOp : Tarn_Op<"update_slice", !listconcat(Loops, Gradient,
    [AllTypesMatch<["base", "result"]>])> {
  let summary = "replace a box of a tensor at a run-time position";
  let description = [{
    `result[i] = update[i - p]` where that lies in `update`, else `base[i]`,
    with `p[k] = clamp(positions[k], 0, base.shape[k] - update.shape[k])`.
    The kernel writes only the box when it may write `base` in place.

    Shapes: the result has base's shape.

    Constraints:
    - C1: `update` has base's rank and element type.
    - C2: there is one position per dim.
    - C3: no extent of `update` exceeds that of `base`.

    Gradient: `dbase = update_slice(g, 0, positions)`; `update` has none yet.

    Example:
    ```mlir
    %r = tarn.update_slice %base, %update[%i, %j] : tensor<4x8xf32>, tensor<1x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$base, Tarn_Tensor:$update,
                       Variadic<Tarn_ScalarI32>:$positions);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = [{
    $base `,` $update `[` $positions `]` attr-dict `:`
    type($base) `,` type($update)
  }];
  let hasVerifier = 1;
}

#endif
