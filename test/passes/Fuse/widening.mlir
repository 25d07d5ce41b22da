// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters))' | FileCheck %s
// A widened value is never kept: each reader widens for itself.
// CHECK-LABEL: func.func @widened_by_its_readers
// CHECK: %[[K:.*]] = tarn.cluster(%{{.*}}) {
// CHECK: tarn.yield %{{.*}} : tensor<4x8xbf16>
// CHECK: tarn.cluster({{.*}}%[[K]]
// CHECK: tarn.cast %{{.*}} : tensor<4x8xbf16> -> tensor<4x8xf32>
// CHECK: tarn.cluster({{.*}}%[[K]]
// CHECK: tarn.cast %{{.*}} : tensor<4x8xbf16> -> tensor<4x8xf32>
func.func @widened_by_its_readers(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %k = tarn.cast %y : tensor<4x8xf32> -> tensor<4x8xbf16>
  %v = tarn.cast %k : tensor<4x8xbf16> -> tensor<4x8xf32>
  %a = tarn.dot %v, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %b = tarn.dot %a, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %c = tarn.add %v, %b : tensor<4x8xf32>
  return %a, %c : tensor<4x8xf32>, tensor<4x8xf32>
}
