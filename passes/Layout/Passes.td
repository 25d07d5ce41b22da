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
    the shape (attention, gather) or the end. What is made from positions,
    numbers and repeated values alone is made in the reshape's shape.

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

def TarnChunkRows : Pass<"tarn-chunk-rows", "::mlir::func::FuncOp"> {
  let summary = "Run the largest rows of a step a part at a time";
  let description = [{
    What: a product of which the result has more per row than it reads, and is
    among the largest of the function (logits), is found with all ops that work
    on its rows: forward, and backward up to the gradients of both factors. They
    are written once for each of `chunks` parts of the rows. What leaves as rows
    is put together; what leaves as a sum over rows (the loss, the gradient of
    the weight) is added up, part after part. Only one part of the large values
    exists at a time. Parts are a multiple of 64 rows where there are enough;
    the last may be smaller. What the loops are is asked of IndexedOp and
    Shardable; no rule names an op.

    When: phase layout, after tarn-sink-reshapes and CSE, where the user allows
    to change rounding.

    Remarks with `explain`: why rows stay whole, at the op that is in the way.

    Example: see test/passes/Layout/chunk-rows.mlir.

    Limits: a large value that is a result of the function, that another op than
    one that works row by row reads, or that waits for a sum over all rows (as
    in a contrastive loss) keeps all rows whole.

    Numerics: rounding (sums over rows are added up in parts).
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::tarn::tile::TileDialect"];
  let options = [
    Option<"chunks", "chunks", "int64_t", /*default=*/"8",
           "parts that rows are cut in; 1 leaves them whole">,
    Option<"explain", "explain", "bool", /*default=*/"false",
           "report rows that stay whole as a remark">
  ];
}

def TarnOutlineSalts : Pass<"tarn-outline-salts", "::mlir::func::FuncOp"> {
  let summary = "Draw by numbers in memory instead of salts in the code";
  let description = [{
    What: a random op's salt moves into a constant of two numbers that its
    kernel reads, its `start`. So kernels that draw for different weights, or
    for the dropout of different layers, are one, written and compiled once. A
    function with one random op keeps its salt.

    When: phase layout.

    ```mlir
    %a = tarn.random_normal %key salt = 5 : tensor<4x8xf32>
    // becomes
    %s = tarn.constant dense<[0, 5]> : tensor<2xi32>
    %a = tarn.random_normal %key start %s salt = 0 : tensor<4x8xf32>
    ```

    Numerics: exact (the same bits).
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
}

def TarnSplitReductions : Pass<"tarn-split-reductions", "::mlir::func::FuncOp"> {
  let summary = "Reduce many terms to few numbers in two stages";
  let description = [{
    What: a reduction of more than `terms` terms to one number becomes a
    reduction of each of its blocks and one of their results. A kernel's grid is
    that of its output, so one number is one block's work: one thread on a CPU,
    one multiprocessor on a GPU. The first stage has as many blocks as it has
    results. They are rows of a reshape, which moves above the elementwise ops
    that nobody else waits for (the squares of a gradient), so that these stay
    in the kernel. What the cheap ops make of one other value (a widened
    gradient) is made again. With `blocks`, sums of leading dims that would have
    fewer (gradients of biases: a block for 64 columns) get as many. With
    `for-gpu`, products along the first dims of both operands (gradients of
    weights) that have too few blocks for a device become a batch of products and
    their sum, where the model of blocks (passes/Tile/TileSizes.h) says that it
    saves a tenth of the time: split-K, in a fixed order, without atomics.

    When: last in phase layout.

    ```mlir
    %n = tarn.reduce_sum %x dims = [0, 1] : tensor<512x128xf32>
    // becomes
    %r = tarn.reshape %x : tensor<512x128xf32> -> tensor<4x16384xf32>
    %p = tarn.reduce_sum %r dims = [1] : tensor<4x16384xf32>
    %n = tarn.reduce_sum %p dims = [0] : tensor<4xf32>
    ```

    Limits: blocks have one size, the largest divisor of the terms up to half of
    `terms`; where that is less than 256 the reduction stays whole. Products in
    batches, or along other dims, stay whole.

    Numerics: rounding (sums are added up in blocks; blocks depend on the shape
    alone).
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
  let options = [
    Option<"terms", "terms", "int64_t", /*default=*/"32768",
           "terms that one block reduces at most">,
    Option<"blocks", "blocks", "int64_t", /*default=*/"0",
           "blocks that sums of leading dims should have; 0 leaves them whole">,
    Option<"forGpu", "for-gpu", "bool", /*default=*/"false",
           "split products that have few blocks">
  ];
}

def TarnSplitAttention : Pass<"tarn-split-attention", "::mlir::func::FuncOp"> {
  let summary = "Compute attention's gradients in two kernels";
  let description = [{
    What: an `attention_backward` of which dq and dk or dv are used becomes two,
    one of which makes dk and dv, the other dq, where the model of blocks
    (passes/Tile/TileSizes.h) says that it saves three tenths of the time. As one op
    it is a block for each key head, which adds to dq in memory; a device with
    many multiprocessors idles. As two it has a block for each part of the
    queries, and of the keys: seven products in place of five, and no additions
    in memory. Both read the sums of grad * out, which are made once before.
    Gradients in f32 of which all readers are on the way to products of shorter
    floats are written in these, once, as what products make is
    (tarn-mixed-precision); views and what is put together of them follow.

    When: phase layout, once reshapes are out of the way.

    ```mlir
    %dq, %dk, %dv = tarn.attention_backward %q, %k, %v, %out, %lse, %g ...
    // becomes
    %m = tarn.mul %g, %out : tensor<2x4x8x16xf32>
    %s = tarn.reduce_sum %m dims = [3] : tensor<2x4x8x16xf32>
    %0, %dk, %dv = tarn.attention_backward %q, %k, %v, %s, %lse, %g ...
    %dq, %1, %2 = tarn.attention_backward %q, %k, %v, %s, %lse, %g ...
    ```

    Limits: none of f64, whose sums would be rounded. On a CPU a block is worth
    a core for long enough, and fewer products win: it stays one op.

    Numerics: rounding (sums over queries and keys are added up in other blocks;
    with mixed precision gradients are rounded where they are kept).
  }];
  let dependentDialects = ["::tarn::graph::TarnDialect"];
  let options = [
    Option<"forGpu", "for-gpu", "bool", /*default=*/"false",
           "blocks are those of a GPU">
  ];
}

#endif // PASSES_LAYOUT_PASSES_TD
