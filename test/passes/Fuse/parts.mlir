// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters))' | FileCheck %s
// Parts that are one run of bytes are no kernels.

// Leading rows of a product, read under another shape.
// CHECK-LABEL: func.func @leading_rows
// CHECK: %[[D:.*]] = tarn.cluster
// CHECK: tarn.dot
// CHECK: %[[S:.*]] = tarn.slice %[[D]] offsets = [16, 0] sizes = [16, 16] {tarn.in_place}
// CHECK-NEXT: %[[R:.*]] = tarn.reshape %[[S]]
// CHECK-NEXT: tarn.cluster(%[[R]])
// CHECK-NOT: tarn.cluster
func.func @leading_rows(%a: tensor<32x8xf32>, %b: tensor<8x16xf32>) -> tensor<256xf32> {
  %d = tarn.dot %a, %b : tensor<32x8xf32>, tensor<8x16xf32> -> tensor<32x16xf32>
  %s = tarn.slice %d offsets = [16, 0] sizes = [16, 16] : tensor<32x16xf32>
  %r = tarn.reshape %s : tensor<16x16xf32> -> tensor<256xf32>
  %e = tarn.exp %r : tensor<256xf32>
  return %e : tensor<256xf32>
}

// Columns are many runs, a part that begins at 32 bytes is no slice of memory,
// and of what is cheap only the part is made.
// CHECK-LABEL: func.func @other_parts
// CHECK-NOT: tarn.in_place
// CHECK: return
func.func @other_parts(%a: tensor<32x8xf32>, %b: tensor<8x16xf32>)
    -> (tensor<128xf32>, tensor<16xf32>, tensor<256xf32>) {
  %d = tarn.dot %a, %b : tensor<32x8xf32>, tensor<8x16xf32> -> tensor<32x16xf32>
  %s = tarn.slice %d offsets = [0, 0] sizes = [32, 4] : tensor<32x16xf32>
  %r = tarn.reshape %s : tensor<32x4xf32> -> tensor<128xf32>
  %e = tarn.exp %r : tensor<128xf32>
  %s1 = tarn.slice %a offsets = [1, 0] sizes = [2, 8] : tensor<32x8xf32>
  %r1 = tarn.reshape %s1 : tensor<2x8xf32> -> tensor<16xf32>
  %e1 = tarn.exp %r1 : tensor<16xf32>
  %n = tarn.neg %d : tensor<32x16xf32>
  %s2 = tarn.slice %n offsets = [0, 0] sizes = [16, 16] : tensor<32x16xf32>
  %r2 = tarn.reshape %s2 : tensor<16x16xf32> -> tensor<256xf32>
  %e2 = tarn.exp %r2 : tensor<256xf32>
  return %e, %e1, %e2 : tensor<128xf32>, tensor<16xf32>, tensor<256xf32>
}

// Two products are written where they are put together.
// CHECK-LABEL: func.func @put_together
// CHECK: %[[X:.*]] = tarn.cluster
// CHECK: tarn.dot
// CHECK: %[[Y:.*]] = tarn.cluster
// CHECK: tarn.dot
// CHECK: %[[C:.*]] = tarn.concat %[[X]], %[[Y]] dim = 0 {tarn.in_place}
// CHECK: %[[R:.*]] = tarn.reshape %[[C]]
// CHECK: tarn.cluster(%[[R]])
// CHECK-NOT: tarn.cluster
func.func @put_together(%a: tensor<32x8xf32>, %c: tensor<64x8xf32>, %b: tensor<8x16xf32>) -> tensor<1536xf32> {
  %x = tarn.dot %a, %b : tensor<32x8xf32>, tensor<8x16xf32> -> tensor<32x16xf32>
  %y = tarn.dot %c, %b : tensor<64x8xf32>, tensor<8x16xf32> -> tensor<64x16xf32>
  %z = tarn.concat %x, %y dim = 0 : tensor<32x16xf32>, tensor<64x16xf32>
  %r = tarn.reshape %z : tensor<96x16xf32> -> tensor<1536xf32>
  %e = tarn.exp %r : tensor<1536xf32>
  return %e : tensor<1536xf32>
}

// A kernel of a part of what is put together has too few blocks to make all of
// it.
// CHECK-LABEL: func.func @part_of_an_output
// CHECK: tarn.cluster
// CHECK: tarn.dot
// CHECK-NEXT: tarn.yield
// CHECK: tarn.cluster
// CHECK-NOT: tarn.dot
// CHECK: tarn.concat
func.func @part_of_an_output(%a: tensor<32x8xf32>, %b: tensor<8x16xf32>, %c: tensor<64x16xf32>) -> tensor<96x16xf32> {
  %x = tarn.dot %a, %b : tensor<32x8xf32>, tensor<8x16xf32> -> tensor<32x16xf32>
  %z = tarn.concat %x, %c dim = 0 : tensor<32x16xf32>, tensor<64x16xf32>
  return %z : tensor<96x16xf32>
}

// CHECK-LABEL: func.func @part_beside_an_output
// CHECK-COUNT-2: tarn.cluster
func.func @part_beside_an_output(%a: tensor<32x16xf32>, %c: tensor<64x16xf32>) -> (tensor<32x16xf32>, tensor<96x16xf32>) {
  %x = tarn.exp %a : tensor<32x16xf32>
  %z = tarn.concat %x, %c dim = 0 : tensor<32x16xf32>, tensor<64x16xf32>
  return %x, %z : tensor<32x16xf32>, tensor<96x16xf32>
}
