// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s

// The next element is the largest of those that come after the last one.
// CHECK-LABEL: tile.kernel @k_top_k(
// CHECK-SAME: memref<37x13xf32>, {{.*}} memref<37x3xf32>, {{.*}} memref<37x3xi32>
// CHECK: %[[X:.*]] = tile.load %arg0
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[X]], %[[X]]
// CHECK: %[[KEY:.*]] = arith.select %[[NAN]]
// CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%[[LAST:.*]] = {{.*}}, %[[PLACE:.*]] = {{.*}}) -> (tensor<37xf32>, tensor<37xi32>)
// CHECK: tile.broadcast %[[LAST]] axis 1
// CHECK: %[[LESS:.*]] = arith.cmpf olt, %[[KEY]]
// CHECK: %[[NEXT:.*]] = tile.reduce max
// CHECK: tile.reduce max
// CHECK: %[[AT:.*]] = arith.subi {{.*}} : tensor<37xi32>
// CHECK: %[[VALUE:.*]] = tile.reduce max
// CHECK: tile.store %[[VALUE]], %arg1[%{{.*}}, %[[J]]] {dims = [0]}
// CHECK: tile.store %[[AT]], %arg2[%{{.*}}, %[[J]]] {dims = [0]}
// CHECK: scf.yield %[[NEXT]], %[[AT]]
func.func @top_k(%x: tensor<37x13xf32>) -> (tensor<37x3xf32>, tensor<37x3xi32>) {
  %v, %i = tarn.top_k %x k = 3 : tensor<37x13xf32>
  return %v, %i : tensor<37x3xf32>, tensor<37x3xi32>
}
