// RUN: tarn-opt %s --tarn-build-step --tarn-verify-step | FileCheck %s
// A forward function with a loss becomes the whole step.

func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}

// CHECK-NOT: @rate
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[X:.*]]: tensor<4x3xf32> {tarn.name = "x"
// CHECK-SAME: %[[W:.*]]: tensor<3x2xf32> {tarn.name = "w", tarn.role = "parameter"}
// CHECK-SAME: tarn.name = "optimizer.step", tarn.role = "optimizer"
// CHECK-SAME: tarn.name = "w.momentum"
// CHECK-SAME: -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"}
// CHECK-SAME: tarn.name = "grad_norm"
// CHECK-SAME: tensor<i1> {tarn.name = "finite"
// CHECK-SAME: tensor<3x2xf32> {tarn.name = "w", tarn.role = "parameter"}
// CHECK-SAME: tarn.kind = "train"
// CHECK-NOT: tarn.train
func.func @step(%x: tensor<4x3xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<3x2xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", momentum = 0.9 : f64,
                clip = 1.0 : f64, rate = @rate}} {
  // CHECK: %[[Y:.*]] = tarn.dot %[[X]], %[[W]] :
  %y = tarn.dot %x, %w : tensor<4x3xf32>, tensor<3x2xf32> -> tensor<4x2xf32>
  %z = tarn.mul %y, %y : tensor<4x2xf32>
  %loss = tarn.reduce_sum %z dims = [0, 1] : tensor<4x2xf32>
  // The gradient of w is x^T times the gradient of y.
  // CHECK: tarn.dot %[[X]], %{{.*}} transpose_a : tensor<4x3xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  // CHECK: %[[NORM:.*]] = tarn.sqrt
  // CHECK: tarn.is_finite %[[NORM]]
  // CHECK: %[[NEXT:.*]] = tarn.select %{{.*}}, %{{.*}}, %[[W]] : tensor<3x2xf32>
  // CHECK: return
  return %loss : tensor<f32>
}
