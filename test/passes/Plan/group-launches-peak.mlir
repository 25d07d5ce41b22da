// RUN: tarn-opt %s --split-input-file --pass-pipeline='builtin.module(tarn-group-launches,tarn-plan-memory)' | FileCheck %s
// Which launches wait for nothing, and what bringing them together takes.

// What reads another's result does not join it, and runs behind it.
// CHECK-LABEL: step.program @chain.program
// CHECK-NOT: step.launch_group
// CHECK: step.launch @k_double blocks(1) (input[0 for 256], [[A:[a-z]+\[.*\]]])
// CHECK-NEXT: step.launch @k_double blocks(1) ([[A]], output
tile.kernel @k_widen(%x: memref<64xf32>, %y: memref<64x64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = tile.broadcast %0 axis 0 : tensor<64xf32> -> tensor<64x64xf32>
  tile.store %1, %y[%i, 0] {dims = [0, 1]} : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}
tile.kernel @k_sum(%x: memref<64x64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i, 0] {dims = [0, 1]} : memref<64x64xf32> -> tensor<64x64xf32>
  %1 = tile.reduce sum %0 axis 1 : tensor<64x64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
tile.kernel @k_double(%x: memref<64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = arith.addf %0, %0 : tensor<64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
func.func @chain(%x: tensor<64xf32> {tarn.name = "x", tarn.role = "input"},
    %y: tensor<64xf32> {tarn.name = "y", tarn.role = "input"})
    -> (tensor<64xf32> {tarn.name = "a", tarn.role = "metric"},
        tensor<64xf32> {tarn.name = "b", tarn.role = "metric"})
    attributes {tarn.kind = "train"} {
  %a = tarn.cluster(%x) {
  ^bb0(%arg: tensor<64xf32>):
    %u = tarn.add %arg, %arg : tensor<64xf32>
    tarn.yield %u : tensor<64xf32>
  } {kernel = @k_double} : (tensor<64xf32>) -> tensor<64xf32>
  %b = tarn.cluster(%a) {
  ^bb0(%arg: tensor<64xf32>):
    %u = tarn.add %arg, %arg : tensor<64xf32>
    tarn.yield %u : tensor<64xf32>
  } {kernel = @k_double} : (tensor<64xf32>) -> tensor<64xf32>
  return %a, %b : tensor<64xf32>, tensor<64xf32>
}

// -----

// The sums could run together at the end: but both wide values would live
// then, and the arena has room for one.
// CHECK-LABEL: step.program @peak.program arena(16384)
// CHECK-NOT: step.launch_group
tile.kernel @k_widen(%x: memref<64xf32>, %y: memref<64x64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = tile.broadcast %0 axis 0 : tensor<64xf32> -> tensor<64x64xf32>
  tile.store %1, %y[%i, 0] {dims = [0, 1]} : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}
tile.kernel @k_sum(%x: memref<64x64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i, 0] {dims = [0, 1]} : memref<64x64xf32> -> tensor<64x64xf32>
  %1 = tile.reduce sum %0 axis 1 : tensor<64x64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
tile.kernel @k_double(%x: memref<64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = arith.addf %0, %0 : tensor<64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
func.func @peak(%x: tensor<64xf32> {tarn.name = "x", tarn.role = "input"},
    %y: tensor<64xf32> {tarn.name = "y", tarn.role = "input"})
    -> (tensor<64xf32> {tarn.name = "a", tarn.role = "metric"},
        tensor<64xf32> {tarn.name = "b", tarn.role = "metric"})
    attributes {tarn.kind = "train"} {
  %c = tarn.cluster(%x) {
  ^bb0(%arg: tensor<64xf32>):
    %w = tarn.broadcast %arg dims = [0] : tensor<64xf32> -> tensor<64x64xf32>
    tarn.yield %w : tensor<64x64xf32>
  } {kernel = @k_widen} : (tensor<64xf32>) -> tensor<64x64xf32>
  %a = tarn.cluster(%c) {
  ^bb0(%arg: tensor<64x64xf32>):
    %s = tarn.reduce_sum %arg dims = [1] : tensor<64x64xf32>
    tarn.yield %s : tensor<64xf32>
  } {kernel = @k_sum} : (tensor<64x64xf32>) -> tensor<64xf32>
  %d = tarn.cluster(%y) {
  ^bb0(%arg: tensor<64xf32>):
    %w = tarn.broadcast %arg dims = [0] : tensor<64xf32> -> tensor<64x64xf32>
    tarn.yield %w : tensor<64x64xf32>
  } {kernel = @k_widen} : (tensor<64xf32>) -> tensor<64x64xf32>
  %b = tarn.cluster(%d) {
  ^bb0(%arg: tensor<64x64xf32>):
    %s = tarn.reduce_sum %arg dims = [1] : tensor<64x64xf32>
    tarn.yield %s : tensor<64xf32>
  } {kernel = @k_sum} : (tensor<64x64xf32>) -> tensor<64xf32>
  return %a, %b : tensor<64xf32>, tensor<64xf32>
}

// -----

// Both are alive at once anyway.
// CHECK-LABEL: step.program @room.program
// CHECK: step.launch_group {
// CHECK-NEXT: step.launch @k_widen
// CHECK-NEXT: step.launch @k_widen
// CHECK-NEXT: }
// CHECK-NEXT: step.launch_group {
// CHECK-NEXT: step.launch @k_sum
// CHECK-NEXT: step.launch @k_sum
// CHECK-NEXT: }
tile.kernel @k_widen(%x: memref<64xf32>, %y: memref<64x64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = tile.broadcast %0 axis 0 : tensor<64xf32> -> tensor<64x64xf32>
  tile.store %1, %y[%i, 0] {dims = [0, 1]} : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}
tile.kernel @k_sum(%x: memref<64x64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i, 0] {dims = [0, 1]} : memref<64x64xf32> -> tensor<64x64xf32>
  %1 = tile.reduce sum %0 axis 1 : tensor<64x64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
tile.kernel @k_double(%x: memref<64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = arith.addf %0, %0 : tensor<64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
func.func @room(%x: tensor<64xf32> {tarn.name = "x", tarn.role = "input"},
    %y: tensor<64xf32> {tarn.name = "y", tarn.role = "input"})
    -> (tensor<64xf32> {tarn.name = "a", tarn.role = "metric"},
        tensor<64xf32> {tarn.name = "b", tarn.role = "metric"})
    attributes {tarn.kind = "train"} {
  %c = tarn.cluster(%x) {
  ^bb0(%arg: tensor<64xf32>):
    %w = tarn.broadcast %arg dims = [0] : tensor<64xf32> -> tensor<64x64xf32>
    tarn.yield %w : tensor<64x64xf32>
  } {kernel = @k_widen} : (tensor<64xf32>) -> tensor<64x64xf32>
  %d = tarn.cluster(%y) {
  ^bb0(%arg: tensor<64xf32>):
    %w = tarn.broadcast %arg dims = [0] : tensor<64xf32> -> tensor<64x64xf32>
    tarn.yield %w : tensor<64x64xf32>
  } {kernel = @k_widen} : (tensor<64xf32>) -> tensor<64x64xf32>
  %a = tarn.cluster(%c) {
  ^bb0(%arg: tensor<64x64xf32>):
    %s = tarn.reduce_sum %arg dims = [1] : tensor<64x64xf32>
    tarn.yield %s : tensor<64xf32>
  } {kernel = @k_sum} : (tensor<64x64xf32>) -> tensor<64xf32>
  %b = tarn.cluster(%d) {
  ^bb0(%arg: tensor<64x64xf32>):
    %s = tarn.reduce_sum %arg dims = [1] : tensor<64x64xf32>
    tarn.yield %s : tensor<64xf32>
  } {kernel = @k_sum} : (tensor<64x64xf32>) -> tensor<64xf32>
  return %a, %b : tensor<64xf32>, tensor<64xf32>
}

// -----

// One that nobody waits for moves back towards the other of its kind, and joins
// what it meets there.
// CHECK-LABEL: step.program @moved.program
// CHECK: step.launch @k_widen
// CHECK-NEXT: step.launch_group {
// CHECK-NEXT: step.launch @k_sum
// CHECK-NEXT: step.launch @k_double blocks(1) (input[0 for 256]
// CHECK-NEXT: }
// CHECK-NEXT: step.launch @k_double blocks(1) (arena
tile.kernel @k_widen(%x: memref<64xf32>, %y: memref<64x64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = tile.broadcast %0 axis 0 : tensor<64xf32> -> tensor<64x64xf32>
  tile.store %1, %y[%i, 0] {dims = [0, 1]} : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}
tile.kernel @k_sum(%x: memref<64x64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i, 0] {dims = [0, 1]} : memref<64x64xf32> -> tensor<64x64xf32>
  %1 = tile.reduce sum %0 axis 1 : tensor<64x64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
tile.kernel @k_double(%x: memref<64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %0 = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  %1 = arith.addf %0, %0 : tensor<64xf32>
  tile.store %1, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
func.func @moved(%x: tensor<64xf32> {tarn.name = "x", tarn.role = "input"},
    %y: tensor<64xf32> {tarn.name = "y", tarn.role = "input"})
    -> (tensor<64xf32> {tarn.name = "a", tarn.role = "metric"},
        tensor<64xf32> {tarn.name = "b", tarn.role = "metric"})
    attributes {tarn.kind = "train"} {
  %a = tarn.cluster(%x) {
  ^bb0(%arg: tensor<64xf32>):
    %u = tarn.add %arg, %arg : tensor<64xf32>
    tarn.yield %u : tensor<64xf32>
  } {kernel = @k_double} : (tensor<64xf32>) -> tensor<64xf32>
  %c = tarn.cluster(%y) {
  ^bb0(%arg: tensor<64xf32>):
    %w = tarn.broadcast %arg dims = [0] : tensor<64xf32> -> tensor<64x64xf32>
    tarn.yield %w : tensor<64x64xf32>
  } {kernel = @k_widen} : (tensor<64xf32>) -> tensor<64x64xf32>
  %d = tarn.cluster(%c) {
  ^bb0(%arg: tensor<64x64xf32>):
    %s = tarn.reduce_sum %arg dims = [1] : tensor<64x64xf32>
    tarn.yield %s : tensor<64xf32>
  } {kernel = @k_sum} : (tensor<64x64xf32>) -> tensor<64xf32>
  %b = tarn.cluster(%d) {
  ^bb0(%arg: tensor<64xf32>):
    %u = tarn.add %arg, %arg : tensor<64xf32>
    tarn.yield %u : tensor<64xf32>
  } {kernel = @k_double} : (tensor<64xf32>) -> tensor<64xf32>
  return %a, %b : tensor<64xf32>, tensor<64xf32>
}
