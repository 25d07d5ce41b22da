// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-schedule{policy=keep-all})' | FileCheck %s --check-prefix=KEEP
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-schedule{budget-bytes=6500000})' | FileCheck %s
// A value that cheap ops make from one that is kept is not kept itself: the
// product that reads it in the backward pass makes it in its prologue.

// KEEP-LABEL: func.func @step
// KEEP-COUNT-1: tarn.gelu
// KEEP-NOT: tarn.gelu

// CHECK: name = "auto {{[0-9]+}}", offloaded_bytes = 0 : i64, prologues = {{[1-9]}}
// CHECK-LABEL: func.func @step
// The forward pass makes both; the second of them is for the next product only.
// CHECK: tarn.gelu
// CHECK: tarn.yield
// CHECK: tarn.gelu
// CHECK-NEXT: tarn.dot {{.*}} transpose_a
// CHECK: kernel = @[[K:k_dot[a-z_0-9]*]], tarn.prologue = [{bytes = 1048576 : i64, {{.*}}op = "gelu"
// CHECK-NOT: tarn.gelu
// CHECK: return
// CHECK-NOT: tile.kernel @k_dot_1_3(
// CHECK: tile.kernel @[[K]](
// CHECK: %[[H:.*]] = tile.load
// CHECK: math.exp
// CHECK: %[[G:.*]] = arith.divf
// CHECK-NEXT: tile.load
// CHECK-NEXT: tile.dot %[[G]], {{.*}} {transpose_a}
func.func @step(%x: tensor<512x64xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<64x512xf32> {tarn.name = "w", tarn.role = "parameter"},
                %v: tensor<512x64xf32> {tarn.name = "v", tarn.role = "parameter"},
                %u: tensor<64x2048xf32> {tarn.name = "u", tarn.role = "input"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"},
        tensor<64x512xf32> {tarn.name = "w", tarn.role = "parameter"},
        tensor<512x64xf32> {tarn.name = "v", tarn.role = "parameter"})
    attributes {tarn.kind = "train"} {
  %h = tarn.dot %x, %w : tensor<512x64xf32>, tensor<64x512xf32> -> tensor<512x512xf32>
  %g = tarn.gelu tanh %h : tensor<512x512xf32>
  %y = tarn.dot %g, %v : tensor<512x512xf32>, tensor<512x64xf32> -> tensor<512x64xf32>
  %z = tarn.dot %y, %u : tensor<512x64xf32>, tensor<64x2048xf32> -> tensor<512x2048xf32>
  %e = tarn.exp %z : tensor<512x2048xf32>
  %l = tarn.reduce_sum %e dims = [0, 1] : tensor<512x2048xf32>
  %b = tarn.broadcast %l dims = [] : tensor<f32> -> tensor<512x2048xf32>
  %dz = tarn.mul %e, %b : tensor<512x2048xf32>
  %dy = tarn.dot %dz, %u transpose_b : tensor<512x2048xf32>, tensor<64x2048xf32> -> tensor<512x64xf32>
  %dg = tarn.dot %dy, %v transpose_b : tensor<512x64xf32>, tensor<512x64xf32> -> tensor<512x512xf32>
  %dv = tarn.dot %g, %dy transpose_a : tensor<512x512xf32>, tensor<512x64xf32> -> tensor<512x64xf32>
  %s = tarn.sigmoid %h : tensor<512x512xf32>
  %dh = tarn.mul %s, %dg : tensor<512x512xf32>
  %dw = tarn.dot %x, %dh transpose_a : tensor<512x64xf32>, tensor<512x512xf32> -> tensor<64x512xf32>
  %nv = tarn.sub %v, %dv : tensor<512x64xf32>
  %nw = tarn.sub %w, %dw : tensor<64x512xf32>
  return %l, %nw, %nv : tensor<f32>, tensor<64x512xf32>, tensor<512x64xf32>
}
