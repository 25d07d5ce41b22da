// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu gemm=cublaslt architecture=sm_80},cse,tarn-plan-schedule{policy=keep-all},tarn-plan-memory)' | FileCheck %s
// What a library works in is a value of its launch: it lives for that step, at
// a multiple of 256, and the arena holds it to the byte. One launch after the
// other works in the same place; a value that lives across both lies beside it.

// CHECK: step.program @step.program {{.*}}arena(4210688)
// CHECK: step.live "k_dot.workspace.{{[0-9]+}}" role "workspace" arena[[[AT:[0-9]+]] for 4194304] steps(0, 0)
// CHECK: step.live "k_dot_{{[0-9]+}}.workspace.{{[0-9]+}}" role "workspace" arena[{{[0-9]+}} for 4194304] steps(1, 1)
// CHECK: step.launch @k_dot blocks(1) ({{.*}}, arena[[[AT]] for 4194304])
// CHECK: step.launch @k_dot_{{[0-9]+}} blocks(1) ({{.*}} for 4194304])
func.func @step(%x: tensor<64x64xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<64x32xf32> {tarn.name = "w", tarn.role = "parameter"},
                %v: tensor<32x32xf32> {tarn.name = "v", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train"} {
  %d = tarn.dot %x, %w : tensor<64x64xf32>, tensor<64x32xf32> -> tensor<64x32xf32>
  %e = tarn.dot %d, %v : tensor<64x32xf32>, tensor<32x32xf32> -> tensor<64x32xf32>
  %f = tarn.exp %d : tensor<64x32xf32>
  %g = tarn.mul %e, %f : tensor<64x32xf32>
  %l = tarn.reduce_sum %g dims = [0, 1] : tensor<64x32xf32>
  return %l : tensor<f32>
}
