// What the emitter does not carry is an error on the op, or the kernel.
// RUN: tarn-translate --tile-to-cuda --split-input-file --verify-diagnostics %s

// expected-error@+1 {{the CUDA emitter cannot write kernel `scaled` yet: a buffer of 'f8E4M3FN'}}
tile.kernel @scaled(%a: memref<64x128xf8E4M3FN>, %b: memref<64x128xf8E4M3FN>,
                    %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  %s = arith.constant dense<1.0> : tensor<64x1xf32>
  %x = tile.load %a[%i, 0] : memref<64x128xf8E4M3FN> -> tensor<64x128xf8E4M3FN>
  %y = tile.load %b[0, 0] : memref<64x128xf8E4M3FN> -> tensor<64x128xf8E4M3FN>
  %d = tile.dot_scaled %x scale %s, %y scale %s, %z {transpose_b}
      : tensor<64x128xf8E4M3FN>, tensor<64x1xf32>, tensor<64x128xf8E4M3FN>,
        tensor<64x1xf32> -> tensor<64x64xf32>
  tile.store %d, %c[%i, 0] : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

// expected-error@+1 {{the CUDA emitter cannot write kernel `large` yet: its tiles take 336384 bytes of shared memory, a block has 232448 on sm_90a; the largest, `}}
tile.kernel @large(%a: memref<256x256xf32>, %c: memref<256x256xf32>)
    access ["read", "write"] grid (%i = 256 by 256) {
  %z = arith.constant dense<0.0> : tensor<256x256xf32>
  %x = tile.load %a[%i, 0] : memref<256x256xf32> -> tensor<256x256xf32>
  %d = tile.dot %x, %x, %z : tensor<256x256xf32>, tensor<256x256xf32> -> tensor<256x256xf32>
  %e = tile.dot %d, %d, %z : tensor<256x256xf32>, tensor<256x256xf32> -> tensor<256x256xf32>
  tile.store %e, %c[%i, 0] : tensor<256x256xf32>, memref<256x256xf32>
  tile.return
}
