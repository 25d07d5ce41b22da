// RUN: tarn-opt %s --tarn-sink-reshapes --canonicalize | FileCheck %s
// Reshapes move below the ops that do not care about the shape.

// CHECK-LABEL: func.func @elementwise
// CHECK: %[[E:.*]] = tarn.exp %{{.*}} : tensor<12x8xf32>
// CHECK: tarn.reshape %[[E]] : tensor<12x8xf32> -> tensor<3x4x8xf32>
func.func @elementwise(%x: tensor<12x8xf32>) -> tensor<3x4x8xf32> {
  %r = tarn.reshape %x : tensor<12x8xf32> -> tensor<3x4x8xf32>
  %e = tarn.exp %r : tensor<3x4x8xf32>
  return %e : tensor<3x4x8xf32>
}

// CHECK-LABEL: func.func @reduce
// CHECK: tarn.reduce_sum %{{.*}} dims = [1] : tensor<12x8xf32>
func.func @reduce(%x: tensor<12x8xf32>) -> tensor<3x4xf32> {
  %r = tarn.reshape %x : tensor<12x8xf32> -> tensor<3x4x8xf32>
  %s = tarn.reduce_sum %r dims = [2] : tensor<3x4x8xf32>
  return %s : tensor<3x4xf32>
}

// A sum over part of a group keeps its reshape.
// CHECK-LABEL: func.func @part
// CHECK: tarn.reshape
// CHECK: tarn.reduce_sum %{{.*}} dims = [1] : tensor<3x4x8xf32>
func.func @part(%x: tensor<12x8xf32>) -> tensor<3x8xf32> {
  %r = tarn.reshape %x : tensor<12x8xf32> -> tensor<3x4x8xf32>
  %s = tarn.reduce_sum %r dims = [1] : tensor<3x4x8xf32>
  return %s : tensor<3x8xf32>
}

// A broadcast between two reshapes: the rewriting goes one way, and ends.
// CHECK-LABEL: func.func @ends
// CHECK: tarn.broadcast
func.func @ends(%x: tensor<12xf32>) -> tensor<3x4x8xf32> {
  %b = tarn.broadcast %x dims = [0] : tensor<12xf32> -> tensor<12x8xf32>
  %r = tarn.reshape %b : tensor<12x8xf32> -> tensor<3x4x8xf32>
  %e = tarn.exp %r : tensor<3x4x8xf32>
  return %e : tensor<3x4x8xf32>
}
