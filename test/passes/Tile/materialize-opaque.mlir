// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s
// An op without a program yet: buffers, a grid and what it has to do.
// CHECK-LABEL: func.func @opaque
// CHECK: kernel = @[[$O:[a-z_0-9]+]]
func.func @opaque(%x: tensor<12x8xf32>, %w: tensor<4x8x6xf32>, %o: tensor<5xi32>) -> tensor<12x6xf32> {
  %r = tarn.grouped_dot %x, %w, %o : tensor<12x8xf32>, tensor<4x8x6xf32>, tensor<5xi32> -> tensor<12x6xf32>
  return %r : tensor<12x6xf32>
}
// CHECK: tile.kernel @[[$O]](%{{.*}}: memref<12x8xf32>, %{{.*}}: memref<4x8x6xf32>, %{{.*}}: memref<5xi32>, %{{.*}}: memref<12x6xf32>)
// CHECK-NEXT: access ["read", "read", "read", "write"]
// CHECK-SAME: tile.opaque = {element = f32, flops = 1152 : i64, op = "tarn.grouped_dot"}
// CHECK-NEXT: tile.return
