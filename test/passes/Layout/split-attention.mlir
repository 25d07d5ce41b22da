// RUN: tarn-opt %s --tarn-split-attention=for-gpu --split-input-file | FileCheck %s
// RUN: tarn-opt %s --tarn-split-attention --split-input-file | FileCheck %s --check-prefix=CPU
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-split-attention{for-gpu},tarn-fuse-clusters),tarn-materialize-tiles{gpu},canonicalize,cse)' --split-input-file | FileCheck %s --check-prefix=TILE

// Eight key heads are eight blocks: two kernels have 256. What is put together
// of the gradients is rounded once, and widened for who wants that.

// CPU-LABEL: @grouped
// CPU: %dq, %dk, %dv = tarn.attention_backward
// CPU-NOT: tarn.attention_backward
// CPU-LABEL: @wide

// CHECK-LABEL: @grouped
// CHECK-SAME: %[[Q:.*]]: tensor<1x32x1024x64xbf16>, %[[K:.*]]: tensor<1x8x1024x64xbf16>, %[[O:.*]]: tensor<1x32x1024x64xbf16>, %[[L:.*]]: tensor<1x32x1024xf32>, %[[G:.*]]: tensor<1x32x1024x64xbf16>
// CHECK-DAG: %[[G32:.*]] = tarn.cast %[[G]]
// CHECK-DAG: %[[O32:.*]] = tarn.cast %[[O]]
// CHECK: %[[M:.*]] = tarn.mul %[[G32]], %[[O32]] : tensor<1x32x1024x64xf32>
// CHECK: %[[S:.*]] = tarn.reduce_sum %[[M]] dims = [3]
// CHECK: %{{.*}}, %[[DK:.*]], %[[DV:.*]] = tarn.attention_backward %[[Q]], %[[K]], %[[K]], %[[S]], %[[L]], %[[G]]
// CHECK: -> tensor<1x32x1024x64xbf16>, tensor<1x8x1024x64xbf16>, tensor<1x8x1024x64xbf16>
// CHECK: %[[DQ:[a-z0-9_]*]], %{{.*}} = tarn.attention_backward %[[Q]], %[[K]], %[[K]], %[[S]], %[[L]], %[[G]]
// CHECK: %[[C:.*]] = tarn.concat %[[DQ]], %[[DK]], %[[DV]] dim = 1 : tensor<1x32x1024x64xbf16>
// CHECK: %[[R:.*]] = tarn.reshape %[[C]] : tensor<1x48x1024x64xbf16> -> tensor<49152x64xbf16>
// CHECK: %[[W:.*]] = tarn.cast %[[R]] : tensor<49152x64xbf16> -> tensor<49152x64xf32>
// CHECK: tarn.reduce_sum %[[W]]
// CHECK: tarn.dot %[[R]],

// A block of keys: the heads that share it, block of queries by block of
// queries. A block of queries has one head, and the keys up to its last query.

// TILE-LABEL: tile.kernel @k_attention_backward(
// TILE-NEXT: access ["read", "read", "read", "read", "read", "write", "write"]
// TILE: %[[FROM:.*]] = arith.muli %{{.*}}, %c4
// TILE: scf.for %[[TURN:.*]] = %[[FROM]] to %
// TILE: arith.remui %[[TURN]], %c4
// TILE: arith.divui %[[TURN]], %c4
// TILE-COUNT-4: tile.dot
// TILE-NOT: tile.dot
// TILE: tile.store
// TILE: tile.store

// TILE-LABEL: tile.kernel @k_attention_backward_0(
// TILE-SAME: %[[Q:[a-z0-9]*]]: memref<1x32x1024x64xbf16>, %[[K:[a-z0-9]*]]: memref<1x8x1024x64xbf16>,
// TILE-NEXT: access ["read", "read", "read", "read", "read", "write"]
// TILE: arith.addi %[[ROW:[a-z0-9]*]], %c128
// TILE: scf.for
// TILE-COUNT-3: tile.dot
// TILE-NOT: tile.dot
// TILE: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]], 0]
func.func @grouped(%q: tensor<1x32x1024x64xbf16>, %k: tensor<1x8x1024x64xbf16>, %o: tensor<1x32x1024x64xbf16>, %l: tensor<1x32x1024xf32>, %g: tensor<1x32x1024x64xbf16>, %w: tensor<64x64xbf16>) -> (tensor<64xf32>, tensor<49152x64xf32>) {
  %dq, %dk, %dv = tarn.attention_backward %q, %k, %k, %o, %l, %g scale = 0.125 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %0 = tarn.compare le %j, %i : tensor<i32>
    tarn.yield %0 : tensor<i1>
  } : tensor<1x32x1024x64xbf16>, tensor<1x8x1024x64xbf16>, tensor<1x8x1024x64xbf16>, tensor<1x32x1024x64xbf16>, tensor<1x32x1024xf32>, tensor<1x32x1024x64xbf16> -> tensor<1x32x1024x64xf32>, tensor<1x8x1024x64xf32>, tensor<1x8x1024x64xf32>
  %c = tarn.concat %dq, %dk, %dv dim = 1 : tensor<1x32x1024x64xf32>, tensor<1x8x1024x64xf32>, tensor<1x8x1024x64xf32>
  %r = tarn.reshape %c : tensor<1x48x1024x64xf32> -> tensor<49152x64xf32>
  %s = tarn.reduce_sum %r dims = [0] : tensor<49152x64xf32>
  %n = tarn.cast %r : tensor<49152x64xf32> -> tensor<49152x64xbf16>
  %d = tarn.dot %n, %w : tensor<49152x64xbf16>, tensor<64x64xbf16> -> tensor<49152x64xf32>
  return %s, %d : tensor<64xf32>, tensor<49152x64xf32>
}

// -----

// Of which nobody wants short floats, gradients stay wide.

// CHECK-LABEL: @wide
// CHECK-COUNT-2: -> tensor<1x32x1024x64xf32>, tensor<1x8x1024x64xf32>, tensor<1x8x1024x64xf32>
func.func @wide(%q: tensor<1x32x1024x64xbf16>, %k: tensor<1x8x1024x64xbf16>, %o: tensor<1x32x1024x64xbf16>, %l: tensor<1x32x1024xf32>) -> (tensor<1x32x1024x64xf32>, tensor<1x8x1024x64xf32>) {
  %dq, %dk, %dv = tarn.attention_backward %q, %k, %k, %o, %l, %o scale = 0.125 : tensor<1x32x1024x64xbf16>, tensor<1x8x1024x64xbf16>, tensor<1x8x1024x64xbf16>, tensor<1x32x1024x64xbf16>, tensor<1x32x1024xf32>, tensor<1x32x1024x64xbf16> -> tensor<1x32x1024x64xf32>, tensor<1x8x1024x64xf32>, tensor<1x8x1024x64xf32>
  return %dq, %dk : tensor<1x32x1024x64xf32>, tensor<1x8x1024x64xf32>
}

// -----

// One kernel where launches would take longer than what it saves, and where one
// kernel is all there is.

// CHECK-LABEL: @small
// CHECK: tarn.attention_backward
// CHECK-NOT: tarn.attention_backward
func.func @small(%q: tensor<1x2x64x16xbf16>, %l: tensor<1x2x64xf32>) -> (tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>) {
  %dq, %dk, %dv = tarn.attention_backward %q, %q, %q, %q, %l, %q scale = 0.125 : tensor<1x2x64x16xbf16>, tensor<1x2x64x16xbf16>, tensor<1x2x64x16xbf16>, tensor<1x2x64x16xbf16>, tensor<1x2x64xf32>, tensor<1x2x64x16xbf16> -> tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>
  return %dq, %dv : tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>
}

// CHECK-LABEL: @one
// CHECK: tarn.attention_backward
// CHECK-NOT: tarn.attention_backward
func.func @one(%q: tensor<1x8x4096x64xbf16>, %l: tensor<1x8x4096xf32>) -> tensor<1x8x4096x64xf32> {
  %dq, %dk, %dv = tarn.attention_backward %q, %q, %q, %q, %l, %q scale = 0.125 : tensor<1x8x4096x64xbf16>, tensor<1x8x4096x64xbf16>, tensor<1x8x4096x64xbf16>, tensor<1x8x4096x64xbf16>, tensor<1x8x4096xf32>, tensor<1x8x4096x64xbf16> -> tensor<1x8x4096x64xf32>, tensor<1x8x4096x64xf32>, tensor<1x8x4096x64xf32>
  return %dq : tensor<1x8x4096x64xf32>
}
