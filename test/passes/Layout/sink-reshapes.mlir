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

// What is generated has any shape: no reshape is left, and no memory is needed.
// CHECK-LABEL: func.func @generated
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<12x8xf32>, %[[T:[a-z0-9]+]]: tensor<3x4xi32>
// CHECK-DAG: %[[R:.*]] = tarn.reshape %[[T]] : tensor<3x4xi32> -> tensor<12xi32>
// CHECK-DAG: %[[I:.*]] = tarn.iota dim = 1 : tensor<12x8xi32>
// CHECK-DAG: %[[B:.*]] = tarn.broadcast %[[R]] dims = [0] : tensor<12xi32> -> tensor<12x8xi32>
// CHECK: tarn.compare eq %[[I]], %[[B]] : tensor<12x8xi32>
// CHECK-NOT: tarn.reshape
// CHECK: return
func.func @generated(%x: tensor<12x8xf32>, %t: tensor<3x4xi32>) -> tensor<12x8xf32> {
  %zero = tarn.constant dense<0.0> : tensor<12x8xf32>
  %b = tarn.broadcast %t dims = [0, 1] : tensor<3x4xi32> -> tensor<3x4x8xi32>
  %i = tarn.iota dim = 2 : tensor<3x4x8xi32>
  %hit = tarn.compare eq %i, %b : tensor<3x4x8xi32>
  %r = tarn.reshape %hit : tensor<3x4x8xi1> -> tensor<12x8xi1>
  %y = tarn.select %r, %x, %zero : tensor<12x8xf32>
  return %y : tensor<12x8xf32>
}
