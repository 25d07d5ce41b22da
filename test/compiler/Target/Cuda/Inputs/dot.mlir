// 40 rows and columns, 19 terms: no multiples of anything.
func.func @dot(%x: tensor<40x19xf32>, %w: tensor<19x40xf32>) -> tensor<40x40xf32> {
  %r = tarn.dot %x, %w : tensor<40x19xf32>, tensor<19x40xf32> -> tensor<40x40xf32>
  return %r : tensor<40x40xf32>
}
