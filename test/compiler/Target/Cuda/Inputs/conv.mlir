// f32 of odd sizes with what comes behind.
func.func @f32(%x: tensor<126x19xf32>, %w: tensor<9x1x19x64xf32>, %b: tensor<64xf32>) -> tensor<40x64xf32> {
  %c = tarn.conv %x, %w in = [7, 9] out = [4, 5] taps = [3, 3] strides = [2, 2] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<126x19xf32>, tensor<9x1x19x64xf32> -> tensor<40x64xf32>
  %r = tarn.broadcast %b dims = [1] : tensor<64xf32> -> tensor<40x64xf32>
  %s = tarn.add %c, %r : tensor<40x64xf32>
  %y = tarn.relu %s : tensor<40x64xf32>
  return %y : tensor<40x64xf32>
}
// bf16 with two parts of the channels.
func.func @bf16(%x: tensor<162x128xbf16>, %w: tensor<9x1x128x96xbf16>) -> tensor<162x96xbf16> {
  %c = tarn.conv %x, %w in = [9, 9] out = [9, 9] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<162x128xbf16>, tensor<9x1x128x96xbf16> -> tensor<162x96xbf16>
  return %c : tensor<162x96xbf16>
}
// The gradient of its input with a stride, and of its weights.
func.func @input(%g: tensor<50x32xbf16>, %w: tensor<9x1x48x32xbf16>) -> tensor<162x48xbf16> {
  %c = tarn.conv %g, %w in = [5, 5] out = [9, 9] taps = [3, 3] strides = [1, 1] dilations = [-1, -1] spacing = [2, 2] offsets = [1, 1] transpose_w : tensor<50x32xbf16>, tensor<9x1x48x32xbf16> -> tensor<162x48xbf16>
  return %c : tensor<162x48xbf16>
}
func.func @weights(%x: tensor<162x48xbf16>, %g: tensor<162x32xbf16>) -> tensor<9x1x48x32xf32> {
  %c = tarn.conv_weights %x, %g in = [9, 9] out = [9, 9] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<162x48xbf16>, tensor<162x32xbf16> -> tensor<9x1x48x32xf32>
  return %c : tensor<9x1x48x32xf32>
}
func.func @weights_f32(%x: tensor<126x19xf32>, %g: tensor<40x64xf32>) -> tensor<9x1x19x64xf32> {
  %c = tarn.conv_weights %x, %g in = [7, 9] out = [4, 5] taps = [3, 3] strides = [2, 2] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<126x19xf32>, tensor<40x64xf32> -> tensor<9x1x19x64xf32>
  return %c : tensor<9x1x19x64xf32>
}
// Groups, one of a channel each, and one dim.
func.func @groups(%x: tensor<34x48xbf16>, %w: tensor<5x3x16x32xbf16>) -> tensor<34x96xf32> {
  %c = tarn.conv %x, %w in = [17] out = [17] taps = [5] strides = [1] dilations = [2] spacing = [1] offsets = [-4] : tensor<34x48xbf16>, tensor<5x3x16x32xbf16> -> tensor<34x96xf32>
  return %c : tensor<34x96xf32>
}
func.func @apart(%x: tensor<162x70xf32>, %w: tensor<9x70x1x1xf32>) -> tensor<162x70xf32> {
  %c = tarn.conv %x, %w in = [9, 9] out = [9, 9] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<162x70xf32>, tensor<9x70x1x1xf32> -> tensor<162x70xf32>
  return %c : tensor<162x70xf32>
}
func.func @weights_apart(%x: tensor<162x70xf32>, %g: tensor<162x70xf32>) -> tensor<9x70x1x1xf32> {
  %c = tarn.conv_weights %x, %g in = [9, 9] out = [9, 9] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<162x70xf32>, tensor<162x70xf32> -> tensor<9x70x1x1xf32>
  return %c : tensor<9x70x1x1xf32>
}
// A first layer: what is missing of 16 channels is zero.
func.func @three(%x: tensor<162x3xbf16>, %w: tensor<9x1x3x32xbf16>) -> tensor<162x32xbf16> {
  %c = tarn.conv %x, %w in = [9, 9] out = [9, 9] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<162x3xbf16>, tensor<9x1x3x32xbf16> -> tensor<162x32xbf16>
  return %c : tensor<162x32xbf16>
}
