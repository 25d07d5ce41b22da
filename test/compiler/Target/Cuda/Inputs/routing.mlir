// What mixtures of experts choose and sort by, as kernels of a GPU; rows that
// threads, warps and whole blocks have.
func.func @narrow(%x: tensor<70x13xf32>) -> (tensor<70x3xf32>, tensor<70x3xi32>) {
  %v, %i = tarn.top_k %x k = 3 : tensor<70x13xf32>
  return %v, %i : tensor<70x3xf32>, tensor<70x3xi32>
}
func.func @ties(%x: tensor<3x5x64xbf16>) -> (tensor<3x5x8xbf16>, tensor<3x5x8xi32>) {
  %v, %i = tarn.top_k %x k = 8 : tensor<3x5x64xbf16>
  return %v, %i : tensor<3x5x8xbf16>, tensor<3x5x8xi32>
}
func.func @long(%x: tensor<5000xf32>) -> tensor<4xi32> {
  %v, %i = tarn.top_k %x k = 4 : tensor<5000xf32>
  return %i : tensor<4xi32>
}
