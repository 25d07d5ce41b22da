// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s
// Clusters get a tile program; equal ones share it.

// CHECK-LABEL: func.func @twice
// CHECK: kernel = @[[$K:[a-z_0-9]+]]
// CHECK: kernel = @[[$K]]
func.func @twice(%a: tensor<32x16xf32>, %b: tensor<16x16xf32>) -> tensor<32x16xf32> {
  %d = tarn.dot %a, %b : tensor<32x16xf32>, tensor<16x16xf32> -> tensor<32x16xf32>
  %e = tarn.dot %d, %b : tensor<32x16xf32>, tensor<16x16xf32> -> tensor<32x16xf32>
  return %e : tensor<32x16xf32>
}

// Heads split off by a view are the product's store position.
// CHECK-LABEL: func.func @rows
func.func @rows(%x: tensor<6x5x8xf32>) -> tensor<6xf32> {
  %t = tarn.transpose %x permutation = [0, 2, 1] : tensor<6x5x8xf32>
  %e = tarn.exp %t : tensor<6x8x5xf32>
  %s = tarn.reduce_sum %e dims = [1, 2] : tensor<6x8x5xf32>
  return %s : tensor<6xf32>
}

// CHECK: tile.kernel @[[$K]](
// CHECK-COUNT-1: tile.dot
// CHECK-NOT: tile.dot
// The view is in the load's dims.
// CHECK: tile.load %{{.*}} {dims = [0, 2, 1]} : memref<6x5x8xf32> -> tensor<6x8x5xf32>
// CHECK: tile.reduce sum
// CHECK: tile.reduce sum
