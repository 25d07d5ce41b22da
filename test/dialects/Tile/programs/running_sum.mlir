// RUN: sed 's/@N@/1000/g;s/@B@/256/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// Running sums of a vector: those of a tile, and what the tiles before it have.

// CHECK-LABEL: tile.kernel @running_sum
// CHECK: scf.for {{.*}} iter_args(
// CHECK: tile.scan %{{.*}} axis 0 : tensor<256xf32>
tile.kernel @running_sum(%x: memref<@N@xf32>, %y: memref<@N@xf32>)
    access ["read", "write"] grid () {
  %c0 = arith.constant 0 : index
  %end = arith.constant @N@ : index
  %step = arith.constant @B@ : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %all = scf.for %i = %c0 to %end step %step iter_args(%before = %zero) -> tensor<f32> {
    %t = tile.load %x[%i] : memref<@N@xf32> -> tensor<@B@xf32>
    %s = tile.scan %t axis 0 : tensor<@B@xf32>
    %b = tile.broadcast %before axis 0 : tensor<f32> -> tensor<@B@xf32>
    %r = arith.addf %b, %s : tensor<@B@xf32>
    tile.store %r, %y[%i] : tensor<@B@xf32>, memref<@N@xf32>
    %sum = tile.reduce sum %t axis 0 : tensor<@B@xf32>
    %next = arith.addf %before, %sum : tensor<f32>
    scf.yield %next : tensor<f32>
  }
  tile.return
}
