// Kernels whose results may lie over operands.

tile.kernel @norm_backward(%x: memref<10x64xf32>, %d: memref<10x64xf32>, %c: memref<10x64xf32>, %m: memref<10xf32>, %g: memref<10x64xf32>)
    access ["read", "read", "write", "write", "write"] grid (%i = 10 by 4) {
  %t = tile.load %x[%i, 0] : memref<10x64xf32> -> tensor<4x64xf32>
  %e = tile.load %d[%i, 0] : memref<10x64xf32> -> tensor<4x64xf32>
  %p = arith.mulf %t, %e : tensor<4x64xf32>
  %s = tile.reduce sum %p axis 1 : tensor<4x64xf32>
  %b = tile.broadcast %s axis 1 : tensor<4xf32> -> tensor<4x64xf32>
  %q = arith.subf %t, %b : tensor<4x64xf32>
  %h = arith.addf %e, %t : tensor<4x64xf32>
  %r = tile.reduce max %h axis 1 : tensor<4x64xf32>
  %n = arith.mulf %q, %h : tensor<4x64xf32>
  tile.store %q, %c[%i, 0] : tensor<4x64xf32>, memref<10x64xf32>
  tile.store %r, %m[%i] : tensor<4xf32>, memref<10xf32>
  tile.store %n, %g[%i, 0] : tensor<4x64xf32>, memref<10x64xf32>
  tile.return
}

tile.kernel @odd_rows(%x: memref<10x61xf32>, %d: memref<10x61xf32>, %c: memref<10x61xf32>, %m: memref<10xf32>, %g: memref<10x61xf32>)
    access ["read", "read", "write", "write", "write"] grid (%i = 10 by 4) {
  %t = tile.load %x[%i, 0] : memref<10x61xf32> -> tensor<4x61xf32>
  %e = tile.load %d[%i, 0] : memref<10x61xf32> -> tensor<4x61xf32>
  %p = arith.mulf %t, %e : tensor<4x61xf32>
  %s = tile.reduce sum %p axis 1 : tensor<4x61xf32>
  %b = tile.broadcast %s axis 1 : tensor<4xf32> -> tensor<4x61xf32>
  %q = arith.subf %t, %b : tensor<4x61xf32>
  %h = arith.addf %e, %t : tensor<4x61xf32>
  %r = tile.reduce max %h axis 1 : tensor<4x61xf32>
  %n = arith.mulf %q, %h : tensor<4x61xf32>
  tile.store %q, %c[%i, 0] : tensor<4x61xf32>, memref<10x61xf32>
  tile.store %r, %m[%i] : tensor<4xf32>, memref<10xf32>
  tile.store %n, %g[%i, 0] : tensor<4x61xf32>, memref<10x61xf32>
  tile.return
}

// A row of more than one warp.
tile.kernel @long_row(%x: memref<3x5001xf32>, %y: memref<3x5001xf32>)
    access ["read", "write"] grid (%i = 3 by 1) {
  %t = tile.load %x[%i, 0] {dims = [1]} : memref<3x5001xf32> -> tensor<5001xf32>
  %m = tile.reduce max %t axis 0 : tensor<5001xf32>
  %b = tile.broadcast %m axis 0 : tensor<f32> -> tensor<5001xf32>
  %c = arith.subf %t, %b : tensor<5001xf32>
  %e = math.exp %c : tensor<5001xf32>
  %s = tile.reduce sum %e axis 0 : tensor<5001xf32>
  %d = tile.broadcast %s axis 0 : tensor<f32> -> tensor<5001xf32>
  %q = arith.divf %e, %d : tensor<5001xf32>
  tile.store %q, %y[%i, 0] {dims = [1]} : tensor<5001xf32>, memref<3x5001xf32>
  tile.return
}

// Every thread reads the number, one writes it.
tile.kernel @number(%x: memref<f32>, %y: memref<f32>, %z: memref<f32>)
    access ["read", "write", "write"] grid () {
  %t = tile.load %x[] : memref<f32> -> tensor<f32>
  %a = arith.addf %t, %t : tensor<f32>
  %b = arith.mulf %t, %a : tensor<f32>
  tile.store %a, %y[] : tensor<f32>, memref<f32>
  tile.store %b, %z[] : tensor<f32>, memref<f32>
  tile.return
}

tile.kernel @sum_of_columns(%x: memref<16x40xf32>, %y: memref<16x40xf32>)
    access ["read", "write"] grid (%i = 40 by 8) {
  %t = tile.load %x[0, %i] : memref<16x40xf32> -> tensor<16x8xf32>
  %s = tile.reduce sum %t axis 0 : tensor<16x8xf32>
  %b = tile.broadcast %s axis 0 : tensor<8xf32> -> tensor<16x8xf32>
  %q = arith.subf %t, %b : tensor<16x8xf32>
  tile.store %q, %y[0, %i] : tensor<16x8xf32>, memref<16x40xf32>
  tile.return
}
