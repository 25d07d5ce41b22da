// RUN: sed 's/@R@/50/g;s/@C@/60/g;s/@BR@/8/g;s/@BC@/64/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// RUN: sed 's/@R@/1024/g;s/@C@/3072/g;s/@BR@/2/g;s/@BC@/3072/g' %s | tarn-opt | FileCheck %s
// Softmax over whole rows. Columns outside are padded with a finite floor
// instead of -inf, so that rows outside the buffer make no NaN.

// CHECK-LABEL: tile.kernel @softmax
// CHECK: tile.reduce max
// CHECK: math.exp
// CHECK: tile.reduce sum
tile.kernel @softmax(%X: memref<@R@x@C@xf32>, %Y: memref<@R@x@C@xf32>)
    access ["read", "write"] grid (%r = @R@ by @BR@) {
  %x = tile.load %X[%r, 0] {pad = -3.0e+38 : f32}
      : memref<@R@x@C@xf32> -> tensor<@BR@x@BC@xf32>
  %m = tile.reduce max %x axis 1 : tensor<@BR@x@BC@xf32>
  %mb = tile.broadcast %m axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@BC@xf32>
  %c = arith.subf %x, %mb : tensor<@BR@x@BC@xf32>
  %e = math.exp %c : tensor<@BR@x@BC@xf32>
  %s = tile.reduce sum %e axis 1 : tensor<@BR@x@BC@xf32>
  %one = arith.constant dense<1.0> : tensor<@BR@xf32>
  %q = arith.divf %one, %s : tensor<@BR@xf32>
  %qb = tile.broadcast %q axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@BC@xf32>
  %y = arith.mulf %e, %qb : tensor<@BR@x@BC@xf32>
  tile.store %y, %Y[%r, 0] : tensor<@BR@x@BC@xf32>, memref<@R@x@C@xf32>
  tile.return
}
