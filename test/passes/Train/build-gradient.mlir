// RUN: tarn-opt %s --tarn-build-gradient=function=f | FileCheck %s
// Gradients of the first number come out beside the results; frozen parameters
// and integers have none.

// CHECK-LABEL: func.func @f
// CHECK-SAME: -> (tensor<f32> {tarn.name = "y", tarn.role = "output"}, tensor<4xf32> {tarn.name = "grad.w", tarn.role = "output"})
// CHECK-NOT: grad.frozen
// CHECK-NOT: @other
func.func @f(%w: tensor<4xf32> {tarn.name = "w", tarn.role = "parameter"},
             %v: tensor<4xf32> {tarn.frozen, tarn.name = "frozen", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "y", tarn.role = "output"}) attributes {tarn.kind = "eval"} {
  %0 = tarn.mul %w, %v : tensor<4xf32>
  %1 = tarn.reduce_sum %0 dims = [0] : tensor<4xf32>
  return %1 : tensor<f32>
}
func.func @other() attributes {tarn.kind = "eval"} {
  return
}
