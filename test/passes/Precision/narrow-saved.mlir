// RUN: tarn-opt %s --tarn-narrow-saved | FileCheck %s
// What the backward pass reads of the forward pass is kept in bf16: activations,
// also through a reshape. The forward pass goes on with f32; the parameter, the
// row sums (too small to matter) and the metric keep f32.

// CHECK-LABEL: func.func @step
// CHECK-SAME: tarn.numerics = [{bytes = 16384 : i64, class = "rounding", text = "2 saved in bf16"}]
func.func @step(%x: tensor<64x64xf32> {tarn.name = "x", tarn.role = "input"}, %w: tensor<64x64xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"}, tensor<f32> {tarn.name = "most", tarn.role = "metric"}, tensor<64x64xf32> {tarn.name = "w", tarn.role = "parameter"})
    attributes {tarn.kind = "train"} {
  // CHECK: %[[Y:.*]] = tarn.dot %arg0, %arg1
  // CHECK: %[[NY:.*]] = tarn.cast %[[Y]] {tarn.saved} : tensor<64x64xf32> -> tensor<64x64xbf16>
  // CHECK: %[[WY:.*]] = tarn.cast %[[NY]] : tensor<64x64xbf16> -> tensor<64x64xf32>
  %y = tarn.dot %x, %w : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  // CHECK: %[[E:.*]] = tarn.exp %[[Y]]
  // CHECK: %[[NE:.*]] = tarn.cast %[[E]] {tarn.saved} : tensor<64x64xf32> -> tensor<64x64xbf16>
  %e = tarn.exp %y : tensor<64x64xf32>
  // CHECK: %[[R:.*]] = tarn.reshape %[[E]]
  // CHECK: %[[NR:.*]] = tarn.reshape %[[NE]] : tensor<64x64xbf16> -> tensor<4096xbf16>
  // CHECK: %[[WR:.*]] = tarn.cast %[[NR]]
  %r = tarn.reshape %e : tensor<64x64xf32> -> tensor<4096xf32>
  // CHECK: %[[S:.*]] = tarn.reduce_sum %[[E]] dims = [1]
  %s = tarn.reduce_sum %e dims = [1] : tensor<64x64xf32>
  %loss = tarn.reduce_sum %s dims = [0] : tensor<64xf32>
  // CHECK: tarn.reduce_max %[[Y]]
  %most = tarn.reduce_max %y dims = [0, 1] : tensor<64x64xf32>
  // CHECK: tarn.mul %[[WR]], %[[WR]]
  %g = tarn.mul %r, %r : tensor<4096xf32>
  %gr = tarn.reshape %g : tensor<4096xf32> -> tensor<64x64xf32>
  // CHECK: tarn.mul %{{.*}}, %[[WY]]
  %h = tarn.mul %gr, %y : tensor<64x64xf32>
  // CHECK: tarn.broadcast %[[S]]
  %b = tarn.broadcast %s dims = [0] : tensor<64xf32> -> tensor<64x64xf32>
  %k = tarn.mul %h, %b : tensor<64x64xf32>
  // CHECK: tarn.add %arg1
  %next = tarn.add %w, %k : tensor<64x64xf32>
  // CHECK: return %{{.*}}
  return %loss, %most, %next : tensor<f32>, tensor<f32>, tensor<64x64xf32>
}
