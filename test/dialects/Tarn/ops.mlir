// RUN: tarn-opt %s | FileCheck %s
// RUN: tarn-opt --mlir-print-op-generic %s | tarn-opt | FileCheck %s
// RUN: tarn-opt --emit-bytecode %s | tarn-opt | FileCheck %s
// Every op is read and printed in its custom form.

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %i: tensor<4x8xi32>) {
  // CHECK: tarn.add %{{.*}}, %{{.*}} : tensor<4x8xf32>
  %0 = tarn.add %x, %y : tensor<4x8xf32>
  %1 = tarn.sub %x, %y : tensor<4x8xf32>
  %2 = tarn.mul %x, %y : tensor<4x8xf32>
  %3 = tarn.div %x, %y : tensor<4x8xf32>
  %4 = tarn.max %x, %y : tensor<4x8xf32>
  %5 = tarn.min %x, %y : tensor<4x8xf32>
  // CHECK: tarn.neg %{{.*}} : tensor<4x8xf32>
  %6 = tarn.neg %x : tensor<4x8xf32>
  %7 = tarn.exp %x : tensor<4x8xf32>
  %8 = tarn.log %x : tensor<4x8xf32>
  %9 = tarn.tanh %x : tensor<4x8xf32>
  %10 = tarn.sqrt %x : tensor<4x8xf32>
  %11 = tarn.rsqrt %x : tensor<4x8xf32>
  %12 = tarn.sin %x : tensor<4x8xf32>
  %13 = tarn.cos %x : tensor<4x8xf32>
  %14 = tarn.erf %x : tensor<4x8xf32>
  %15 = tarn.abs %x : tensor<4x8xf32>
  %16 = tarn.sigmoid %x : tensor<4x8xf32>
  %17 = tarn.reciprocal %x : tensor<4x8xf32>
  %18 = tarn.relu %x : tensor<4x8xf32>
  %19 = tarn.silu %x : tensor<4x8xf32>
  // CHECK: tarn.gelu tanh %{{.*}} : tensor<4x8xf32>
  %20 = tarn.gelu tanh %x : tensor<4x8xf32>
  // CHECK: tarn.gelu none %{{.*}} : tensor<4x8xf32>
  %21 = tarn.gelu none %x : tensor<4x8xf32>
  // CHECK: tarn.compare le %{{.*}}, %{{.*}} : tensor<4x8xi32>
  %22 = tarn.compare le %i, %i : tensor<4x8xi32>
  %23 = tarn.is_finite %x : tensor<4x8xf32>
  %24 = tarn.and %22, %23 : tensor<4x8xi1>
  %25 = tarn.or %22, %23 : tensor<4x8xi1>
  %26 = tarn.not %22 : tensor<4x8xi1>
  // CHECK: tarn.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xf32>
  %27 = tarn.select %26, %x, %y : tensor<4x8xf32>
  // CHECK: tarn.cast %{{.*}} : tensor<4x8xf32> -> tensor<4x8xbf16>
  %28 = tarn.cast %x : tensor<4x8xf32> -> tensor<4x8xbf16>
  %29 = tarn.stop_gradient %x : tensor<4x8xf32>
  return
}

// CHECK-LABEL: func.func @shape
func.func @shape(%x: tensor<4x8xf32>, %b: tensor<8xf32>, %p: tensor<i32>) {
  // CHECK: tarn.broadcast %{{.*}} dims = [1] : tensor<8xf32> -> tensor<4x8xf32>
  %0 = tarn.broadcast %b dims = [1] : tensor<8xf32> -> tensor<4x8xf32>
  // CHECK: tarn.transpose %{{.*}} permutation = [1, 0] : tensor<4x8xf32>
  %1 = tarn.transpose %x permutation = [1, 0] : tensor<4x8xf32>
  // CHECK: tarn.reshape %{{.*}} : tensor<4x8xf32> -> tensor<2x2x8xf32>
  %2 = tarn.reshape %x : tensor<4x8xf32> -> tensor<2x2x8xf32>
  // CHECK: tarn.slice %{{.*}} offsets = [0, 2] sizes = [4, 3] : tensor<4x8xf32>
  %3 = tarn.slice %x offsets = [0, 2] sizes = [4, 3] : tensor<4x8xf32>
  // CHECK: tarn.pad %{{.*}} low = [0, 2] high = [0, 3] : tensor<4x3xf32>
  %4 = tarn.pad %3 low = [0, 2] high = [0, 3] : tensor<4x3xf32>
  // CHECK: tarn.concat %{{.*}}, %{{.*}} dim = 1 : tensor<4x8xf32>, tensor<4x3xf32>
  %5 = tarn.concat %x, %3 dim = 1 : tensor<4x8xf32>, tensor<4x3xf32>
  // CHECK: tarn.update_slice %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] : tensor<4x8xf32>, tensor<4x3xf32>
  %6 = tarn.update_slice %x, %3[%p, %p] : tensor<4x8xf32>, tensor<4x3xf32>
  // CHECK: tarn.element %{{.*}}[%{{.*}}, %{{.*}}] : tensor<4x8xf32>
  %7 = tarn.element %x[%p, %p] : tensor<4x8xf32>
  return
}

// CHECK-LABEL: func.func @contractions
func.func @contractions(%x: tensor<4x8xf32>, %y: tensor<6x8xf32>, %i: tensor<4xi32>, %h: tensor<4x8xbf16>) {
  // CHECK: tarn.reduce_sum %{{.*}} dims = [1] : tensor<4x8xf32>
  %0 = tarn.reduce_sum %x dims = [1] : tensor<4x8xf32>
  // CHECK: tarn.reduce_max %{{.*}} dims = [0, 1] : tensor<4x8xf32>
  %1 = tarn.reduce_max %x dims = [0, 1] : tensor<4x8xf32>
  // CHECK: tarn.argmax %{{.*}} dim = 1 : tensor<4x8xf32>
  %2 = tarn.argmax %x dim = 1 : tensor<4x8xf32>
  // CHECK: tarn.dot %{{.*}}, %{{.*}} transpose_b : tensor<4x8xf32>, tensor<6x8xf32> -> tensor<4x6xf32>
  %3 = tarn.dot %x, %y transpose_b : tensor<4x8xf32>, tensor<6x8xf32> -> tensor<4x6xf32>
  // CHECK: tarn.dot %{{.*}}, %{{.*}} transpose_a : tensor<4x8xbf16>, tensor<4x8xbf16> -> tensor<8x8xf32>
  %4 = tarn.dot %h, %h transpose_a : tensor<4x8xbf16>, tensor<4x8xbf16> -> tensor<8x8xf32>
  // CHECK: tarn.gather %{{.*}}, %{{.*}} : tensor<6x8xf32>, tensor<4xi32>
  %5 = tarn.gather %y, %i : tensor<6x8xf32>, tensor<4xi32>
  // CHECK: tarn.scatter_add %{{.*}}, %{{.*}} rows = 6 : tensor<4xi32>, tensor<4x8xf32>
  %6 = tarn.scatter_add %i, %x rows = 6 : tensor<4xi32>, tensor<4x8xf32>
  // CHECK: tarn.take_along %{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<4xi32>
  %7 = tarn.take_along %x, %i : tensor<4x8xf32>, tensor<4xi32>
  return
}

// CHECK-LABEL: func.func @data
func.func @data(%key: tensor<2xi32>) {
  // CHECK: tarn.constant dense<1.000000e+00> : tensor<4xf32>
  %0 = tarn.constant dense<1.0> : tensor<4xf32>
  // CHECK: tarn.iota dim = 1 : tensor<4x8xi32>
  %1 = tarn.iota dim = 1 : tensor<4x8xi32>
  // CHECK: tarn.random_bits %{{.*}} salt = 7 : tensor<4x8xi32>
  %2 = tarn.random_bits %key salt = 7 : tensor<4x8xi32>
  // CHECK: tarn.random_bits %{{.*}} salt = 7 word = 1 : tensor<4x8xi32>
  %3 = tarn.random_bits %key salt = 7 word = 1 : tensor<4x8xi32>
  // CHECK: tarn.random_uniform %{{.*}} salt = 8 : tensor<4x8xf32>
  %4 = tarn.random_uniform %key salt = 8 : tensor<4x8xf32>
  // CHECK: tarn.random_normal %{{.*}} salt = 9 : tensor<4x8xf32>
  %5 = tarn.random_normal %key salt = 9 : tensor<4x8xf32>
  return
}

// CHECK-LABEL: func.func @norms
func.func @norms(%x: tensor<4x8xf32>, %w: tensor<8xf32>, %t: tensor<4xi32>,
                 %q: tensor<2x4x8xf32>, %c: tensor<4x4xf32>, %s: tensor<f32>) {
  // CHECK: tarn.softmax %{{.*}} dim = 1 : tensor<4x8xf32>
  %0 = tarn.softmax %x dim = 1 : tensor<4x8xf32>
  // CHECK: tarn.log_softmax %{{.*}} dim = 0 : tensor<4x8xf32>
  %1 = tarn.log_softmax %x dim = 0 : tensor<4x8xf32>
  // CHECK: tarn.layer_norm %{{.*}}, %{{.*}}, %{{.*}} eps = 1.000000e-05 : tensor<4x8xf32>, tensor<8xf32>
  %2 = tarn.layer_norm %x, %w, %w eps = 1.0e-5 : tensor<4x8xf32>, tensor<8xf32>
  // CHECK: tarn.rms_norm %{{.*}}, %{{.*}} eps = 9.9999999999999995E-7 : tensor<4x8xf32>, tensor<8xf32>
  %3 = tarn.rms_norm %x, %w eps = 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  // CHECK: tarn.cross_entropy %{{.*}}, %{{.*}} ignore_index = -100 : tensor<4x8xf32>, tensor<4xi32>
  %4, %5 = tarn.cross_entropy %x, %t ignore_index = -100 : tensor<4x8xf32>, tensor<4xi32>
  // CHECK: tarn.rope %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x4x8xf32>, tensor<4x4xf32>
  %6 = tarn.rope %q, %c, %c : tensor<2x4x8xf32>, tensor<4x4xf32>
  // CHECK: tarn.rope %{{.*}}, %{{.*}}, %{{.*}} interleaved : tensor<2x4x8xf32>, tensor<4x4xf32>
  %7 = tarn.rope %q, %c, %c interleaved : tensor<2x4x8xf32>, tensor<4x4xf32>
  // CHECK: tarn.ratio %{{.*}}, %{{.*}} : tensor<f32>
  %8 = tarn.ratio %s, %s : tensor<f32>
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<2x4x8x16xf32>, %k: tensor<2x2x8x16xf32>,
                     %v: tensor<2x2x8x16xf32>, %slope: tensor<4xf32>) {
  // CHECK: tarn.attention %{{.*}}, %{{.*}}, %{{.*}} captures(%{{.*}} : tensor<4xf32>) scale = 1.250000e-01 mask {
  // CHECK: } score {
  // CHECK: tarn.element %{{.*}}[%{{.*}}] : tensor<4xf32>
  // CHECK: } : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
  %out, %lse = tarn.attention %q, %k, %v captures(%slope : tensor<4xf32>) scale = 0.125 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %m: tensor<4xf32>):
    %0 = tarn.compare le %j, %i : tensor<i32>
    tarn.yield %0 : tensor<i1>
  } score {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %m: tensor<4xf32>):
    %0 = tarn.element %m[%h] : tensor<4xf32>
    %1 = tarn.sub %i, %j : tensor<i32>
    %2 = tarn.cast %1 : tensor<i32> -> tensor<f32>
    %3 = tarn.mul %0, %2 : tensor<f32>
    %4 = tarn.sub %s, %3 : tensor<f32>
    tarn.yield %4 : tensor<f32>
  } : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
  // CHECK: tarn.attention %{{.*}}, %{{.*}}, %{{.*}} scale = 1.000000e+00 : tensor
  %out1, %lse1 = tarn.attention %q, %k, %v scale = 1.0 : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
  // CHECK: tarn.attention_backward
  %dq, %dk, %dv = tarn.attention_backward %q, %k, %v, %out1, %lse1, %out
    scale = 1.0 : tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>
  return
}

// CHECK-LABEL: func.func @cluster
func.func @cluster(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK: tarn.cluster(%{{.*}}) {
  // CHECK: tarn.yield %{{.*}} : tensor<4x8xf32>
  // CHECK: } : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = tarn.cluster (%x) {
  ^bb0(%a: tensor<4x8xf32>):
    %0 = tarn.exp %a : tensor<4x8xf32>
    tarn.yield %0 : tensor<4x8xf32>
  } : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
