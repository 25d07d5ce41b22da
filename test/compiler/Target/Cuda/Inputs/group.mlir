// Kernels that are launched as one: an update of tensors of three shapes, two of
// them with odd numbers of elements and their buffers in different order (one
// function), another update, and rows, whose threads meet in shared memory.

tile.kernel @large(%w: memref<70x96xf32>, %g: memref<70x96xf32>, %n: memref<70x96xf32>)
    access ["read", "read", "write"] grid (%i = 70 by 32) {
  %x = tile.load %w[%i, 0] : memref<70x96xf32> -> tensor<32x96xf32>
  %d = tile.load %g[%i, 0] : memref<70x96xf32> -> tensor<32x96xf32>
  %r = arith.constant dense<0.125> : tensor<32x96xf32>
  %s = math.fma %d, %r, %x : tensor<32x96xf32>
  tile.store %s, %n[%i, 0] : tensor<32x96xf32>, memref<70x96xf32>
  tile.return
}

tile.kernel @other_order(%g: memref<5001xf32>, %w: memref<5001xf32>, %n: memref<5001xf32>)
    access ["read", "read", "write"] grid (%i = 5001 by 4096) {
  %x = tile.load %w[%i] : memref<5001xf32> -> tensor<4096xf32>
  %d = tile.load %g[%i] : memref<5001xf32> -> tensor<4096xf32>
  %r = arith.constant dense<0.125> : tensor<4096xf32>
  %s = math.fma %d, %r, %x : tensor<4096xf32>
  tile.store %s, %n[%i] : tensor<4096xf32>, memref<5001xf32>
  tile.return
}

tile.kernel @small(%w: memref<3xf32>, %g: memref<3xf32>, %n: memref<3xf32>)
    access ["read", "read", "write"] grid (%i = 3 by 4) {
  %x = tile.load %w[%i] : memref<3xf32> -> tensor<4xf32>
  %d = tile.load %g[%i] : memref<3xf32> -> tensor<4xf32>
  %r = arith.constant dense<0.125> : tensor<4xf32>
  %s = math.fma %d, %r, %x : tensor<4xf32>
  tile.store %s, %n[%i] : tensor<4xf32>, memref<3xf32>
  tile.return
}

tile.kernel @decayed(%w: memref<40x30xf32>, %n: memref<40x30xbf16>)
    access ["read", "write"] grid (%i = 40 by 128) {
  %x = tile.load %w[%i, 0] : memref<40x30xf32> -> tensor<128x30xf32>
  %r = arith.constant dense<0.875> : tensor<128x30xf32>
  %s = arith.mulf %x, %r : tensor<128x30xf32>
  %t = arith.truncf %s : tensor<128x30xf32> to tensor<128x30xbf16>
  tile.store %t, %n[%i, 0] : tensor<128x30xbf16>, memref<40x30xbf16>
  tile.return
}

tile.kernel @rows(%x: memref<6x2048xf32>, %s: memref<6xf32>)
    access ["read", "write"] grid (%i = 6 by 2) {
  %t = tile.load %x[%i, 0] : memref<6x2048xf32> -> tensor<2x2048xf32>
  %q = arith.mulf %t, %t : tensor<2x2048xf32>
  %a = tile.reduce sum %q axis 1 : tensor<2x2048xf32>
  tile.store %a, %s[%i] : tensor<2xf32>, memref<6xf32>
  tile.return
}
