// RUN: sed 's/@R@/50/g;s/@C@/60/g;s/@BR@/8/g;s/@INV@/0.016666666666666666/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// RUN: sed 's/@R@/1024/g;s/@C@/3072/g;s/@BR@/1/g;s/@INV@/0.00032552083333333333/g' %s | tarn-opt | FileCheck %s
// Layer norm over whole rows.

// CHECK-LABEL: tile.kernel @layer_norm
// CHECK: tile.reduce sum
// CHECK: tile.reduce sum
// CHECK: math.rsqrt
tile.kernel @layer_norm(%X: memref<@R@x@C@xf32>, %weight: memref<@C@xf32>,
                        %bias: memref<@C@xf32>, %Y: memref<@R@x@C@xf32>)
    access ["read", "read", "read", "write"] grid (%r = @R@ by @BR@) {
  %x = tile.load %X[%r, 0] : memref<@R@x@C@xf32> -> tensor<@BR@x@C@xf32>
  %w = tile.load %weight[0] : memref<@C@xf32> -> tensor<@C@xf32>
  %b = tile.load %bias[0] : memref<@C@xf32> -> tensor<@C@xf32>
  %inv = arith.constant dense<@INV@> : tensor<@BR@xf32>
  %eps = arith.constant dense<1.0e-05> : tensor<@BR@xf32>
  %sum = tile.reduce sum %x axis 1 : tensor<@BR@x@C@xf32>
  %mean = arith.mulf %sum, %inv : tensor<@BR@xf32>
  %mean_b = tile.broadcast %mean axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@C@xf32>
  %d = arith.subf %x, %mean_b : tensor<@BR@x@C@xf32>
  %d2 = arith.mulf %d, %d : tensor<@BR@x@C@xf32>
  %sum2 = tile.reduce sum %d2 axis 1 : tensor<@BR@x@C@xf32>
  %var = math.fma %sum2, %inv, %eps : tensor<@BR@xf32>
  %rstd = math.rsqrt %var : tensor<@BR@xf32>
  %rstd_b = tile.broadcast %rstd axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@C@xf32>
  %h = arith.mulf %d, %rstd_b : tensor<@BR@x@C@xf32>
  %w_b = tile.broadcast %w axis 0 : tensor<@C@xf32> -> tensor<@BR@x@C@xf32>
  %b_b = tile.broadcast %b axis 0 : tensor<@C@xf32> -> tensor<@BR@x@C@xf32>
  %y = math.fma %h, %w_b, %b_b : tensor<@BR@x@C@xf32>
  tile.store %y, %Y[%r, 0] : tensor<@BR@x@C@xf32>, memref<@R@x@C@xf32>
  tile.return
}
