// RUN: tarn-opt %s --tarn-mixed-precision | FileCheck %s
// Products read bf16 and sum in f32; what several ops read of a product is
// rounded once, behind its bias; all else stays as it was.

// CHECK-LABEL: func.func @factors
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8x8xf32>
func.func @factors(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> attributes {tarn.precision = "bf16"} {
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

// The activation that the nonlinearity reads twice is kept in bf16; the product
// that follows reads the nonlinearity in bf16.
// CHECK-LABEL: func.func @kept_behind_the_bias
// CHECK: %[[B:.*]] = tarn.broadcast %arg2
// CHECK: %[[Y:.*]] = tarn.dot
// CHECK-NEXT: %[[S:.*]] = tarn.add %[[Y]], %[[B]]
// CHECK-NEXT: %[[K:.*]] = tarn.cast %[[S]] : tensor<4x8xf32> -> tensor<4x8xbf16>
// CHECK-NEXT: %[[V:.*]] = tarn.cast %[[K]] : tensor<4x8xbf16> -> tensor<4x8xf32>
// CHECK: %[[T:.*]] = tarn.tanh %[[V]]
// CHECK: %[[M:.*]] = tarn.mul %[[V]], %[[T]]
// CHECK: %[[N:.*]] = tarn.cast %[[M]] : tensor<4x8xf32> -> tensor<4x8xbf16>
// CHECK: tarn.dot %[[N]]
func.func @kept_behind_the_bias(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> attributes {tarn.precision = "bf16"} {
  %bias = tarn.broadcast %b dims = [1] : tensor<8xf32> -> tensor<4x8xf32>
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %s = tarn.add %y, %bias : tensor<4x8xf32>
  %t = tarn.tanh %s : tensor<4x8xf32>
  %m = tarn.mul %s, %t : tensor<4x8xf32>
  %z = tarn.dot %m, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return %z : tensor<4x8xf32>
}

// A residual stream is no product: it stays f32, and so does what joins it.
// CHECK-LABEL: func.func @residual
// CHECK: %[[Y:.*]] = tarn.dot
// CHECK-NEXT: %[[H:.*]] = tarn.add %arg0, %[[Y]] : tensor<4x8xf32>
// CHECK: tarn.mul %[[H]], %[[H]] : tensor<4x8xf32>
func.func @residual(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> attributes {tarn.precision = "bf16"} {
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %h = tarn.add %x, %y : tensor<4x8xf32>
  %m = tarn.mul %h, %h : tensor<4x8xf32>
  %z = tarn.dot %m, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return %z : tensor<4x8xf32>
}

// The gradient of a weight goes to the optimizer as it was summed.
// CHECK-LABEL: func.func @weight_gradient
// CHECK: %[[G:.*]] = tarn.dot {{.*}} transpose_a : tensor<4x8xbf16>, tensor<4x8xbf16> -> tensor<8x8xf32>
// CHECK: tarn.mul %[[G]], %[[G]] : tensor<8x8xf32>
// CHECK: tarn.sub %arg1, %[[G]]
func.func @weight_gradient(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %g: tensor<4x8xf32>) -> (tensor<f32>, tensor<8x8xf32>) attributes {tarn.precision = "bf16"} {
  %dw = tarn.dot %x, %g transpose_a : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<8x8xf32>
  %sq = tarn.mul %dw, %dw : tensor<8x8xf32>
  %norm = tarn.reduce_sum %sq dims = [0, 1] : tensor<8x8xf32>
  %n = tarn.sub %w, %dw : tensor<8x8xf32>
  return %norm, %n : tensor<f32>, tensor<8x8xf32>
}

// Attention takes and gives bf16; its gradients come in f32. What a product
// gave is followed through transposes, not widened and rounded again.
// CHECK-LABEL: func.func @attention
// CHECK: %[[Y:.*]] = tarn.dot
// CHECK: %[[K:.*]] = tarn.cast %[[Y]] : tensor<8x8xf32> -> tensor<8x8xbf16>
// CHECK: %[[Q:.*]] = tarn.reshape %[[K]] : tensor<8x8xbf16> -> tensor<1x2x4x8xbf16>
// CHECK: %[[O:.*]], %[[L:.*]] = tarn.attention %[[Q]], %[[Q]], %[[Q]]
// CHECK-SAME: tensor<1x2x4x8xbf16>
// CHECK: tarn.attention_backward %[[Q]], %[[Q]], %[[Q]], %[[O]], %[[L]],
// CHECK-SAME: -> tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
func.func @attention(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %g: tensor<1x2x4x8xf32>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<8x8xf32>) attributes {tarn.precision = "bf16"} {
  %y = tarn.dot %x, %w : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %q = tarn.reshape %y : tensor<8x8xf32> -> tensor<1x2x4x8xf32>
  %o, %l = tarn.attention %q, %q, %q scale = 0.125 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  %dq, %dk, %dv = tarn.attention_backward %q, %q, %q, %o, %l, %g scale = 0.125 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  return %o, %dq, %y : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<8x8xf32>
}

// In tf32 products round their factors for themselves, all of them; nothing in
// memory changes, and products of other types are what they were.
// CHECK-LABEL: func.func @tf32
// CHECK-NOT: tarn.cast
// CHECK: tarn.dot %arg0, %arg1 {tf32} : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
// CHECK: tarn.attention {{.*}} scale = 1.250000e-01 {tf32}
// CHECK: tarn.attention_backward {{.*}} scale = 1.250000e-01 {tf32}
// CHECK: tarn.dot %arg3, %arg3 : tensor<8x8xf64>
func.func @tf32(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %g: tensor<1x2x4x8xf32>, %d: tensor<8x8xf64>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<8x8xf64>) attributes {tarn.precision = "tf32"} {
  %y = tarn.dot %x, %w : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %q = tarn.reshape %y : tensor<8x8xf32> -> tensor<1x2x4x8xf32>
  %o, %l = tarn.attention %q, %q, %q scale = 0.125 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  %dq, %dk, %dv = tarn.attention_backward %q, %q, %q, %o, %l, %g scale = 0.125 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  %e = tarn.dot %d, %d : tensor<8x8xf64>, tensor<8x8xf64> -> tensor<8x8xf64>
  return %o, %dq, %e : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<8x8xf64>
}

// CHECK-LABEL: func.func @fp32
func.func @fp32(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  // CHECK-NOT: tarn.cast
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// What products make and what is put together is rounded where it is made, and
// seen through what moves it.
// CHECK-LABEL: func.func @put_together
// CHECK: %[[A:.*]] = tarn.dot
// CHECK-NEXT: %[[NA:.*]] = tarn.cast %[[A]] : tensor<4x8xf32> -> tensor<4x8xbf16>
// CHECK: %[[B:.*]] = tarn.dot
// CHECK-NEXT: %[[NB:.*]] = tarn.cast %[[B]] : tensor<4x8xf32> -> tensor<4x8xbf16>
// CHECK-DAG: %[[RA:.*]] = tarn.reshape %[[NA]]
// CHECK-DAG: %[[RB:.*]] = tarn.reshape %[[NB]]
// CHECK: %[[C:.*]] = tarn.concat %[[RA]], %[[RB]] dim = 0 : tensor<1x4x8xbf16>
// CHECK: %[[T:.*]] = tarn.transpose %[[C]] {{.*}} : tensor<2x4x8xbf16>
// CHECK: %[[R:.*]] = tarn.reshape %[[T]]
// CHECK: %[[W:.*]] = tarn.cast %[[R]] : tensor<4x16xbf16> -> tensor<4x16xf32>
// CHECK-DAG: tarn.reduce_sum %[[W]]
// CHECK-DAG: tarn.dot %[[R]],
func.func @put_together(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %v: tensor<16x8xf32>) -> (tensor<16xf32>, tensor<4x8xf32>) attributes {tarn.precision = "bf16"} {
  %a = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %b = tarn.dot %x, %w transpose_b : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %ra = tarn.reshape %a : tensor<4x8xf32> -> tensor<1x4x8xf32>
  %rb = tarn.reshape %b : tensor<4x8xf32> -> tensor<1x4x8xf32>
  %c = tarn.concat %ra, %rb dim = 0 : tensor<1x4x8xf32>, tensor<1x4x8xf32>
  %t = tarn.transpose %c permutation = [1, 0, 2] : tensor<2x4x8xf32>
  %r = tarn.reshape %t : tensor<4x2x8xf32> -> tensor<4x16xf32>
  %s = tarn.reduce_sum %r dims = [0] : tensor<4x16xf32>
  %z = tarn.dot %r, %v : tensor<4x16xf32>, tensor<16x8xf32> -> tensor<4x8xf32>
  return %s, %z : tensor<16xf32>, tensor<4x8xf32>
}
