// RUN: tarn-opt %s --tarn-build-step --tarn-verify-step | FileCheck %s
// With accumulation the step is split: one function adds up the sums of a
// micro-batch, the other divides by the whole count and applies.

func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @step_micro
// CHECK-SAME: tarn.name = "accumulator.loss", tarn.role = "accumulator"
// CHECK-SAME: tarn.name = "accumulator.count"
// CHECK-SAME: tarn.name = "w.grad"
// CHECK-SAME: tarn.kind = "micro"
// CHECK-LABEL: func.func @step(
// CHECK-SAME: tarn.name = "loss", tarn.role = "loss"
// CHECK-SAME: tarn.accumulate = 4
// CHECK-SAME: tarn.kind = "train"
// CHECK-SAME: tarn.micro = @step_micro
// The count of all micro-batches divides.
// CHECK: tarn.max %{{.*}} : tensor<f32>
// CHECK: tarn.div
func.func @step(%x: tensor<16xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<16xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "adamw", accumulate = 4 : i64,
                rate = @rate}} {
  %z = tarn.mul %x, %w : tensor<16xf32>
  %sum = tarn.reduce_sum %z dims = [0] : tensor<16xf32>
  %count = tarn.constant dense<4.0> : tensor<f32>
  %loss = tarn.ratio %sum, %count : tensor<f32>
  return %loss : tensor<f32>
}
