// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,canonicalize,cse)' | FileCheck %s
// Products through windows: rows are gathered, and no windows are stored.

// A step is a tap: its rows are numbered, what lies outside has a number that no
// row has, and bias and activation come behind the loop.
// CHECK: tile.kernel @k_conv_2(%[[X:.*]]: memref<128x4xf32>, %[[W:.*]]: memref<9x1x4x8xf32>, %[[B:.*]]: memref<8xf32>, %[[Y:.*]]: memref<32x8xf32>)
// CHECK-NEXT: grid (%[[COLUMN:.*]] = 8 by 8, %[[ROW:.*]] = 32 by 32)
// CHECK: %[[OUTSIDE:.*]] = arith.constant dense<-1073741824> : tensor<32xi32>
// CHECK: tile.iota %[[ROW]] axis 0
// CHECK: %[[SUM:.*]] = scf.for %[[TAP:.*]] = %{{.*}} to %c9 step %c1 iter_args(%[[ACC:.*]] =
// CHECK: arith.divui %[[TAP]], %c3
// CHECK: arith.remui %[[TAP]], %c3
// CHECK: %[[ROWS:.*]] = arith.select %{{.*}}, %{{.*}}, %[[OUTSIDE]]
// CHECK-NEXT: %[[LEFT:.*]] = tile.gather %[[X]][0, 0] rows(%[[ROWS]])
// CHECK-NEXT: %[[RIGHT:.*]] = tile.load %[[W]][%[[TAP]], 0, 0, %[[COLUMN]]] {dims = [2, 3]}
// CHECK-NEXT: tile.dot %[[LEFT]], %[[RIGHT]], %[[ACC]]
// CHECK: arith.addf %[[SUM]]
// CHECK: arith.maximumf
// CHECK: tile.store %{{.*}}, %[[Y]][%[[ROW]], %[[COLUMN]]]

// The gradient of the input reads through the adjoint windows: of the spread-out
// places only those that an element has. Weights lie as they did.
// CHECK: tile.kernel @k_conv(%[[G:.*]]: memref<32x8xf32>, %[[W:.*]]: memref<9x1x4x8xf32>, %{{.*}}: memref<128x4xf32>)
// CHECK: arith.muli %{{.*}}, %c-1
// CHECK: arith.remsi
// CHECK: arith.cmpi eq
// CHECK: %[[ROWS:.*]] = arith.select
// CHECK-NEXT: %[[LEFT:.*]] = tile.gather %[[G]][0, 0] rows(%[[ROWS]])
// CHECK-NEXT: %[[RIGHT:.*]] = tile.load %[[W]]
// CHECK-NEXT: tile.dot %[[LEFT]], %[[RIGHT]], %{{.*}} {transpose_b}

// That of the weights sums over rows, a tap for a block.
// CHECK: tile.kernel @k_conv_weights(%[[X:.*]]: memref<1280x4xf32>, %[[G:.*]]: memref<1280x8xf32>, %[[D:.*]]: memref<3x1x4x8xf32>)
// CHECK-NEXT: grid (%[[TAP:.*]] = 3 by 1, %[[COLUMN:.*]] = 8 by 8, %[[ROW:.*]] = 4 by 4)
// CHECK: scf.for %[[FROM:.*]] = %c0 to %c1280 step %c256
// CHECK: %[[LEFT:.*]] = tile.gather %[[X]][0, %[[ROW]]] rows(
// CHECK-NEXT: %[[RIGHT:.*]] = tile.load %[[G]][%[[FROM]], %[[COLUMN]]]
// CHECK-NEXT: tile.dot %[[LEFT]], %[[RIGHT]], %{{.*}} {transpose_a}
// CHECK: tile.store %{{.*}}, %[[D]][%[[TAP]], 0, %[[ROW]], %[[COLUMN]]] {dims = [2, 3]}

// A block belongs to one group. No window leaves the image: nothing is tested.
// CHECK: tile.kernel @k_conv_0(%[[X:.*]]: memref<64x6xf32>,
// CHECK-NEXT: grid (%[[GROUP:.*]] = 2 by 1, %[[COLUMN:.*]] = 5 by 5, %[[ROW:.*]] = 16 by 16)
// CHECK-NOT: arith.cmpi
// CHECK: %[[FIRST:.*]] = arith.muli %[[GROUP]], %c3
// CHECK: tile.gather %[[X]][0, %[[FIRST]]]

// Where each channel is apart from the others nothing is a product of matrices.
// CHECK: tile.kernel @k_conv_1(%[[X:.*]]: memref<64x6xf32>, %[[W:.*]]: memref<9x6x1x1xf32>
// CHECK-NEXT: grid (%[[COLUMN:.*]] = 6 by 6, %[[ROW:.*]] = 36 by 36)
// CHECK-NOT: tile.dot
// CHECK: tile.gather %[[X]][0, %[[COLUMN]]] rows(
// CHECK: tile.load %[[W]][%{{.*}}, %[[COLUMN]], 0, 0] {dims = [1]}
// CHECK: arith.mulf
// CHECK-NEXT: arith.addf
// CHECK-NOT: tile.dot

func.func @conv(%x: tensor<128x4xf32>, %w: tensor<9x1x4x8xf32>, %b: tensor<8xf32>) -> tensor<32x8xf32> {
  %c = tarn.conv %x, %w in = [8, 8] out = [4, 4] taps = [3, 3] strides = [2, 2] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<128x4xf32>, tensor<9x1x4x8xf32> -> tensor<32x8xf32>
  %r = tarn.broadcast %b dims = [1] : tensor<8xf32> -> tensor<32x8xf32>
  %s = tarn.add %c, %r : tensor<32x8xf32>
  %y = tarn.relu %s : tensor<32x8xf32>
  return %y : tensor<32x8xf32>
}
func.func @input(%g: tensor<32x8xf32>, %w: tensor<9x1x4x8xf32>) -> tensor<128x4xf32> {
  %c = tarn.conv %g, %w in = [4, 4] out = [8, 8] taps = [3, 3] strides = [1, 1] dilations = [-1, -1] spacing = [2, 2] offsets = [1, 1] transpose_w : tensor<32x8xf32>, tensor<9x1x4x8xf32> -> tensor<128x4xf32>
  return %c : tensor<128x4xf32>
}
func.func @weights(%x: tensor<1280x4xf32>, %g: tensor<1280x8xf32>) -> tensor<3x1x4x8xf32> {
  %c = tarn.conv_weights %x, %g in = [640] out = [640] taps = [3] strides = [1] dilations = [1] spacing = [1] offsets = [-1] : tensor<1280x4xf32>, tensor<1280x8xf32> -> tensor<3x1x4x8xf32>
  return %c : tensor<3x1x4x8xf32>
}
func.func @groups(%x: tensor<64x6xf32>, %w: tensor<1x2x3x5xf32>) -> tensor<16x10xf32> {
  %c = tarn.conv %x, %w in = [8, 8] out = [4, 4] taps = [1, 1] strides = [2, 2] dilations = [1, 1] spacing = [1, 1] offsets = [0, 0] : tensor<64x6xf32>, tensor<1x2x3x5xf32> -> tensor<16x10xf32>
  return %c : tensor<16x10xf32>
}
func.func @apart(%x: tensor<64x6xf32>, %w: tensor<9x6x1x1xf32>) -> tensor<36x6xf32> {
  %c = tarn.conv %x, %w in = [8, 8] out = [6, 6] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [0, 0] : tensor<64x6xf32>, tensor<9x6x1x1xf32> -> tensor<36x6xf32>
  return %c : tensor<36x6xf32>
}
