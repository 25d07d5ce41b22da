// Rows of a table of 2,293,760,000 numbers: picked, and stored one row further
// down.
tile.kernel @far(%ids: memref<8xi32>, %table: memref<70000x32768xf32>,
                 %out: memref<8x32768xf32>, %copy: memref<70000x32768xf32>)
    access ["read", "read", "write", "write"]
    grid (%i = 8 by 1, %c = 32768 by 4096) {
  %one = arith.constant 1 : index
  %ids_in = tile.load %ids[%i] : memref<8xi32> -> tensor<1xi32>
  %row = tile.gather %table[0, %c] rows(%ids_in) : memref<70000x32768xf32>, tensor<1xi32> -> tensor<1x4096xf32>
  %two = arith.constant dense<2.0> : tensor<1x4096xf32>
  %twice = arith.mulf %row, %two : tensor<1x4096xf32>
  tile.store %twice, %out[%i, %c] : tensor<1x4096xf32>, memref<8x32768xf32>
  %last = arith.constant 69990 : index
  %to = arith.addi %last, %i : index
  tile.store %row, %copy[%to, %c] : tensor<1x4096xf32>, memref<70000x32768xf32>
  tile.return
}
