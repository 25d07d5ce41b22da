// RUN: tarn-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu},cse,tarn-group-launches,tarn-plan-memory)' | FileCheck %s
// RUN: tarn-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu},cse,tarn-plan-memory)' | FileCheck %s --check-prefix=ALONE
// Launches that do not depend on each other become one, and one step.

// Updates in place of tensors of three shapes.
// CHECK-LABEL: step.program @updates.program state(896)
// CHECK-SAME: input(896)
// CHECK: step.live "w" role "parameter" state[{{[0-9]+}} for 256] steps(0, 1)
// CHECK: step.launch_group {
// CHECK-NEXT: step.launch @[[A:k_[a-z0-9_]*]] blocks(1) (state[0 for 256], input[0 for 256], state[0 for 256])
// CHECK-NEXT: step.launch @
// CHECK-NEXT: step.launch @
// CHECK-NEXT: }
// CHECK-NOT: step.launch
// ALONE-LABEL: step.program @updates.program state(896)
// ALONE-NOT: step.launch_group
// ALONE-COUNT-3: step.launch @
func.func @updates(%x: tensor<16x4xf32> {tarn.name = "x", tarn.role = "input"},
                   %y: tensor<128xf32> {tarn.name = "y", tarn.role = "input"},
                   %z: tensor<32xf32> {tarn.name = "z", tarn.role = "input"},
                   %w: tensor<16x4xf32> {tarn.name = "w", tarn.role = "parameter"},
                   %v: tensor<128xf32> {tarn.name = "v", tarn.role = "parameter"},
                   %u: tensor<32xf32> {tarn.name = "u", tarn.role = "parameter"})
    -> (tensor<16x4xf32> {tarn.name = "w", tarn.role = "parameter"},
        tensor<128xf32> {tarn.name = "v", tarn.role = "parameter"},
        tensor<32xf32> {tarn.name = "u", tarn.role = "parameter"})
    attributes {tarn.kind = "train"} {
  %a = tarn.sub %w, %x : tensor<16x4xf32>
  %b = tarn.sub %v, %y : tensor<128xf32>
  %c = tarn.sub %u, %z : tensor<32xf32>
  return %a, %b, %c : tensor<16x4xf32>, tensor<128xf32>, tensor<32xf32>
}
