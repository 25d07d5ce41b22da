// expected-error@+1 {{the CUDA emitter cannot write kernel `many` yet: a grid of 2500000000 blocks, a launch takes 2147483647}}
tile.kernel @many(%x: memref<50000x50000xf32>, %y: memref<50000x50000xf32>)
    access ["read", "write"] grid (%i = 50000 by 1, %j = 50000 by 1) {
  %a = tile.load %x[%i, %j] : memref<50000x50000xf32> -> tensor<1x1xf32>
  tile.store %a, %y[%i, %j] : tensor<1x1xf32>, memref<50000x50000xf32>
  tile.return
}

// -----

// expected-error@+1 {{the CUDA emitter cannot write kernel `long` yet: a dim of 3000000000 elements, positions reach 2147483647; the model has to split it}}
tile.kernel @long(%x: memref<3000000000xf32>, %y: memref<3000000000xf32>)
    access ["read", "write"] grid (%i = 3000000000 by 4096) {
  %a = tile.load %x[%i] : memref<3000000000xf32> -> tensor<4096xf32>
  tile.store %a, %y[%i] : tensor<4096xf32>, memref<3000000000xf32>
  tile.return
}
