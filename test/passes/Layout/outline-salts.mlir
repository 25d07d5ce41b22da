// RUN: tarn-opt %s --tarn-outline-salts | FileCheck %s
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-outline-salts,tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s --check-prefix=KERNEL
// Salts are data: two weights of one shape are drawn by one kernel.

// CHECK-LABEL: func.func @init
// CHECK: %[[A:.*]] = tarn.constant dense<[0, 5]> : tensor<2xi32>
// CHECK: tarn.random_normal %{{.*}} start %[[A]] salt = 0 : tensor<4x8xf32>
// CHECK: %[[B:.*]] = tarn.constant dense<[0, 2147483647]> : tensor<2xi32>
// CHECK: tarn.random_normal %{{.*}} start %[[B]] salt = 0 : tensor<4x8xf32>
// KERNEL-LABEL: func.func @init
// KERNEL: kernel = @[[$K:[a-z_0-9]+]]
// KERNEL: kernel = @[[$K]]
func.func @init(%key: tensor<2xi32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %a = tarn.random_normal %key salt = 5 : tensor<4x8xf32>
  %b = tarn.random_normal %key salt = 2147483647 : tensor<4x8xf32>
  return %a, %b : tensor<4x8xf32>, tensor<4x8xf32>
}

// One alone keeps its salt.
// CHECK-LABEL: func.func @alone
// CHECK: tarn.random_uniform %{{[a-z0-9]+}} salt = 5
func.func @alone(%key: tensor<2xi32>) -> tensor<4x8xf32> {
  %a = tarn.random_uniform %key salt = 5 : tensor<4x8xf32>
  return %a : tensor<4x8xf32>
}
