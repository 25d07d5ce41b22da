// RUN: tarn-opt --tarn-decompose %s | FileCheck %s
// RUN: tarn-opt --tarn-decompose=attention %s | FileCheck %s --check-prefix=ATTENTION
// RUN: tarn-opt --tarn-decompose=keep=tarn.ratio %s | FileCheck %s --check-prefix=KEEP
// Composites become loop nests; attention and the elementwise ones stay.

// CHECK-LABEL: func.func @ratio
// CHECK-SAME: %[[S:.*]]: tensor<f32>, %[[C:.*]]: tensor<f32>
// CHECK: %[[ONE:.*]] = tarn.constant dense<1.000000e+00> : tensor<f32>
// CHECK: %[[N:.*]] = tarn.max %[[C]], %[[ONE]]
// CHECK: tarn.div %[[S]], %[[N]]
// KEEP-LABEL: func.func @ratio
// KEEP: tarn.ratio
func.func @ratio(%s: tensor<f32>, %c: tensor<f32>) -> tensor<f32> {
  %r = tarn.ratio %s, %c : tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @softmax
// CHECK-NOT: tarn.softmax
// CHECK: tarn.reduce_max %{{.*}} dims = [1]
// CHECK: tarn.exp
// CHECK: tarn.reduce_sum %{{.*}} dims = [1]
// CHECK: tarn.div
func.func @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %r = tarn.softmax %x dim = 1 : tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @activation_stays
// CHECK: tarn.gelu
func.func @activation_stays(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %r = tarn.gelu tanh %x : tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @attention
// CHECK: tarn.attention
// ATTENTION-LABEL: func.func @attention
// ATTENTION-NOT: tarn.attention
// ATTENTION: tarn.dot %{{.*}} transpose_b
// ATTENTION: tarn.compare le
// ATTENTION: tarn.select
// ATTENTION: tarn.dot
func.func @attention(%q: tensor<2x4x8x16xf32>, %k: tensor<2x2x8x16xf32>) -> tensor<2x4x8x16xf32> {
  %out, %lse = tarn.attention %q, %k, %k scale = 0.25 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %0 = tarn.compare le %j, %i : tensor<i32>
    tarn.yield %0 : tensor<i1>
  } : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
  return %out : tensor<2x4x8x16xf32>
}
