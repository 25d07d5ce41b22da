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
func.func @group(%g: tensor<2500xi32>) -> (tensor<2500xi32>, tensor<2500xi32>, tensor<6xi32>) {
  %o, %p, %f = tarn.group_rows %g count = 5 : tensor<2500xi32>
  return %o, %p, %f : tensor<2500xi32>, tensor<2500xi32>, tensor<6xi32>
}
func.func @dot(%x: tensor<40x48xf32>, %w: tensor<3x48x20xf32>, %o: tensor<4xi32>) -> tensor<40x20xf32> {
  %r = tarn.grouped_dot %x, %w, %o : tensor<40x48xf32>, tensor<3x48x20xf32>, tensor<4xi32> -> tensor<40x20xf32>
  return %r : tensor<40x20xf32>
}
func.func @dot_bf16(%x: tensor<40x96xbf16>, %w: tensor<3x80x96xbf16>, %o: tensor<4xi32>) -> tensor<40x80xbf16> {
  %r = tarn.grouped_dot %x, %w, %o transpose_w : tensor<40x96xbf16>, tensor<3x80x96xbf16>, tensor<4xi32> -> tensor<40x80xbf16>
  return %r : tensor<40x80xbf16>
}
func.func @outer(%x: tensor<40x48xf32>, %y: tensor<40x20xf32>, %o: tensor<4xi32>) -> tensor<3x48x20xf32> {
  %r = tarn.grouped_outer %x, %y, %o : tensor<40x48xf32>, tensor<40x20xf32>, tensor<4xi32> -> tensor<3x48x20xf32>
  return %r : tensor<3x48x20xf32>
}
func.func @outer_bf16(%x: tensor<40x96xbf16>, %y: tensor<40x80xbf16>, %o: tensor<4xi32>) -> tensor<3x96x80xf32> {
  %r = tarn.grouped_outer %x, %y, %o : tensor<40x96xbf16>, tensor<40x80xbf16>, tensor<4xi32> -> tensor<3x96x80xf32>
  return %r : tensor<3x96x80xf32>
}
