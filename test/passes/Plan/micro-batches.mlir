// RUN: tarn-opt %s --pass-pipeline='builtin.module(tarn-build-step,func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-memory)' | FileCheck %s
// Parts of one batch: the caller's tensors are those of the whole batch, what
// all micro-batches read is there once, and gradients are added in place, by
// products too.

// CHECK: step.program @step.program
// CHECK: step.bind "x" role "input" input[0 for 1024] : tensor<16x16xf32>
// CHECK: step.bind "scale" role "input" input[1024 for 64] : tensor<16xf32>
// CHECK: step.bind "w.grad" role "accumulator" [[GRAD:.*]] : tensor<16x16xf32>
// CHECK: step.live "k_dot.{{.*}}" role "activation" arena[{{.*}}] steps(0, 1) turns(4, 3)
// CHECK: step.repeat 4 {
// CHECK: step.launch @k_dot{{.*}}(input[0 for 256 stride 256], {{.*}}, [[GRAD]], [[GRAD]])
// CHECK-NOT: step.copy [[GRAD]]
// CHECK: }
func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}
func.func @step(%x: tensor<4x16xf32> {tarn.name = "x", tarn.role = "input", tarn.parts = 4 : i64},
                %scale: tensor<16xf32> {tarn.name = "scale", tarn.role = "input", tarn.whole},
                %w: tensor<16x16xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss", tarn.adds})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", accumulate = 4 : i64, parts,
                rate = @rate}} {
  %h = tarn.dot %x, %w : tensor<4x16xf32>, tensor<16x16xf32> -> tensor<4x16xf32>
  %s = tarn.broadcast %scale dims = [1] : tensor<16xf32> -> tensor<4x16xf32>
  %y = tarn.mul %h, %s : tensor<4x16xf32>
  %z = tarn.mul %y, %y : tensor<4x16xf32>
  %sum = tarn.reduce_sum %z dims = [0, 1] : tensor<4x16xf32>
  return %sum : tensor<f32>
}
