// RUN: tarn-opt %s --tarn-split-reductions="terms=2048" | FileCheck %s
// RUN: tarn-opt %s --tarn-split-reductions="blocks=8" | FileCheck %s --check-prefix=COLUMNS
// RUN: tarn-opt %s --tarn-split-reductions="for-gpu" | FileCheck %s --check-prefix=DEVICE
// One number of many terms: blocks first, then their results.

// The squares are made where they are summed, from the reshaped value.
// CHECK-LABEL: func.func @norm
// CHECK-SAME: (%[[X:.*]]: tensor<96x64xf32>)
// CHECK-NEXT: %[[R:.*]] = tarn.reshape %[[X]] : tensor<96x64xf32> -> tensor<6x1024xf32>
// CHECK-NEXT: %[[S:.*]] = tarn.mul %[[R]], %[[R]] : tensor<6x1024xf32>
// CHECK-NEXT: %[[P:.*]] = tarn.reduce_sum %[[S]] dims = [1] : tensor<6x1024xf32>
// CHECK-NEXT: %[[N:.*]] = tarn.reduce_sum %[[P]] dims = [0] : tensor<6xf32>
// CHECK-NEXT: return %[[N]]
func.func @norm(%x: tensor<96x64xf32>) -> tensor<f32> {
  %s = tarn.mul %x, %x : tensor<96x64xf32>
  %n = tarn.reduce_sum %s dims = [0, 1] : tensor<96x64xf32>
  return %n : tensor<f32>
}

// A widened value is widened again: what is read is the short form.
// CHECK-LABEL: func.func @widened
// CHECK-SAME: (%[[X:.*]]: tensor<96x64xbf16>)
// CHECK: %[[W:.*]] = tarn.cast %[[X]]
// CHECK: %[[R:.*]] = tarn.reshape %[[X]] : tensor<96x64xbf16> -> tensor<6x1024xbf16>
// CHECK: %[[V:.*]] = tarn.cast %[[R]] : tensor<6x1024xbf16> -> tensor<6x1024xf32>
// CHECK: tarn.mul %[[V]], %[[V]]
// CHECK: return %{{.*}}, %[[W]]
func.func @widened(%x: tensor<96x64xbf16>) -> (tensor<f32>, tensor<96x64xf32>) {
  %w = tarn.cast %x : tensor<96x64xbf16> -> tensor<96x64xf32>
  %s = tarn.mul %w, %w : tensor<96x64xf32>
  %n = tarn.reduce_sum %s dims = [0, 1] : tensor<96x64xf32>
  return %n, %w : tensor<f32>, tensor<96x64xf32>
}

// What others wait for as well is read, and not made again.
// CHECK-LABEL: func.func @shared
// CHECK: %[[E:.*]] = tarn.mul %{{.*}} : tensor<96x64xf32>
// CHECK: tarn.reshape %[[E]] : tensor<96x64xf32> -> tensor<6x1024xf32>
func.func @shared(%x: tensor<96x64xf32>, %y: tensor<96x64xf32>) -> (tensor<f32>, tensor<96x64xf32>) {
  %e = tarn.mul %x, %y : tensor<96x64xf32>
  %n = tarn.reduce_max %e dims = [0, 1] : tensor<96x64xf32>
  return %n, %e : tensor<f32>, tensor<96x64xf32>
}

// Short floats are rounded once. The dims of length one are there again.
// CHECK-LABEL: func.func @short
// CHECK: %[[W:.*]] = tarn.cast %{{.*}} : tensor<6x1024xbf16> -> tensor<6x1024xf32>
// CHECK: %[[P:.*]] = tarn.reduce_sum %[[W]] dims = [1] : tensor<6x1024xf32>
// CHECK: %[[N:.*]] = tarn.reduce_sum %[[P]] dims = [0] : tensor<6xf32>
// CHECK: %[[C:.*]] = tarn.cast %[[N]] : tensor<f32> -> tensor<bf16>
// CHECK: tarn.reshape %[[C]] : tensor<bf16> -> tensor<1xbf16>
func.func @short(%x: tensor<1x96x64xbf16>) -> tensor<1xbf16> {
  %n = tarn.reduce_sum %x dims = [1, 2] : tensor<1x96x64xbf16>
  return %n : tensor<1xbf16>
}

// Few terms, several results, and terms without a good divisor stay.
// CHECK-LABEL: func.func @whole
// CHECK-NOT: reshape
// CHECK: return
func.func @whole(%x: tensor<32x64xf32>, %y: tensor<96x64xf32>, %z: tensor<2503xf32>) -> (tensor<f32>, tensor<64xf32>, tensor<f32>) {
  %a = tarn.reduce_sum %x dims = [0, 1] : tensor<32x64xf32>
  %b = tarn.reduce_sum %y dims = [0] : tensor<96x64xf32>
  %c = tarn.reduce_sum %z dims = [0] : tensor<2503xf32>
  return %a, %b, %c : tensor<f32>, tensor<64xf32>, tensor<f32>
}

// Sums over rows, where a device has more multiprocessors than blocks of 64
// columns: the rows in parts. What is repeated along rows or columns is so in
// the new shape.
// COLUMNS-LABEL: func.func @columns
// COLUMNS-SAME: (%[[X:.*]]: tensor<2048x128xf32>, %[[M:.*]]: tensor<2048xf32>, %[[W:.*]]: tensor<128xf32>)
// COLUMNS-DAG: %[[RX:.*]] = tarn.reshape %[[X]] : tensor<2048x128xf32> -> tensor<4x512x128xf32>
// COLUMNS-DAG: %[[RM:.*]] = tarn.reshape %[[M]] : tensor<2048xf32> -> tensor<4x512xf32>
// COLUMNS-DAG: %[[BM:.*]] = tarn.broadcast %[[RM]] dims = [0, 1] : tensor<4x512xf32> -> tensor<4x512x128xf32>
// COLUMNS-DAG: %[[BW:.*]] = tarn.broadcast %[[W]] dims = [2] : tensor<128xf32> -> tensor<4x512x128xf32>
// COLUMNS: tarn.reduce_sum %{{.*}} dims = [1] : tensor<4x512x128xf32>
// COLUMNS: tarn.reduce_sum %{{.*}} dims = [0] : tensor<4x128xf32>
// CHECK-LABEL: func.func @columns
// CHECK-NOT: reshape
// CHECK: return
func.func @columns(%x: tensor<2048x128xf32>, %m: tensor<2048xf32>, %w: tensor<128xf32>) -> tensor<128xf32> {
  %bm = tarn.broadcast %m dims = [0] : tensor<2048xf32> -> tensor<2048x128xf32>
  %bw = tarn.broadcast %w dims = [1] : tensor<128xf32> -> tensor<2048x128xf32>
  %d = tarn.sub %x, %bm : tensor<2048x128xf32>
  %e = tarn.mul %d, %bw : tensor<2048x128xf32>
  %s = tarn.reduce_sum %e dims = [0] : tensor<2048x128xf32>
  return %s : tensor<128xf32>
}

// Sums along rows, few rows, and many columns stay.
// COLUMNS-LABEL: func.func @enough
// COLUMNS-NOT: reshape
// COLUMNS: return
func.func @enough(%x: tensor<2048x128xf32>, %y: tensor<256x128xf32>, %z: tensor<2048x512xf32>) -> (tensor<2048xf32>, tensor<128xf32>, tensor<512xf32>) {
  %a = tarn.reduce_sum %x dims = [1] : tensor<2048x128xf32>
  %b = tarn.reduce_sum %y dims = [0] : tensor<256x128xf32>
  %c = tarn.reduce_sum %z dims = [0] : tensor<2048x512xf32>
  return %a, %b, %c : tensor<2048xf32>, tensor<128xf32>, tensor<512xf32>
}

// The gradient of a weight in 6 x 6 blocks: three parts of the rows fill 132
// multiprocessors. Partial products are f32, and rounded once.
// DEVICE-LABEL: func.func @weight
// DEVICE-SAME: (%[[X:.*]]: tensor<12288x768xbf16>, %[[G:.*]]: tensor<12288x768xbf16>)
// DEVICE-DAG: %[[A:.*]] = tarn.reshape %[[X]] : tensor<12288x768xbf16> -> tensor<3x4096x768xbf16>
// DEVICE-DAG: %[[B:.*]] = tarn.reshape %[[G]] : tensor<12288x768xbf16> -> tensor<3x4096x768xbf16>
// DEVICE: %[[P:.*]] = tarn.dot %[[A]], %[[B]] transpose_a : tensor<3x4096x768xbf16>, tensor<3x4096x768xbf16> -> tensor<3x768x768xf32>
// DEVICE: %[[S:.*]] = tarn.reduce_sum %[[P]] dims = [0] : tensor<3x768x768xf32>
// DEVICE: tarn.cast %[[S]] : tensor<768x768xf32> -> tensor<768x768xbf16>
// CHECK-LABEL: func.func @weight
// CHECK-NOT: reshape
// CHECK: return
func.func @weight(%x: tensor<12288x768xbf16>, %g: tensor<12288x768xbf16>) -> tensor<768x768xbf16> {
  %w = tarn.dot %x, %g transpose_a : tensor<12288x768xbf16>, tensor<12288x768xbf16> -> tensor<768x768xbf16>
  return %w : tensor<768x768xbf16>
}

// So is one in tf32, of which products are in tf32.
// DEVICE-LABEL: func.func @weight_tf32
// DEVICE: tarn.dot {{.*}} transpose_a {tf32} : tensor<{{[0-9]+}}x{{[0-9]+}}x768xf32>
// DEVICE: tarn.reduce_sum
func.func @weight_tf32(%x: tensor<12288x768xf32>, %g: tensor<12288x768xf32>) -> tensor<768x768xf32> {
  %w = tarn.dot %x, %g transpose_a {tf32} : tensor<12288x768xf32>, tensor<12288x768xf32> -> tensor<768x768xf32>
  return %w : tensor<768x768xf32>
}

// Enough blocks, too few terms, other dims, a depth that tensor cores do not
// divide: whole.
// DEVICE-LABEL: func.func @whole_products
// DEVICE-NOT: reshape
// DEVICE: return
func.func @whole_products(%a: tensor<12288x4096xf32>, %b: tensor<12288x4096xf32>, %c: tensor<512x768xf32>, %d: tensor<768x12288xf32>, %e: tensor<12290x768xf32>, %f: tensor<12288x768xf32>) -> (tensor<4096x4096xf32>, tensor<768x768xf32>, tensor<768x768xf32>, tensor<768x768xf32>) {
  %0 = tarn.dot %a, %b transpose_a : tensor<12288x4096xf32>, tensor<12288x4096xf32> -> tensor<4096x4096xf32>
  %1 = tarn.dot %c, %c transpose_a : tensor<512x768xf32>, tensor<512x768xf32> -> tensor<768x768xf32>
  %2 = tarn.dot %d, %f : tensor<768x12288xf32>, tensor<12288x768xf32> -> tensor<768x768xf32>
  %3 = tarn.dot %e, %e transpose_a : tensor<12290x768xf32>, tensor<12290x768xf32> -> tensor<768x768xf32>
  return %0, %1, %2, %3 : tensor<4096x4096xf32>, tensor<768x768xf32>, tensor<768x768xf32>, tensor<768x768xf32>
}
