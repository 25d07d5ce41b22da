// What the emitter does not carry is an error on the op.
// RUN: tarn-translate --tile-to-cuda --split-input-file --verify-diagnostics %s

// expected-error@+1 {{not supported by the sm_90a emitter yet: a kernel without tiles of rank 2}}
tile.kernel @no_dots(%x: memref<64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %t = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  tile.store %t, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}

// -----

tile.kernel @single_precision(%a: memref<64x64xf32>, %b: memref<64x64xf32>,
                              %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  // expected-error@+1 {{not supported by the sm_90a emitter yet: dot operands of 'f32' (only bf16)}}
  %x = tile.load %a[%i, 0] : memref<64x64xf32> -> tensor<64x64xf32>
  %y = tile.load %b[0, 0] : memref<64x64xf32> -> tensor<64x64xf32>
  %d = tile.dot %x, %y, %z : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.store %d, %c[%i, 0] : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

tile.kernel @pitch(%a: memref<64x60xbf16>, %b: memref<64x64xbf16>,
                   %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  // expected-error@+1 {{a dot operand whose rows are 120 bytes apart (TMA needs multiples of 16: pad the buffer)}}
  %x = tile.load %a[%i, 0] : memref<64x60xbf16> -> tensor<64x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %d = tile.dot %x, %y, %z : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  tile.store %d, %c[%i, 0] : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

tile.kernel @rows(%a: memref<64x64xbf16>, %b: memref<64x64xbf16>,
                  %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 32) {
  %z = arith.constant dense<0.0> : tensor<32x64xf32>
  %x = tile.load %a[%i, 0] : memref<64x64xbf16> -> tensor<32x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  // expected-error@+1 {{a dot with 32 rows (64, 128 or 192 for wgmma)}}
  %d = tile.dot %x, %y, %z : tensor<32x64xbf16>, tensor<64x64xbf16> -> tensor<32x64xf32>
  tile.store %d, %c[%i, 0] : tensor<32x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

tile.kernel @registers(%a: memref<192x64xbf16>, %b: memref<64x256xbf16>,
                       %c: memref<192x256xf32>)
    access ["read", "read", "write"] grid (%i = 192 by 192) {
  %z = arith.constant dense<0.0> : tensor<192x256xf32>
  %x = tile.load %a[%i, 0] : memref<192x64xbf16> -> tensor<192x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x256xbf16> -> tensor<64x256xbf16>
  // expected-error@+1 {{a product that needs 154 registers in a kernel of 512 threads, which have 128 each: smaller tiles}}
  %d = tile.dot %x, %y, %z : tensor<192x64xbf16>, tensor<64x256xbf16> -> tensor<192x256xf32>
  tile.store %d, %c[%i, 0] : tensor<192x256xf32>, memref<192x256xf32>
  tile.return
}

// -----

tile.kernel @column_sum(%a: memref<64x64xbf16>, %b: memref<64x64xbf16>,
                        %c: memref<64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  %x = tile.load %a[%i, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %d = tile.dot %x, %y, %z : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  // expected-error@+1 {{a reduction over rows, or of a vector}}
  %s = tile.reduce sum %d axis 0 : tensor<64x64xf32>
  tile.store %s, %c[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
