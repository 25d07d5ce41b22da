// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters))' | FileCheck %s
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,canonicalize,cse)' | FileCheck %s --check-prefix=TILE
// What several kernels make of one value is written where it is put together,
// also where a cast comes between: no kernel copies it.

// Two kernels with programs of their own, as on a GPU.
// CHECK-LABEL: func.func @two
// CHECK: %[[K:.*]] = tarn.cluster
// CHECK: tarn.attention_backward
// CHECK: tarn.concat
// CHECK: tarn.pad {{.*}} low = [0, 0, 1, 0, 0] high = [0, 0, 0, 0, 0] {tarn.open} : tensor<2x8x2x4x16xf32>
// CHECK: %[[Q:.*]] = tarn.cluster
// CHECK: tarn.attention_backward
// CHECK: tarn.pad {{.*}} low = [0, 0, 0, 0, 0] high = [0, 0, 2, 0, 0] {tarn.open} : tensor<2x8x1x4x16xf32>
// CHECK: %[[S:.*]] = tarn.add %[[Q]], %[[K]] {tarn.in_place} : tensor<2x8x3x4x16xf32>
// CHECK-NEXT: tarn.reshape %[[S]]
// CHECK-NEXT: tarn.cluster
// CHECK-NOT: tarn.cluster
// CHECK: return

// TILE: tile.kernel @{{.*}}, %[[KV:[a-z0-9]*]]: memref<2x8x3x4x16xf32>)
// TILE: tile.store %{{.*}}, %[[KV]][%[[B:.*]], %{{.*}}, 1, %[[H:.*]], 0] {dims = [1, 4]}
// TILE: tile.store %{{.*}}, %[[KV]][%[[B]], %{{.*}}, 2, %[[H]], 0] {dims = [1, 4]}
// TILE: tile.kernel @{{.*}}, %[[DQ:[a-z0-9]*]]: memref<2x8x3x4x16xf32>)
// TILE: tile.store %{{.*}}, %[[DQ]][%{{.*}}, %{{.*}}, 0, %{{.*}}, 0] {dims = [1, 4]}
func.func @two(%q: tensor<2x4x8x16xf32>, %k: tensor<2x4x8x16xf32>, %o: tensor<2x4x8x16xf32>, %l: tensor<2x4x8xf32>, %g: tensor<2x4x8x16xf32>) -> tensor<2x8x192xf32> {
  %0, %dk, %dv = tarn.attention_backward %q, %k, %k, %o, %l, %g scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  %dq, %1, %2 = tarn.attention_backward %q, %k, %k, %o, %l, %g scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  %a = tarn.reshape %dq : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %b = tarn.reshape %dk : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %c = tarn.reshape %dv : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %d = tarn.concat %a, %b, %c dim = 0 : tensor<1x2x4x8x16xf32>, tensor<1x2x4x8x16xf32>, tensor<1x2x4x8x16xf32>
  %e = tarn.transpose %d permutation = [1, 3, 0, 2, 4] : tensor<3x2x4x8x16xf32>
  %z = tarn.reshape %e : tensor<2x8x3x4x16xf32> -> tensor<2x8x192xf32>
  %n = tarn.neg %z : tensor<2x8x192xf32>
  return %n : tensor<2x8x192xf32>
}

// Products write what is rounded of them, another kernel the part that is not
// a product's.
// CHECK-LABEL: func.func @products
// CHECK: %[[A:.*]] = tarn.cluster
// CHECK: tarn.dot
// CHECK: tarn.cast
// CHECK: tarn.pad {{.*}} low = [0, 0, 0, 0, 0] high = [0, 0, 1, 0, 0] {tarn.open} : tensor<2x80x1x4x16xbf16>
// CHECK: %[[B:.*]] = tarn.cluster
// CHECK-NOT: tarn.dot
// CHECK: tarn.exp
// CHECK: tarn.pad {{.*}} low = [0, 0, 1, 0, 0] high = [0, 0, 0, 0, 0] {tarn.open} : tensor<2x80x1x4x16xbf16>
// CHECK: tarn.add %[[A]], %[[B]] {tarn.in_place} : tensor<2x80x2x4x16xbf16>

// TILE: tile.kernel @k_dot_1(%{{.*}}, %[[D:[a-z0-9]*]]: memref<2x80x2x4x16xbf16>)
// TILE: tile.store %{{.*}}, %[[D]][%{{.*}}, %{{.*}}, 0, %{{.*}}, %{{.*}}] {dims = [1, 4]}
// TILE: tile.kernel @k_cast_1(%{{.*}}: memref<2x4x80x16xf32>, %[[C:[a-z0-9]*]]: memref<2x80x2x4x16xbf16>)
// TILE: tile.store %{{.*}}, %[[C]][%{{.*}}, %{{.*}}, 1, %{{.*}}, %{{.*}}] {dims = [1, 4]}
func.func @products(%p: tensor<2x4x80x80xbf16>, %v: tensor<2x4x80x16xbf16>, %x: tensor<2x4x80x16xf32>) -> tensor<2x80x128xbf16> {
  %d = tarn.dot %p, %v : tensor<2x4x80x80xbf16>, tensor<2x4x80x16xbf16> -> tensor<2x4x80x16xf32>
  %n = tarn.cast %d : tensor<2x4x80x16xf32> -> tensor<2x4x80x16xbf16>
  %e = tarn.exp %x : tensor<2x4x80x16xf32>
  %m = tarn.cast %e : tensor<2x4x80x16xf32> -> tensor<2x4x80x16xbf16>
  %a = tarn.reshape %n : tensor<2x4x80x16xbf16> -> tensor<1x2x4x80x16xbf16>
  %b = tarn.reshape %m : tensor<2x4x80x16xbf16> -> tensor<1x2x4x80x16xbf16>
  %c = tarn.concat %a, %b dim = 0 : tensor<1x2x4x80x16xbf16>, tensor<1x2x4x80x16xbf16>
  %t = tarn.transpose %c permutation = [1, 3, 0, 2, 4] : tensor<2x2x4x80x16xbf16>
  %z = tarn.reshape %t : tensor<2x80x2x4x16xbf16> -> tensor<2x80x128xbf16>
  %y = tarn.neg %z : tensor<2x80x128xbf16>
  return %y : tensor<2x80x128xbf16>
}
