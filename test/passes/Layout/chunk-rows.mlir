// RUN: tarn-opt %s --split-input-file --tarn-chunk-rows="chunks=2 explain" \
// RUN:   --cse --verify-diagnostics | FileCheck %s
// Logits and what follows them row by row run for one half of the rows after
// the other; sums over rows are added up, rows that leave are put together.

// CHECK-LABEL: func.func @loss
// CHECK-SAME: (%[[X:.*]]: tensor<128x8xf32>, %[[W:.*]]: tensor<512x8xf32>, %[[T:.*]]: tensor<128xi32>
// CHECK-SAME: tarn.numerics = [{{{.*}}beside_bytes = 16384 : i64, bytes = 131072 : i64, class = "rounding", {{.*}}part_bytes = 131072 : i64, text = "loss in 2 chunks, logits"}]
// CHECK-DAG: %[[X0:.*]] = tarn.slice %[[X]] offsets = [0, 0] sizes = [64, 8] {tarn.in_place, tarn.part = 0 : i64}
// CHECK-DAG: %[[L0:.*]] = tarn.dot %[[X0]], %[[W]] transpose_b {{.*}} -> tensor<64x512xf32>
// CHECK-DAG: %[[S0:.*]] = tarn.reduce_sum %{{.*}} dims = [0] {{.*}} tensor<64xf32>
// CHECK-DAG: %[[DX0:.*]] = tarn.dot %[[G0:.*]], %[[W]] {{.*}} tensor<64x512xf32>, tensor<512x8xf32>
// CHECK-DAG: %[[DW0:.*]] = tarn.dot %[[G0]], %[[X0]] transpose_a
// CHECK-DAG: %[[X1:.*]] = tarn.slice %[[X]] offsets = [64, 0] sizes = [64, 8] {tarn.in_place, tarn.part = 1 : i64}
// CHECK-DAG: %[[DW1:.*]] = tarn.dot %[[G1:.*]], %[[X1]] transpose_a
// CHECK-DAG: %[[DW:.*]] = tarn.add %[[DW0]], %[[DW1]] {{.*}} tensor<512x8xf32>
// CHECK-DAG: %[[S:.*]] = tarn.add %[[S0]], %{{.*}} tensor<f32>
// CHECK-DAG: %[[DX:.*]] = tarn.concat %[[DX0]], %{{.*}} dim = 0 {tarn.in_place}
// No whole logits.
// CHECK-NOT: tarn.dot {{.*}}128x512
// CHECK: return %[[S]], %[[DX]], %[[DW]]
func.func @loss(%x: tensor<128x8xf32>, %w: tensor<512x8xf32>, %t: tensor<128xi32>) -> (tensor<f32>, tensor<128x8xf32>, tensor<512x8xf32>) {
  %zero = tarn.constant dense<0.0> : tensor<128x512xf32>
  %one = tarn.constant dense<1.0> : tensor<128x512xf32>
  %logits = tarn.dot %x, %w transpose_b : tensor<128x8xf32>, tensor<512x8xf32> -> tensor<128x512xf32>
  %most = tarn.reduce_max %logits dims = [1] : tensor<128x512xf32>
  %mosts = tarn.broadcast %most dims = [0] : tensor<128xf32> -> tensor<128x512xf32>
  %low = tarn.sub %logits, %mosts : tensor<128x512xf32>
  %e = tarn.exp %low : tensor<128x512xf32>
  %sum = tarn.reduce_sum %e dims = [1] : tensor<128x512xf32>
  %log = tarn.log %sum : tensor<128xf32>
  %lse = tarn.add %log, %most : tensor<128xf32>
  %index = tarn.iota dim = 1 : tensor<128x512xi32>
  %targets = tarn.broadcast %t dims = [0] : tensor<128xi32> -> tensor<128x512xi32>
  %hit = tarn.compare eq %index, %targets : tensor<128x512xi32>
  %picked = tarn.select %hit, %logits, %zero : tensor<128x512xf32>
  %pick = tarn.reduce_sum %picked dims = [1] : tensor<128x512xf32>
  %rows = tarn.sub %lse, %pick : tensor<128xf32>
  %loss = tarn.reduce_sum %rows dims = [0] : tensor<128xf32>
  %lses = tarn.broadcast %lse dims = [0] : tensor<128xf32> -> tensor<128x512xf32>
  %d = tarn.sub %logits, %lses : tensor<128x512xf32>
  %p = tarn.exp %d : tensor<128x512xf32>
  %hot = tarn.select %hit, %one, %zero : tensor<128x512xf32>
  %g = tarn.sub %p, %hot : tensor<128x512xf32>
  %dx = tarn.dot %g, %w : tensor<128x512xf32>, tensor<512x8xf32> -> tensor<128x8xf32>
  %dw = tarn.dot %g, %x transpose_a : tensor<128x512xf32>, tensor<128x8xf32> -> tensor<512x8xf32>
  return %loss, %dx, %dw : tensor<f32>, tensor<128x8xf32>, tensor<512x8xf32>
}

// -----

// CHECK-LABEL: func.func @returned
// CHECK: tarn.dot {{.*}} -> tensor<128x512xf32>
func.func @returned(%x: tensor<128x8xf32>, %w: tensor<512x8xf32>) -> (tensor<128x512xf32>) {
  // expected-remark @below {{rows stay whole: what it makes is a result}}
  %logits = tarn.dot %x, %w transpose_b : tensor<128x8xf32>, tensor<512x8xf32> -> tensor<128x512xf32>
  return %logits : tensor<128x512xf32>
}

// -----

// A loss over all pairs: each row waits for the sum over all rows.
// CHECK-LABEL: func.func @across
// CHECK: tarn.dot {{.*}} -> tensor<128x512xf32>
func.func @across(%x: tensor<128x8xf32>, %w: tensor<512x8xf32>) -> (tensor<f32>) {
  %logits = tarn.dot %x, %w transpose_b : tensor<128x8xf32>, tensor<512x8xf32> -> tensor<128x512xf32>
  %e = tarn.exp %logits : tensor<128x512xf32>
  %sum = tarn.reduce_sum %e dims = [0, 1] : tensor<128x512xf32>
  %all = tarn.broadcast %sum dims = [] : tensor<f32> -> tensor<128x512xf32>
  // expected-remark @below {{rows stay whole: tarn.div waits for all rows, and reads large ones}}
  %p = tarn.div %e, %all : tensor<128x512xf32>
  %s = tarn.reduce_sum %p dims = [0, 1] : tensor<128x512xf32>
  return %s : tensor<f32>
}

// -----

// The largest over rows is no sum.
// CHECK-LABEL: func.func @largest
func.func @largest(%x: tensor<128x8xf32>, %w: tensor<512x8xf32>) -> (tensor<f32>) {
  %logits = tarn.dot %x, %w transpose_b : tensor<128x8xf32>, tensor<512x8xf32> -> tensor<128x512xf32>
  // expected-remark @below {{rows stay whole: tarn.reduce_max does not work row by row}}
  %most = tarn.reduce_max %logits dims = [0, 1] : tensor<128x512xf32>
  return %most : tensor<f32>
}

// -----

// 100 rows in parts of 50: too few for parts of 64.
// CHECK-LABEL: func.func @uneven
// CHECK: tensor<50x512xf32>
func.func @uneven(%x: tensor<100x8xf32>, %w: tensor<512x8xf32>, %r: tensor<100x512xf32>) -> (tensor<f32>) {
  %logits = tarn.dot %x, %w transpose_b : tensor<100x8xf32>, tensor<512x8xf32> -> tensor<100x512xf32>
  %y = tarn.mul %logits, %r : tensor<100x512xf32>
  %s = tarn.reduce_sum %y dims = [0, 1] : tensor<100x512xf32>
  return %s : tensor<f32>
}
