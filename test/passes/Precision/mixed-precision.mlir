// RUN: tarn-opt %s --tarn-mixed-precision | FileCheck %s
// Products read bf16 and sum in f32; a shared operand is rounded once; all else
// stays as it was.

// CHECK-LABEL: func.func @bf16
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8x8xf32>
func.func @bf16(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> attributes {tarn.precision = "bf16"} {
  // CHECK-DAG: %[[NX:.*]] = tarn.cast %[[X]] : tensor<4x8xf32> -> tensor<4x8xbf16>
  // CHECK-DAG: %[[NW:.*]] = tarn.cast %[[W]] : tensor<8x8xf32> -> tensor<8x8xbf16>
  // CHECK: %[[Y:.*]] = tarn.dot %[[NX]], %[[NW]] : tensor<4x8xbf16>, tensor<8x8xbf16> -> tensor<4x8xf32>
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  // CHECK: %[[NY:.*]] = tarn.cast %[[Y]]
  // CHECK-NOT: tarn.cast %[[W]]
  // CHECK: tarn.dot %[[NY]], %[[NW]]
  %z = tarn.dot %y, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  // CHECK: tarn.exp %{{.*}} : tensor<4x8xf32>
  %e = tarn.exp %z : tensor<4x8xf32>
  return %e : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @fp32
func.func @fp32(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  // CHECK-NOT: tarn.cast
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
