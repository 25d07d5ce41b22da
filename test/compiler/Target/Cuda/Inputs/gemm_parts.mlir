// The parts of a gradient of a weight: one product for each part of the rows,
// in f32 (tarn-split-reductions adds them up).
tile.kernel @parts(%X: memref<3x320x200xbf16>, %G: memref<3x320x96xbf16>, %P: memref<3x200x96xf32>)
    access ["read", "read", "write"] grid (%part = 3 by 1, %n = 96 by 64, %m = 200 by 128) {
  %zero = arith.constant dense<0.0> : tensor<128x64xf32>
  %c0 = arith.constant 0 : index
  %depth = arith.constant 320 : index
  %step = arith.constant 64 : index
  %sum = scf.for %k = %c0 to %depth step %step iter_args(%acc = %zero) -> (tensor<128x64xf32>) {
    %x = tile.load %X[%part, %k, %m] : memref<3x320x200xbf16> -> tensor<64x128xbf16>
    %g = tile.load %G[%part, %k, %n] : memref<3x320x96xbf16> -> tensor<64x64xbf16>
    %next = tile.dot %x, %g, %acc {transpose_a} : tensor<64x128xbf16>, tensor<64x64xbf16> -> tensor<128x64xf32>
    scf.yield %next : tensor<128x64xf32>
  }
  tile.store %sum, %P[%part, %m, %n] : tensor<128x64xf32>, memref<3x200x96xf32>
  tile.return
}
