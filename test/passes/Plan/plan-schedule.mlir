// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-schedule{policy=recompute-all})' | FileCheck %s
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-schedule)' | FileCheck %s --check-prefix=KEEP
// RUN: not tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-schedule{budget-bytes=4096})' 2>&1 | FileCheck %s --check-prefix=SMALL
// What is not kept for the backward pass is made again by the same kernel right
// before it is read; without a budget nothing is.

// CHECK-LABEL: func.func @step
// CHECK: tarn.cluster(%arg0, %[[W:[a-z0-9]+]])
// CHECK: kernel = @[[FIRST:k_[a-z_0-9]+]]}
// CHECK: kernel = @[[FIRST]]}
// CHECK: return

// The ladder is noted.
// KEEP: tarn.plan = {bound_bytes = {{[0-9]+}} : i64, bound_moments = {{[0-9]+}} : i64, bound_seconds = {{.*}} : f64, chosen = "keep-all"
// KEEP-SAME: rungs = [{again_seconds = 0{{.*}} arena_bytes = {{[0-9]+}} : i64, {{.*}} name = "keep-all", offloaded_bytes = 0 : i64, prologues = 0 : i64, repeats = 0 : i64
// KEEP-LABEL: func.func @step
// KEEP: kernel = @[[FIRST:k_[a-z_0-9]+]]}
// KEEP-NOT: kernel = @[[FIRST]]}
// KEEP: return

// SMALL: error: this step does not fit in 4.00 KiB (4096 bytes)
// SMALL: note: the smallest budget that it fits in is [[LEAST:.*]] bytes)
// SMALL: note: no plan of these kernels fits in less than
// SMALL: note: state, inputs, outputs and constants take
func.func @step(%x: tensor<64x32xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<32x32xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"},
        tensor<32x32xf32> {tarn.name = "w", tarn.role = "parameter"})
    attributes {tarn.kind = "train"} {
  %h = tarn.dot %x, %w : tensor<64x32xf32>, tensor<32x32xf32> -> tensor<64x32xf32>
  %t = tarn.tanh %h : tensor<64x32xf32>
  %y = tarn.dot %t, %w : tensor<64x32xf32>, tensor<32x32xf32> -> tensor<64x32xf32>
  %l = tarn.reduce_sum %y dims = [0, 1] : tensor<64x32xf32>
  %s = tarn.broadcast %l dims = [] : tensor<f32> -> tensor<64x32xf32>
  %d = tarn.dot %t, %s transpose_a : tensor<64x32xf32>, tensor<64x32xf32> -> tensor<32x32xf32>
  %n = tarn.sub %w, %d : tensor<32x32xf32>
  return %l, %n : tensor<f32>, tensor<32x32xf32>
}
