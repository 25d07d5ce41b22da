// RUN: tarn-opt %s | tarn-opt | FileCheck %s
// RUN: tarn-opt %s --mlir-print-op-generic | tarn-opt | FileCheck %s
// RUN: tarn-opt %s --emit-bytecode | tarn-opt | FileCheck %s
// Every op is parsed, printed and parsed again.

tile.kernel @double(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}

// CHECK: step.program @step state(64) arena(320) input(64) output(64) {
step.program @step state(64) arena(320) input(64) output(64) {
  // CHECK-NEXT: step.bind "x" role "input" input[0 for 64] : tensor<16xf32>
  step.bind "x" role "input" input[0 for 64] : tensor<16xf32>
  // CHECK-NEXT: step.live "h" role "activation" arena[64 for 64] steps(1, 2)
  step.live "h" role "activation" arena[64 for 64] steps(1, 2)
  // CHECK-NEXT: step.fill arena[0 for 64]
  step.fill arena[0 for 64]
  // CHECK-NEXT: step.launch @double blocks(2) (input[0 for 64], arena[64 for 64])
  step.launch @double blocks(2) (input[0 for 64], arena[64 for 64])
  // CHECK-NEXT: step.repeat 3 {
  // CHECK-NEXT:   step.launch @double blocks(2) (arena[64 for 64 stride 64], arena[128 for 64 stride 64])
  step.repeat 3 {
    step.launch @double blocks(2)
      (arena[64 for 64 stride 64], arena[128 for 64 stride 64])
  }
  // CHECK: step.launch_group {
  // CHECK-NEXT:   step.launch @double blocks(2) (input[0 for 64], arena[64 for 64])
  // CHECK-NEXT:   step.launch @double blocks(2) (input[0 for 64], arena[128 for 64])
  // CHECK-NEXT: }
  step.launch_group {
    step.launch @double blocks(2) (input[0 for 64], arena[64 for 64])
    step.launch @double blocks(2) (input[0 for 64], arena[128 for 64])
  }
  // CHECK: step.repeat 2 {
  // CHECK-NEXT:   step.launch_group {
  step.repeat 2 {
    step.launch_group {
      step.launch @double blocks(2)
        (arena[0 for 64 stride 64], arena[128 for 64 stride 64])
      step.launch @double blocks(2)
        (arena[0 for 64 stride 64], arena[256 for 64])
    }
  }
  // CHECK: step.copy output[0 for 64], arena[256 for 64]
  step.copy output[0 for 64], arena[256 for 64]
}

// CHECK: step.program @offload arena(128) input(64) host(128) {
step.program @offload arena(128) input(64) host(128) {
  step.launch @double blocks(2) (input[0 for 64], arena[0 for 64])
  // CHECK: %[[OUT:.*]] = step.copy_start host[64 for 64], arena[0 for 64]
  %out = step.copy_start host[64 for 64], arena[0 for 64]
  // What is on its way may still be read.
  step.launch @double blocks(2) (arena[0 for 64], arena[64 for 64])
  // CHECK: step.wait %[[OUT]]
  step.wait %out
  step.repeat 2 {
    %a = step.copy_start arena[0 for 64], host[64 for 64]
    %b = step.copy_start host[0 for 64], arena[64 for 64]
    // CHECK: step.wait %{{.*}}, %{{.*}}
    step.wait %b, %a
  }
}

// CHECK-LABEL: func.func @move
func.func @move(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: %[[THERE:.*]], %[[OUT:.*]] = step.move_start %{{.*}} to host : tensor<4xf32>
  %there, %out = step.move_start %x to host : tensor<4xf32>
  step.wait %out
  // CHECK: step.move_start %[[THERE]] to arena : tensor<4xf32>
  %again, %back = step.move_start %there to arena : tensor<4xf32>
  step.wait %back
  return %again : tensor<4xf32>
}
