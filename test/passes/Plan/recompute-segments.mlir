// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-recompute-segments))' | FileCheck %s
// Nine kernels on the way to the loss are three segments: what crosses is kept,
// the last segment too, the rest is computed again before its use.

// CHECK-LABEL: func.func @step
// Forward.
// CHECK-COUNT-8: tarn.tanh
// CHECK: %[[LOSS:.*]] = tarn.reduce_sum
// Backward: %7 is in the last segment, %4 is computed again from %3.
// CHECK: tarn.mul
// CHECK: tarn.tanh
// CHECK: tarn.mul
// Segment 0: %1 from %0, from the argument; once, though used twice.
// CHECK-COUNT-2: tarn.tanh
// CHECK: tarn.mul
// CHECK-NOT: tarn.tanh
// CHECK: return %[[LOSS]]
func.func @step(%x: tensor<4xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<4xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"},
        tensor<4xf32> {tarn.name = "w", tarn.role = "parameter"})
    attributes {tarn.kind = "train"} {
  %0 = tarn.tanh %x : tensor<4xf32>
  %1 = tarn.tanh %0 : tensor<4xf32>
  %2 = tarn.tanh %1 : tensor<4xf32>
  %3 = tarn.tanh %2 : tensor<4xf32>
  %4 = tarn.tanh %3 : tensor<4xf32>
  %5 = tarn.tanh %4 : tensor<4xf32>
  %6 = tarn.tanh %5 : tensor<4xf32>
  %7 = tarn.tanh %6 : tensor<4xf32>
  %loss = tarn.reduce_sum %7 dims = [0] : tensor<4xf32>
  %b0 = tarn.mul %w, %7 : tensor<4xf32>
  %b1 = tarn.mul %b0, %4 : tensor<4xf32>
  %b2 = tarn.mul %b1, %1 : tensor<4xf32>
  %b3 = tarn.mul %b2, %1 : tensor<4xf32>
  return %loss, %b3 : tensor<f32>, tensor<4xf32>
}
