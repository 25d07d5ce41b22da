// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,canonicalize,cse)' | FileCheck %s
// Attention reads heads where a product left them and stores gradients where
// they are put together: the views are in the dims of loads and stores.

// CHECK: tile.kernel @k_attention(%[[X:.*]]: memref<2x8x3x4x16xf32>, %{{.*}}: memref<2x4x8xf32>, %[[O:.*]]: memref<2x8x4x16xf32>)
// CHECK: tile.load %[[X]][%[[B:.*]], %[[R:.*]], 0, %[[H:.*]], 0] {dims = [1, 4]}
// CHECK: tile.load %[[X]][%[[B]], %{{.*}}, 1, %[[H]], 0] {dims = [1, 4]}
// CHECK: tile.load %[[X]][%[[B]], %{{.*}}, 2, %[[H]], 0] {dims = [1, 4]}
// CHECK: tile.store %{{.*}}, %[[O]][%[[B]], %[[R]], %[[H]], 0] {dims = [1, 3]}

// What dq is added to holds dk and dv beside it.
// CHECK: tile.kernel @k_attention_backward{{.*}}, %[[G:[a-z0-9]*]]: memref<2x8x3x4x16xf32>)
// CHECK-NEXT: access ["read", "read", "read", "read", "accumulate"]
// CHECK: tile.accumulate %{{.*}}, %[[G]][%[[B:.*]], %{{.*}}, 0, %[[H:.*]], 0] {dims = [1, 4]}
// CHECK: tile.store %{{.*}}, %[[G]][%[[B]], %{{.*}}, 1, %[[H]], 0] {dims = [1, 4]}
// CHECK: tile.store %{{.*}}, %[[G]][%[[B]], %{{.*}}, 2, %[[H]], 0] {dims = [1, 4]}
func.func @heads(%x: tensor<2x8x192xf32>, %g: tensor<2x4x8x16xf32>) -> (tensor<2x8x64xf32>, tensor<2x8x192xf32>) {
  %h = tarn.reshape %x : tensor<2x8x192xf32> -> tensor<2x8x3x4x16xf32>
  %p = tarn.transpose %h permutation = [2, 0, 3, 1, 4] : tensor<2x8x3x4x16xf32>
  %q1 = tarn.slice %p offsets = [0, 0, 0, 0, 0] sizes = [1, 2, 4, 8, 16] : tensor<3x2x4x8x16xf32>
  %q = tarn.reshape %q1 : tensor<1x2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  %k1 = tarn.slice %p offsets = [1, 0, 0, 0, 0] sizes = [1, 2, 4, 8, 16] : tensor<3x2x4x8x16xf32>
  %k = tarn.reshape %k1 : tensor<1x2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  %v1 = tarn.slice %p offsets = [2, 0, 0, 0, 0] sizes = [1, 2, 4, 8, 16] : tensor<3x2x4x8x16xf32>
  %v = tarn.reshape %v1 : tensor<1x2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  %o, %l = tarn.attention %q, %k, %v scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  %t = tarn.transpose %o permutation = [0, 2, 1, 3] : tensor<2x4x8x16xf32>
  %y = tarn.reshape %t : tensor<2x8x4x16xf32> -> tensor<2x8x64xf32>
  %dq, %dk, %dv = tarn.attention_backward %q, %k, %v, %o, %l, %g scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  %a = tarn.reshape %dq : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %b = tarn.reshape %dk : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %c = tarn.reshape %dv : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %d = tarn.concat %a, %b, %c dim = 0 : tensor<1x2x4x8x16xf32>, tensor<1x2x4x8x16xf32>, tensor<1x2x4x8x16xf32>
  %e = tarn.transpose %d permutation = [1, 3, 0, 2, 4] : tensor<3x2x4x8x16xf32>
  %z = tarn.reshape %e : tensor<2x8x3x4x16xf32> -> tensor<2x8x192xf32>
  return %y, %z : tensor<2x8x64xf32>, tensor<2x8x192xf32>
}
