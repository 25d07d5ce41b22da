// RUN: tarn-opt --canonicalize %s | FileCheck %s
// Folders and canonicalization patterns, each with a case that fires and, where
// it is not plain, one that must not.

// CHECK-LABEL: func.func @neutral_elements
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>
func.func @neutral_elements(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: return %[[X]]
  %zero = tarn.constant dense<0.0> : tensor<4xf32>
  %one = tarn.constant dense<1.0> : tensor<4xf32>
  %0 = tarn.add %x, %zero : tensor<4xf32>
  %1 = tarn.add %zero, %0 : tensor<4xf32>
  %2 = tarn.mul %1, %one : tensor<4xf32>
  %3 = tarn.div %2, %one : tensor<4xf32>
  %4 = tarn.sub %3, %zero : tensor<4xf32>
  %5 = tarn.neg %4 : tensor<4xf32>
  %6 = tarn.neg %5 : tensor<4xf32>
  return %6 : tensor<4xf32>
}

// A product with zero stays: x may be infinite.
// CHECK-LABEL: func.func @product_with_zero_stays
func.func @product_with_zero_stays(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: tarn.mul
  %zero = tarn.constant dense<0.0> : tensor<4xf32>
  %0 = tarn.mul %x, %zero : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @splats
func.func @splats() -> tensor<2x4xbf16> {
  // CHECK: %[[C:.*]] = tarn.constant dense<6.000000e+00> : tensor<2x4xbf16>
  // CHECK-NEXT: return %[[C]]
  %two = tarn.constant dense<2.0> : tensor<4xf32>
  %three = tarn.constant dense<3.0> : tensor<4xf32>
  %0 = tarn.mul %two, %three : tensor<4xf32>
  %1 = tarn.broadcast %0 dims = [1] : tensor<4xf32> -> tensor<2x4xf32>
  %2 = tarn.cast %1 : tensor<2x4xf32> -> tensor<2x4xbf16>
  return %2 : tensor<2x4xbf16>
}

// CHECK-LABEL: func.func @exact_casts
// CHECK-SAME: %[[X:.*]]: tensor<4xbf16>
func.func @exact_casts(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // CHECK-NEXT: return %[[X]]
  %0 = tarn.cast %x : tensor<4xbf16> -> tensor<4xf32>
  %1 = tarn.cast %0 : tensor<4xf32> -> tensor<4xbf16>
  return %1 : tensor<4xbf16>
}

// CHECK-LABEL: func.func @rounding_casts_stay
func.func @rounding_casts_stay(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-COUNT-2: tarn.cast
  %0 = tarn.cast %x : tensor<4xf32> -> tensor<4xbf16>
  %1 = tarn.cast %0 : tensor<4xbf16> -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @selects
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>
func.func @selects(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: tensor<4xi1>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xi1>) {
  // CHECK-NEXT: return %[[Y]], %[[X]], %{{.*}} :
  %false = tarn.constant dense<false> : tensor<4xi1>
  %0 = tarn.select %false, %x, %y : tensor<4xf32>
  %1 = tarn.select %c, %x, %x : tensor<4xf32>
  %2 = tarn.not %c : tensor<4xi1>
  %3 = tarn.not %2 : tensor<4xi1>
  return %0, %1, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xi1>
}

// CHECK-LABEL: func.func @transposes
// CHECK-SAME: %[[X:.*]]: tensor<2x3x4xf32>, %[[Y:.*]]: tensor<1x3xf32>
func.func @transposes(%x: tensor<2x3x4xf32>, %y: tensor<1x3xf32>) -> (tensor<4x2x3xf32>, tensor<2x3x4xf32>, tensor<3x1xf32>) {
  // CHECK: %[[T:.*]] = tarn.transpose %[[X]] permutation = [2, 0, 1]
  // CHECK: %[[R:.*]] = tarn.reshape %[[Y]]
  // CHECK: return %[[T]], %[[X]], %[[R]]
  %0 = tarn.transpose %x permutation = [1, 2, 0] : tensor<2x3x4xf32>
  %1 = tarn.transpose %0 permutation = [1, 2, 0] : tensor<3x4x2xf32>
  %2 = tarn.transpose %1 permutation = [1, 2, 0] : tensor<4x2x3xf32>
  %3 = tarn.transpose %y permutation = [1, 0] : tensor<1x3xf32>
  return %1, %2, %3 : tensor<4x2x3xf32>, tensor<2x3x4xf32>, tensor<3x1xf32>
}

// CHECK-LABEL: func.func @reshapes
// CHECK-SAME: %[[X:.*]]: tensor<2x3xf32>
func.func @reshapes(%x: tensor<2x3xf32>) -> (tensor<6xf32>, tensor<2x3xf32>) {
  // CHECK: %[[R:.*]] = tarn.reshape %[[X]] : tensor<2x3xf32> -> tensor<6xf32>
  // CHECK: return %[[R]], %[[X]]
  %0 = tarn.reshape %x : tensor<2x3xf32> -> tensor<3x2xf32>
  %1 = tarn.reshape %0 : tensor<3x2xf32> -> tensor<6xf32>
  %2 = tarn.reshape %1 : tensor<6xf32> -> tensor<2x3xf32>
  return %1, %2 : tensor<6xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func.func @broadcasts
func.func @broadcasts(%x: tensor<3xf32>) -> tensor<2x3x4xf32> {
  // CHECK: tarn.broadcast %{{.*}} dims = [1] : tensor<3xf32> -> tensor<2x3x4xf32>
  // CHECK-NEXT: return
  %0 = tarn.broadcast %x dims = [0] : tensor<3xf32> -> tensor<3x4xf32>
  %1 = tarn.broadcast %0 dims = [1, 2] : tensor<3x4xf32> -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @slices
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[Y:.*]]: tensor<4x2xf32>
func.func @slices(%x: tensor<4x8xf32>, %y: tensor<4x2xf32>) -> (tensor<2x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x5xf32>) {
  // CHECK: %[[S:.*]] = tarn.slice %[[X]] offsets = [1, 3] sizes = [2, 2]
  // CHECK: %[[J:.*]] = tarn.slice %[[X]] offsets = [0, 1] sizes = [4, 5]
  // CHECK: return %[[S]], %[[Y]], %[[Y]], %[[J]]
  %0 = tarn.slice %x offsets = [1, 2] sizes = [3, 4] : tensor<4x8xf32>
  %1 = tarn.slice %0 offsets = [0, 1] sizes = [2, 2] : tensor<3x4xf32>
  %2 = tarn.pad %y low = [0, 1] high = [0, 3] : tensor<4x2xf32>
  %3 = tarn.slice %2 offsets = [0, 1] sizes = [4, 2] : tensor<4x6xf32>
  %4 = tarn.concat %x, %y dim = 1 : tensor<4x8xf32>, tensor<4x2xf32>
  %5 = tarn.slice %4 offsets = [0, 8] sizes = [4, 2] : tensor<4x10xf32>
  %6 = tarn.slice %x offsets = [0, 1] sizes = [4, 2] : tensor<4x8xf32>
  %7 = tarn.slice %x offsets = [0, 3] sizes = [4, 3] : tensor<4x8xf32>
  %8 = tarn.concat %6, %7 dim = 1 : tensor<4x2xf32>, tensor<4x3xf32>
  return %1, %3, %5, %8 : tensor<2x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x5xf32>
}

// The gradients of q, k and v, in any order, become one tensor.
// CHECK-LABEL: func.func @gradients_of_slices
// CHECK-SAME: %[[Q:.*]]: tensor<1x4xf32>, %[[K:.*]]: tensor<1x4xf32>, %[[V:.*]]: tensor<1x4xf32>
func.func @gradients_of_slices(%q: tensor<1x4xf32>, %k: tensor<1x4xf32>, %v: tensor<1x4xf32>) -> tensor<3x4xf32> {
  // CHECK: %[[C:.*]] = tarn.concat %[[Q]], %[[K]], %[[V]] dim = 0
  // CHECK-NEXT: return %[[C]]
  %0 = tarn.pad %q low = [0, 0] high = [2, 0] : tensor<1x4xf32>
  %1 = tarn.pad %k low = [1, 0] high = [1, 0] : tensor<1x4xf32>
  %2 = tarn.pad %v low = [2, 0] high = [0, 0] : tensor<1x4xf32>
  %3 = tarn.add %2, %0 : tensor<3x4xf32>
  %4 = tarn.add %3, %1 : tensor<3x4xf32>
  return %4 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @overlapping_pads_stay
func.func @overlapping_pads_stay(%q: tensor<2x4xf32>, %k: tensor<2x4xf32>) -> tensor<3x4xf32> {
  // CHECK-NOT: tarn.concat
  // CHECK: tarn.add
  %0 = tarn.pad %q low = [0, 0] high = [1, 0] : tensor<2x4xf32>
  %1 = tarn.pad %k low = [1, 0] high = [0, 0] : tensor<2x4xf32>
  %2 = tarn.add %0, %1 : tensor<3x4xf32>
  return %2 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @reductions
// CHECK-SAME: %[[X:.*]]: tensor<4x1xf32>
func.func @reductions(%x: tensor<4x1xf32>) -> (tensor<4xf32>, tensor<4x1xf32>, tensor<1xf32>) {
  // CHECK: %[[R:.*]] = tarn.reshape %[[X]]
  // CHECK: %[[S:.*]] = tarn.reduce_sum %[[X]] dims = [0]
  // CHECK: return %[[R]], %[[X]], %[[S]]
  %0 = tarn.reduce_max %x dims = [1] : tensor<4x1xf32>
  %1 = tarn.reduce_sum %x dims = [] : tensor<4x1xf32>
  %2 = tarn.reduce_sum %x dims = [0] : tensor<4x1xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4x1xf32>, tensor<1xf32>
}

// CHECK-LABEL: func.func @transposed_operands
// CHECK-SAME: %[[A:.*]]: tensor<2x8x4xf32>, %[[B:.*]]: tensor<2x6x8xf32>
func.func @transposed_operands(%a: tensor<2x8x4xf32>, %b: tensor<2x6x8xf32>) -> (tensor<2x4x6xf32>, tensor<2x4x6xf32>) {
  // CHECK: %[[D:.*]] = tarn.dot %[[A]], %[[B]] transpose_a transpose_b {tf32}
  // CHECK: %[[E:.*]] = tarn.dot %[[A]], %[[B]] transpose_a transpose_b
  %0 = tarn.transpose %a permutation = [0, 2, 1] : tensor<2x8x4xf32>
  %1 = tarn.transpose %b permutation = [0, 2, 1] : tensor<2x6x8xf32>
  %2 = tarn.dot %0, %1 {tf32} : tensor<2x4x8xf32>, tensor<2x8x6xf32> -> tensor<2x4x6xf32>
  %3 = tarn.dot %a, %b transpose_a transpose_b : tensor<2x8x4xf32>, tensor<2x6x8xf32> -> tensor<2x4x6xf32>
  return %2, %3 : tensor<2x4x6xf32>, tensor<2x4x6xf32>
}


// CHECK-LABEL: func.func @gather_elements
// CHECK: %[[I:.*]] = tarn.reshape %{{.*}} : tensor<2x3xi32> -> tensor<6xi32>
// CHECK: %[[G:.*]] = tarn.gather %{{.*}}, %[[I]] : tensor<5xf32>, tensor<6xi32>
// CHECK: tarn.reshape %[[G]] : tensor<6xf32> -> tensor<2x3xf32>
func.func @gather_elements(%t: tensor<5xf32>, %i: tensor<2x3xi32>) -> tensor<2x3xf32> {
  %0 = tarn.gather %t, %i : tensor<5xf32>, tensor<2x3xi32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @gather_rows_stays
// CHECK-NOT: tarn.reshape
func.func @gather_rows_stays(%t: tensor<5x4xf32>, %i: tensor<2x3xi32>) -> tensor<2x3x4xf32> {
  %0 = tarn.gather %t, %i : tensor<5x4xf32>, tensor<2x3xi32>
  return %0 : tensor<2x3x4xf32>
}

// One tap that reads where it stands is a product.
// CHECK-LABEL: @conv_of_one_tap
// CHECK-SAME: (%[[X:.*]]: tensor<24x4xf32>, %[[W:.*]]: tensor<1x1x8x4xf32>)
// CHECK: %[[M:.*]] = tarn.reshape %[[W]] : tensor<1x1x8x4xf32> -> tensor<8x4xf32>
// CHECK: tarn.dot %[[X]], %[[M]] transpose_b : tensor<24x4xf32>, tensor<8x4xf32> -> tensor<24x8xf32>
// One that jumps is not.
// CHECK: tarn.conv
func.func @conv_of_one_tap(%x: tensor<24x4xf32>, %w: tensor<1x1x8x4xf32>) -> (tensor<24x8xf32>, tensor<6x8xf32>) {
  %0 = tarn.conv %x, %w in = [3, 4] out = [3, 4] taps = [1, 1] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [0, 0] transpose_w : tensor<24x4xf32>, tensor<1x1x8x4xf32> -> tensor<24x8xf32>
  %1 = tarn.conv %x, %w in = [3, 4] out = [3, 1] taps = [1, 1] strides = [1, 4] dilations = [1, 1] spacing = [1, 1] offsets = [0, 0] transpose_w : tensor<24x4xf32>, tensor<1x1x8x4xf32> -> tensor<6x8xf32>
  return %0, %1 : tensor<24x8xf32>, tensor<6x8xf32>
}
