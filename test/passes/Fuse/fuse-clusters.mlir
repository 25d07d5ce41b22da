// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters{explain}))' --verify-diagnostics | FileCheck %s
// Ops that can be one program become one cluster; a remark names each border.

// A row is whole: two reductions and what follows them are one kernel.
// CHECK-LABEL: func.func @softmax
// CHECK-COUNT-1: tarn.cluster
// CHECK-NOT: tarn.cluster
func.func @softmax(%x: tensor<37x65xf32>) -> tensor<37x65xf32> {
  %m = tarn.reduce_max %x dims = [1] : tensor<37x65xf32>
  %mb = tarn.broadcast %m dims = [0] : tensor<37xf32> -> tensor<37x65xf32>
  %c = tarn.sub %x, %mb : tensor<37x65xf32>
  %e = tarn.exp %c : tensor<37x65xf32>
  %s = tarn.reduce_sum %e dims = [1] : tensor<37x65xf32>
  %sb = tarn.broadcast %s dims = [0] : tensor<37xf32> -> tensor<37x65xf32>
  %y = tarn.div %e, %sb : tensor<37x65xf32>
  return %y : tensor<37x65xf32>
}

// Bias, activation and residual are stored with the product, and so is the
// value before the activation, which the backward pass wants.
// CHECK-LABEL: func.func @epilogue
// CHECK: tarn.cluster
// CHECK: tarn.dot
// CHECK: tarn.gelu
// CHECK: tarn.yield %{{.*}}, %{{.*}} :
// CHECK-NOT: tarn.cluster
func.func @epilogue(%a: tensor<32x16xf32>, %b: tensor<16x24xf32>, %bias: tensor<24xf32>,
                    %r: tensor<32x24xf32>) -> (tensor<32x24xf32>, tensor<32x24xf32>) {
  %d = tarn.dot %a, %b : tensor<32x16xf32>, tensor<16x24xf32> -> tensor<32x24xf32>
  %w = tarn.broadcast %bias dims = [1] : tensor<24xf32> -> tensor<32x24xf32>
  %x = tarn.add %d, %w : tensor<32x24xf32>
  %g = tarn.gelu tanh %x : tensor<32x24xf32>
  %y = tarn.add %g, %r : tensor<32x24xf32>
  return %y, %x : tensor<32x24xf32>, tensor<32x24xf32>
}

// CHECK-LABEL: func.func @borders
// CHECK-COUNT-2: tarn.cluster
func.func @borders(%a: tensor<32x16xf32>, %b: tensor<16x24xf32>, %c: tensor<24x8xf32>) -> tensor<32x8xf32> {
  // expected-remark @below {{border before tarn.dot: two products}}
  %d = tarn.dot %a, %b : tensor<32x16xf32>, tensor<16x24xf32> -> tensor<32x24xf32>
  %e = tarn.dot %d, %c : tensor<32x24xf32>, tensor<24x8xf32> -> tensor<32x8xf32>
  return %e : tensor<32x8xf32>
}

// Equal through a reshape, which is no kernel: joining would make the kernel
// wait for itself.
// CHECK-LABEL: func.func @through_reshape
// CHECK: tarn.cluster
// CHECK: tarn.reshape
// CHECK: tarn.cluster
func.func @through_reshape(%x: tensor<6x4xf32>, %y: tensor<24xf32>) -> tensor<24xf32> {
  // expected-remark @below {{border after tarn.exp: its result lies in memory}}
  %e = tarn.exp %x : tensor<6x4xf32>
  %r = tarn.reshape %e : tensor<6x4xf32> -> tensor<24xf32>
  %z = tarn.add %r, %y : tensor<24xf32>
  return %z : tensor<24xf32>
}
