// RUN: tarn-opt %s --pass-pipeline='builtin.module(tarn-build-step,func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,func.func(tarn-plan-offload{lead=1}))' | FileCheck %s
// RUN: tarn-opt %s --pass-pipeline='builtin.module(tarn-build-step,func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,func.func(tarn-plan-offload{lead=1}),tarn-plan-memory)' | FileCheck %s --check-prefix=STEP
// RUN: tarn-opt %s --pass-pipeline='builtin.module(tarn-build-step,func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,func.func(tarn-plan-offload{lead=1 min-bytes=4097}),tarn-plan-memory)' | FileCheck %s --check-prefix=LARGE
// Four products: the first two results go to the host while the next kernel
// runs and come back before the gradients that read them. The third is read
// again too soon.

// CHECK-LABEL: func.func @step
// CHECK: %[[A:.*]] = tarn.cluster(%arg0, %arg1)
// CHECK: %[[HA:.*]], %[[T0:.*]] = step.move_start %[[A]] to host : tensor<64x16xf32>
// CHECK: %[[B:.*]] = tarn.cluster(%[[A]], %arg1)
// CHECK: %[[HB:.*]], %[[T1:.*]] = step.move_start %[[B]] to host
// CHECK: step.wait %[[T0]]
// CHECK: tarn.cluster(%[[B]], %arg1)
// CHECK: step.wait %[[T1]]
// CHECK-NOT: to host
// CHECK: %[[BB:.*]], %[[T2:.*]] = step.move_start %[[HB]] to arena
// CHECK: tarn.cluster
// CHECK: step.wait %[[T2]]
// CHECK: tarn.cluster(%[[BB]],
// CHECK: %[[BA:.*]], %[[T3:.*]] = step.move_start %[[HA]] to arena
// CHECK: tarn.cluster
// CHECK: step.wait %[[T3]]
// CHECK: tarn.cluster(%[[BA]],

// The place of the first is the third's.
// STEP: step.program @step.program {{.*}} arena({{[0-9]+}}) {{.*}} host(8192)
// STEP: step.live "k_dot.host.{{[0-9]+}}" role "offloaded" host[0 for 4096] steps(1, 16)
// STEP: step.launch @k_dot blocks({{.*}}) ({{.*}}, arena[[A:\[.* for 4096\]]])
// STEP-NEXT: %[[T:.*]] = step.copy_start host[0 for 4096], arena[[A]]
// STEP-NEXT: step.launch @k_dot blocks({{.*}}) (arena[[A]], {{.*}}, arena[[B:\[.* for 4096\]]])
// STEP-NEXT: step.copy_start host[4096 for 4096], arena[[B]]
// STEP-NEXT: step.wait %[[T]]

// LARGE-NOT: step.copy_start
func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}
func.func @step(%x: tensor<64x16xf32> {tarn.name = "x", tarn.role = "input"},
                %w: tensor<16x16xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", rate = @rate}} {
  %0 = tarn.dot %x, %w : tensor<64x16xf32>, tensor<16x16xf32> -> tensor<64x16xf32>
  %1 = tarn.dot %0, %w : tensor<64x16xf32>, tensor<16x16xf32> -> tensor<64x16xf32>
  %2 = tarn.dot %1, %w : tensor<64x16xf32>, tensor<16x16xf32> -> tensor<64x16xf32>
  %3 = tarn.dot %2, %w : tensor<64x16xf32>, tensor<16x16xf32> -> tensor<64x16xf32>
  %y = tarn.mul %3, %3 : tensor<64x16xf32>
  %sum = tarn.reduce_sum %y dims = [0, 1] : tensor<64x16xf32>
  return %sum : tensor<f32>
}
