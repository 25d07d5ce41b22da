//===- ConvOps.td - convolutions and their gradients ----------------------===//
//
// A convolution is a product whose left operand is read through windows:
// implicit GEMM. It is an op, not the product of a value `windows(x)`, for two
// reasons. Windows are no affine function of loops: what lies outside, or
// between two elements, is zero, and a fused im2col would need a map that says
// so. And channels last, a row of channels per position, every window is a row
// number: a tile program gathers rows, and nothing of the windows is stored.
//
// The two ops are closed under gradients. The gradient of the input is a
// convolution through the adjoint windows (stride and spacing change places,
// dilations and offsets their signs): no flipped weights, no scattered sums. So
// transposed convolutions are the same op.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_CONVOPS_TD
#define DIALECTS_TARN_CONVOPS_TD

include "dialects/Tarn/TarnBase.td"

// Products that read images through windows of 1 to 3 dims. `rowDim` is the dim
// of the result that numbers windows; -1: it has none.
class Tarn_WindowsOp<string mnemonic, int rowDim>
    : Tarn_Op<mnemonic, !listconcat(LoopsAndCombiner, Gradient, [
        DeclareOpInterfaceMethods<ProductOp, ["getProductShape"]>])> {
  dag windows = (ins
    DenseI64ArrayAttr:$in,        // extents of the image
    DenseI64ArrayAttr:$out,       // windows along each dim
    DenseI64ArrayAttr:$taps,      // positions of a window
    DenseI64ArrayAttr:$strides,   // from window to window
    DenseI64ArrayAttr:$dilations, // from tap to tap, of any sign
    DenseI64ArrayAttr:$spacing,   // from element to element of the image
    DenseI64ArrayAttr:$offsets);  // where the first window starts: -padding
  string windowsFormat = [{
    `in` `=` $in `out` `=` $out `taps` `=` $taps `strides` `=` $strides
    `dilations` `=` $dilations `spacing` `=` $spacing `offsets` `=` $offsets
  }];
  let extraClassDeclaration = [{
    /// The windows that the attributes describe.
    ::tarn::graph::Windows getWindows();
    /// Positions of an image depend on each other.
    bool isRowWise(unsigned resultDim) { return int(resultDim) != }] #
    rowDim # [{; }
    ::tarn::graph::ShardKind getShardKind(unsigned loopDim);
  }];
}

def ConvOp : Tarn_WindowsOp<"conv", 0> {
  let summary = "convolve images with weights";
  let description = [{
    `result[n O + o, g F + f] = sum_t sum_c x[n I + i, g C + c] * w'[t, g, c, f]`,
    where along every dim of space
    `i * spacing = o * stride + t * dilation + offset`; terms for which there is
    no such i in the image are left out. `w'` is w with its last two dims swapped
    under `transpose_w`. Images, windows and taps are numbered row by row; I and
    O are the numbers of positions of an image and of its windows.
    Accumulates in f32 (f64 for f64), rounds once.

    Shapes: x `[N I, G C]`, w `[T, G, C, F]` or `[T, G, F, C]` under
    `transpose_w`; the result `[N O, G F]`, for G groups.

    Constraints:
    - C1: x has rank 2 and w rank 4.
    - C2: the windows are of 1 to 3 dims, all lists have one length, and all
      numbers but dilations and offsets are positive.
    - C3: x holds whole images, and there are fewer than 2^30 rows.
    - C4: w has one matrix for each tap and group.
    - C5: x has the channels of all groups of w.
    - C6: x and w have one element type, and the result has it or f32.
    - C7: the result's shape is `[N O, G F]`.

    Gradient: `dx = conv(g, w)` through the adjoint windows, with w the other
    way round; `dw = conv_weights(x, g)`, or `(g, x)` through the adjoint windows
    under `transpose_w`.

    Example: images of 8 x 8 with two channels, 3 x 3 taps, padding of one.
    ```mlir
    %r = tarn.conv %x, %w in = [8, 8] out = [8, 8] taps = [3, 3]
      strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1]
      : tensor<128x2xf32>, tensor<9x1x2x6xf32> -> tensor<128x6xf32>
    ```
  }];
  let arguments = !con((ins Tarn_Float:$x, Tarn_Float:$w), windows,
                       (ins UnitAttr:$transpose_w, UnitAttr:$tf32));
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = "$x `,` $w " # windowsFormat # [{
    (`transpose_w` $transpose_w^)? attr-dict `:`
    type($x) `,` type($w) `->` type($result)
  }];
  // A null element type means the operands'.
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "::mlir::Value":$w,
      "const ::tarn::graph::Windows &":$windows,
      CArg<"bool", "false">:$transposeW,
      CArg<"::mlir::Type", "{}">:$elementType)>];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def ConvWeightsOp : Tarn_WindowsOp<"conv_weights", -1> {
  let summary = "sum products of images and windows' values, tap by tap";
  let description = [{
    `result[t, g, c, f] = sum_n sum_o x[n I + i, g C + c] * y[n O + o, g F + f]`
    with i as in `tarn.conv`: what it needs for the gradient of its weights.
    Accumulates in f32 (f64 for f64), rounds once.

    Shapes: x `[N I, G C]`, y `[N O, G F]`; the result `[T, G, C, F]`.

    Constraints:
    - C1: x and y have rank 2, the result has rank 4.
    - C2: the windows are of 1 to 3 dims, all lists have one length, and all
      numbers but dilations and offsets are positive.
    - C3: x and y hold whole images, as many of them, and there are fewer than
      2^30 rows.
    - C4: x and y have one element type, and the result has it or f32.
    - C5: the result has a matrix for each tap and group, for the channels of x
      and y.

    Gradient: `dx = conv(y, g)` through the adjoint windows, with g the other
    way round; `dy = conv(x, g)`.

    Example:
    ```mlir
    %r = tarn.conv_weights %x, %y in = [8, 8] out = [8, 8] taps = [3, 3]
      strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1]
      : tensor<128x2xf32>, tensor<128x6xf32> -> tensor<9x1x2x6xf32>
    ```
  }];
  let arguments = !con((ins Tarn_Float:$x, Tarn_Float:$y), windows,
                       (ins UnitAttr:$tf32));
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = "$x `,` $y " # windowsFormat # [{
    attr-dict `:` type($x) `,` type($y) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "::mlir::Value":$y,
      "const ::tarn::graph::Windows &":$windows,
      CArg<"int64_t", "1">:$groups,
      CArg<"::mlir::Type", "{}">:$elementType)>];
  let hasVerifier = 1;
}

#endif
