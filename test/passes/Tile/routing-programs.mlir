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

// A block for each group, and one for rows of none: first the rows of the
// groups before it, then places for its own.
// CHECK-LABEL: tile.kernel @k_group_rows(
// CHECK-NEXT: access {{.*}} grid (%[[G:.*]] = 5 by 1)
// CHECK: %[[BEFORE:.*]] = scf.for
// CHECK: tile.reduce sum
// CHECK: tile.store %[[BEFORE]], %arg3[%[[G]]] 
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[BEFORE]])
// CHECK: tile.scan %{{.*}} axis 0 : tensor<12xi32>
// CHECK: tile.scatter %{{.*}}, %arg1[0] rows(
// CHECK: tile.scatter %{{.*}}, %arg2[0] rows(
func.func @group_rows(%g: tensor<12xi32>) -> (tensor<12xi32>, tensor<12xi32>, tensor<5xi32>) {
  %o, %p, %f = tarn.group_rows %g count = 4 : tensor<12xi32>
  return %o, %p, %f : tensor<12xi32>, tensor<12xi32>, tensor<5xi32>
}

// The groups of the block's rows are found by bisection; each gives its rows.
// CHECK-LABEL: tile.kernel @k_grouped_dot(
// CHECK-NEXT: access {{.*}} grid (%{{.*}} = 6 by 6, %[[ROW:.*]] = 12 by 12)
// CHECK: %[[FIRST:.*]]:2 = scf.for
// CHECK: tile.load_scalar %arg2
// CHECK: %[[LAST:.*]]:2 = scf.for
// CHECK: %[[ALL:.*]] = scf.for %[[GROUP:.*]] = %[[FIRST]]#0 to %[[LAST]]#0
// CHECK: %[[PRODUCT:.*]] = scf.for
// CHECK: tile.load %arg1[%[[GROUP]],
// CHECK: tile.dot
// CHECK: arith.select %{{.*}}, %[[PRODUCT]],
// CHECK: tile.store %[[ALL]], %arg3
func.func @grouped_dot(%x: tensor<12x8xf32>, %w: tensor<4x8x6xf32>, %o: tensor<5xi32>) -> tensor<12x6xf32> {
  %r = tarn.grouped_dot %x, %w, %o : tensor<12x8xf32>, tensor<4x8x6xf32>, tensor<5xi32> -> tensor<12x6xf32>
  return %r : tensor<12x6xf32>
}

// The rows of one group; how many there are on the average is for the costs.
// CHECK-LABEL: tile.kernel @k_grouped_outer(
// CHECK-NEXT: access {{.*}} grid (%[[GROUP:.*]] = 4 by 1,
// CHECK: scf.for
// CHECK: tile.dot {{.*}} {transpose_a}
// CHECK: } {tile.turns = 1.875000e-01 : f64}
// CHECK: tile.store %{{.*}}, %arg3[%[[GROUP]],
func.func @grouped_outer(%x: tensor<12x8xf32>, %y: tensor<12x6xf32>, %o: tensor<5xi32>) -> tensor<4x8x6xf32> {
  %r = tarn.grouped_outer %x, %y, %o : tensor<12x8xf32>, tensor<12x6xf32>, tensor<5xi32> -> tensor<4x8x6xf32>
  return %r : tensor<4x8x6xf32>
}
