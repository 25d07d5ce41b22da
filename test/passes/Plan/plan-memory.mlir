// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-memory)' | FileCheck %s
// Values get places: state over state where every read comes before, else by a
// copy at the end; all else in the arena.

// CHECK: step.program @step.program state(256) arena(256)
// CHECK-SAME: input(1024) output(64)
// CHECK: step.bind "x" role "input" input[0 for 1024]
// CHECK: step.bind "w" role "parameter" state[0 for 256]
// CHECK: step.bind "loss" role "loss" output[0 for 4]
// Two entries of the state's life: the old value, and the new one from the step
// that writes it in place.
// CHECK: step.live "w" role "parameter" state[0 for 256] steps(-1, [[LAST:[0-9]+]])
// CHECK-NEXT: step.live "w" role "parameter" state[0 for 256] steps([[LAST]], 3)
// CHECK: step.launch @{{.*}} (input[0 for 1024], state[0 for 256], arena[0 for 256])
// CHECK: step.launch @{{.*}} (state[0 for 256], state[0 for 256])
func.func @step(%x: tensor<16x16xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<16x4xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"},
        tensor<16x4xf32> {tarn.name = "w", tarn.role = "parameter"})
    attributes {tarn.kind = "train"} {
  %d = tarn.dot %x, %w : tensor<16x16xf32>, tensor<16x4xf32> -> tensor<16x4xf32>
  %l = tarn.reduce_sum %d dims = [0, 1] : tensor<16x4xf32>
  %n = tarn.tanh %w : tensor<16x4xf32>
  return %l, %n : tensor<f32>, tensor<16x4xf32>
}
