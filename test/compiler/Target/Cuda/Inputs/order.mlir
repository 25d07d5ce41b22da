// Running sums and sorts, as kernels of a GPU.
func.func @rows(%x: tensor<37x2100xf32>) -> tensor<37x2100xf32> {
  %r = tarn.cumsum %x dim = 1 : tensor<37x2100xf32>
  return %r : tensor<37x2100xf32>
}
func.func @back(%x: tensor<3x2100xbf16>) -> tensor<3x2100xbf16> {
  %r = tarn.cumsum %x dim = 1 reverse exclusive : tensor<3x2100xbf16>
  return %r : tensor<3x2100xbf16>
}
func.func @columns(%x: tensor<150x70xf32>) -> tensor<150x70xf32> {
  %r = tarn.cumsum %x dim = 0 exclusive : tensor<150x70xf32>
  return %r : tensor<150x70xf32>
}
func.func @middle(%x: tensor<3x70x5xf32>) -> tensor<3x70x5xf32> {
  %r = tarn.cumsum %x dim = 1 reverse : tensor<3x70x5xf32>
  return %r : tensor<3x70x5xf32>
}
func.func @long(%x: tensor<100000xf32>) -> tensor<100000xf32> {
  %r = tarn.cumsum %x dim = 0 : tensor<100000xf32>
  return %r : tensor<100000xf32>
}
func.func @sort(%x: tensor<5x300xf32>) -> (tensor<5x300xf32>, tensor<5x300xi32>, tensor<5x300xi32>) {
  %v, %i, %p = tarn.sort %x : tensor<5x300xf32>
  return %v, %i, %p : tensor<5x300xf32>, tensor<5x300xi32>, tensor<5x300xi32>
}
func.func @sort_bf16(%x: tensor<2x3x50xbf16>) -> (tensor<2x3x50xbf16>, tensor<2x3x50xi32>) {
  %v, %i, %p = tarn.sort %x descending : tensor<2x3x50xbf16>
  return %v, %i : tensor<2x3x50xbf16>, tensor<2x3x50xi32>
}
func.func @sort_numbers(%x: tensor<3x130xi32>) -> tensor<3x130xi32> {
  %v, %i, %p = tarn.sort %x descending : tensor<3x130xi32>
  return %p : tensor<3x130xi32>
}
// A row of more than a block sorts.
func.func @sort_long(%x: tensor<4100xf64>) -> (tensor<4100xf64>, tensor<4100xi32>) {
  %v, %i, %p = tarn.sort %x : tensor<4100xf64>
  return %v, %i : tensor<4100xf64>, tensor<4100xi32>
}
