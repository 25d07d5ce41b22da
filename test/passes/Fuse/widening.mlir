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

// What is made of index numbers and of one number a row is not kept either.
// CHECK-LABEL: func.func @compared_by_its_readers
// CHECK-NOT: xi1>)
// CHECK: tarn.cluster
// CHECK: tarn.compare
// CHECK: tarn.cluster
// CHECK: tarn.compare
// CHECK-NOT: xi1>)
// CHECK: return
func.func @compared_by_its_readers(%t: tensor<4xi32>, %x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %zero = tarn.constant dense<0.0> : tensor<4x8xf32>
  %one = tarn.constant dense<1.0> : tensor<4x8xf32>
  %i = tarn.iota dim = 1 : tensor<4x8xi32>
  %b = tarn.broadcast %t dims = [0] : tensor<4xi32> -> tensor<4x8xi32>
  %hit = tarn.compare eq %i, %b : tensor<4x8xi32>
  %picked = tarn.select %hit, %x, %zero : tensor<4x8xf32>
  %s = tarn.reduce_sum %picked dims = [1] : tensor<4x8xf32>
  %y = tarn.dot %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %z = tarn.dot %y, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %hot = tarn.select %hit, %one, %zero : tensor<4x8xf32>
  %d = tarn.sub %z, %hot : tensor<4x8xf32>
  return %s, %d : tensor<4xf32>, tensor<4x8xf32>
}

// Two kernels reduce the rows of %x, but the second one reads %a, which the
// kernel makes that waits for the first one: they stay apart.
// CHECK-LABEL: func.func @waits_for_itself
// CHECK-COUNT-3: tarn.cluster
// CHECK: return
func.func @waits_for_itself(%x: tensor<6x64xf32>, %p: tensor<6x5xf32>, %g: tensor<6x4xf32>, %h: tensor<4x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %a = tarn.exp %p : tensor<6x5xf32>
  %m = tarn.reduce_max %x dims = [1] : tensor<6x64xf32>
  %d = tarn.dot %g, %h : tensor<6x4xf32>, tensor<4x5xf32> -> tensor<6x5xf32>
  %mb = tarn.broadcast %m dims = [0] : tensor<6xf32> -> tensor<6x5xf32>
  %am = tarn.mul %a, %mb : tensor<6x5xf32>
  %w = tarn.add %d, %am : tensor<6x5xf32>
  %q = tarn.reduce_max %a dims = [1] : tensor<6x5xf32>
  %qb = tarn.broadcast %q dims = [0] : tensor<6xf32> -> tensor<6x64xf32>
  %y = tarn.mul %x, %qb : tensor<6x64xf32>
  %s = tarn.reduce_sum %y dims = [1] : tensor<6x64xf32>
  return %w, %s : tensor<6x5xf32>, tensor<6xf32>
}
