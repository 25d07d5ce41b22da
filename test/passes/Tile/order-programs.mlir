// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s

// Backwards, what comes next is one further; behind the end there is nothing.
// CHECK-LABEL: tile.kernel @k_cumsum(
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[BEFORE:.*]] = %{{.*}}) -> (tensor<[[LINES:.*]]xf32>)
// CHECK: %[[AT:.*]] = arith.subi %{{.*}}, %[[I]] : index
// CHECK: %[[X:.*]] = tile.load %arg0[%{{.*}}, %{{.*}}]
// CHECK: %[[KEPT:.*]] = arith.select
// CHECK: %[[SUMS:.*]] = tile.scan %[[KEPT]] axis 1 reverse
// CHECK: %[[ALL:.*]] = arith.addf %{{.*}}, %[[SUMS]]
// CHECK: tile.store %[[ALL]], %arg1[%{{.*}}, %[[AT]]]
// CHECK: tile.reduce sum %[[KEPT]] axis 1
func.func @cumsum(%x: tensor<37x3000xf32>) -> tensor<37x3000xf32> {
  %r = tarn.cumsum %x dim = 1 reverse exclusive : tensor<37x3000xf32>
  return %r : tensor<37x3000xf32>
}

// Elements count those before them, and then go where they belong. Places
// that nobody asks for are not stored.
// CHECK-LABEL: tile.kernel @k_sort(
// CHECK-NEXT: access {{.*}} grid (%{{.*}} = 4 by 1, %{{.*}} = 300 by 64)
// CHECK: %[[PLACE:.*]] = scf.for
// CHECK: tile.reduce sum %{{.*}} axis 1 : tensor<64x128xi32>
// CHECK-NOT: tile.store
// CHECK: tile.scatter %{{.*}}, %arg1[%{{.*}}, 0] rows(
// CHECK: tile.scatter %{{.*}}, %arg2[%{{.*}}, 0] rows(
func.func @sort(%x: tensor<4x300xf32>) -> (tensor<4x300xf32>, tensor<4x300xi32>) {
  %v, %i, %p = tarn.sort %x : tensor<4x300xf32>
  return %v, %i : tensor<4x300xf32>, tensor<4x300xi32>
}
