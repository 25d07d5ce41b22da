// RUN: tarn-opt %s --pass-pipeline='builtin.module(tarn-build-step,func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-memory)' | FileCheck %s
// Micro-batches run in a repeat. What lives in every turn is said once, with
// how often and how many steps apart.

// CHECK: step.program @step.program
// CHECK: step.bind "x" role "input" input[0 for 256] : tensor<4x16xf32>
// The sum of gradients: the old one, one that three turns hand on, the last
// turn's, which the update reads, and the cleared one.
// CHECK: step.live "w.grad" role "accumulator" state[[SUM:\[.*\]]] steps(-1, {{[0-9]+}})
// CHECK-NEXT: step.live "w.grad" role "accumulator" state[[SUM]] steps({{[0-9]+, [0-9]+}}) turns(3, [[PERIOD:[0-9]+]])
// CHECK-NEXT: step.live "w.grad" role "accumulator" state[[SUM]] steps({{[0-9]+, [0-9]+}}){{$}}
// CHECK-NEXT: step.live "w.grad" role "accumulator" state[[SUM]] steps(
// CHECK: step.live "x" role "input" input[0 for 256] steps(-1,
// The gradient is added in place (micro-batches.mlir has values in the repeat).
// CHECK: step.repeat 4 {
// CHECK: step.launch @{{.*}}input[0 for 64 stride 64], {{.*}}, state[[SUM]], {{.*}}state[[SUM]])
// CHECK-NEXT: }
func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}
func.func @step(%x: tensor<16xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<16xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", accumulate = 4 : i64,
                rate = @rate}} {
  %z = tarn.mul %x, %w : tensor<16xf32>
  %y = tarn.mul %z, %z : tensor<16xf32>
  %sum = tarn.reduce_sum %y dims = [0] : tensor<16xf32>
  return %sum : tensor<f32>
}

