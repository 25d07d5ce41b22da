// RUN: tarn-opt %s --split-input-file --verify-diagnostics
// Constraint Cn of an op is a kernel named OP_Cn.

// expected-error@+1 {{'tile.kernel' op has an unknown access "modify"}}
tile.kernel @kernel_C1(%y: memref<8xf32>) access ["modify"] grid () {
  tile.return
}

// -----

// expected-error@+1 {{'tile.kernel' op has a grid dim of 8 by 0}}
tile.kernel @kernel_C2(%y: memref<8xf32>) access ["read"] grid (%i = 8 by 0) {
  tile.return
}

// -----

// expected-error@+1 {{'tile.kernel' op has a body of 2 arguments for 1 accesses and 0 grid dims}}
tile.kernel @kernel_C3(%x: memref<8xf32>, %y: memref<8xf32>) access ["read"] grid () {
  tile.return
}

// -----

// expected-error@+1 {{'tile.kernel' op has 'memref<?xf32>' as argument 0}}
tile.kernel @kernel_C3_dynamic(%x: memref<?xf32>) access ["read"] grid () {
  tile.return
}

// -----

tile.kernel @kernel_C4(%y: memref<8xf32>) access ["write"] grid () {
  // expected-error@+1 {{'tile.load' op needs access read to buffer 0, which has write}}
  %t = tile.load %y[0] : memref<8xf32> -> tensor<8xf32>
  tile.store %t, %y[0] : tensor<8xf32>, memref<8xf32>
  tile.return
}

// -----

// expected-error@+1 {{'tile.kernel' op never stores to buffer 0, which has access write}}
tile.kernel @kernel_C4_unused(%y: memref<8xf32>) access ["write"] grid () {
  tile.return
}

// -----

tile.kernel @kernel_C4_foreign(%x: memref<8xf32>, %y: memref<8xf32>) access ["read", "write"] grid () {
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  tile.store %t, %y[0] : tensor<8xf32>, memref<8xf32>
  // expected-error@+1 {{'memref.dealloc' op uses a buffer}}
  memref.dealloc %x : memref<8xf32>
  tile.return
}

// -----

tile.kernel @kernel_C5(%x: memref<8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'arith.constant' op makes 'vector<8xf32>', which is neither a tile nor a scalar}}
  %v = arith.constant dense<0.0> : vector<8xf32>
  tile.return
}

// -----

func.func private @any(tensor<8xi1>) -> i1
// A condition can't come from a tile: nothing makes a scalar of one.
tile.kernel @kernel_C6(%x: memref<8xi1>) access ["read"] grid (%i = 8 by 8) {
  %t = tile.load %x[%i] : memref<8xi1> -> tensor<8xi1>
  // expected-error@+1 {{'func.call' op is not allowed in a tile.kernel}}
  %c = func.call @any(%t) : (tensor<8xi1>) -> i1
  scf.if %c {
  }
  tile.return
}

// -----

// expected-note@+1 {{the kernel}}
tile.kernel @kernel_C7(%x: memref<8xf32>, %y: memref<8xf32>) access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.store' op stores the same elements in 2 blocks: its position does not depend on grid dim 0}}
  tile.store %t, %y[0] : tensor<8xf32>, memref<8xf32>
  tile.return
}

// -----

tile.kernel @kernel_C7_loop(%x: memref<8xf32>, %y: memref<8xf32>) access ["read", "write"] grid () {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // expected-note@+1 {{the loop}}
  scf.for %k = %c0 to %c4 step %c1 {
    %t = tile.load %x[%k] : memref<8xf32> -> tensor<8xf32>
    // expected-error@+1 {{'tile.store' op stores the same elements in every turn of a loop}}
    tile.store %t, %y[0] : tensor<8xf32>, memref<8xf32>
  }
  tile.return
}

// -----

tile.kernel @load_C1(%x: memref<8x8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op has 1 positions for a buffer of 2 dims}}
  %t = tile.load %x[0] : memref<8x8xf32> -> tensor<8xf32>
  tile.return
}

// -----

tile.kernel @load_C2(%x: memref<8x8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op has 1 dims for a tile of rank 2}}
  %t = tile.load %x[0, 0] {dims = [0]} : memref<8x8xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @load_C2_rank(%x: memref<8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op takes a tile of rank 2 of a buffer of 1 dims}}
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @load_C2_outside(%x: memref<8x8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op spans dim 2 of a buffer of 2 dims}}
  %t = tile.load %x[0, 0] {dims = [0, 2]} : memref<8x8xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @load_C2_twice(%x: memref<8x8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op spans buffer dim 1 twice}}
  %t = tile.load %x[0, 0] {dims = [1, 1]} : memref<8x8xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @load_C3(%x: memref<8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op has a tile of 'bf16' and a buffer of 'f32'}}
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xbf16>
  tile.return
}

// -----

tile.kernel @load_C4(%x: memref<8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load' op pads with 'i32' a tile of 'f32'}}
  %t = tile.load %x[0] {pad = 1 : i32} : memref<8xf32> -> tensor<8xf32>
  tile.return
}

// -----

tile.kernel @gather_C5(%x: memref<8x8xf32>, %i: memref<8xi32>) access ["read", "read"] grid () {
  %r = tile.load %i[0] : memref<8xi32> -> tensor<4xi32>
  // expected-error@+1 {{'tile.gather' op has 4 row numbers for 'tensor<8x8xf32>'}}
  %t = tile.gather %x[0, 0] rows(%r) : memref<8x8xf32>, tensor<4xi32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @load_scalar_C1(%x: memref<8x8xf32>) access ["read"] grid () {
  // expected-error@+1 {{'tile.load_scalar' op has 1 positions for a buffer of 2 dims}}
  %t = tile.load_scalar %x[0] : memref<8x8xf32>
  tile.return
}

// -----

tile.kernel @store_C3(%x: memref<8xf32>, %y: memref<8xbf16>) access ["read", "write"] grid () {
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.store' op has a tile of 'f32' and a buffer of 'bf16'}}
  tile.store %t, %y[0] : tensor<8xf32>, memref<8xbf16>
  tile.return
}

// -----

tile.kernel @scatter_C5(%x: memref<8x8xf32>, %i: memref<8xi32>, %y: memref<8x8xf32>) access ["read", "read", "write"] grid () {
  %t = tile.load %x[0, 0] : memref<8x8xf32> -> tensor<8x8xf32>
  %r = tile.load %i[0] : memref<8xi32> -> tensor<4xi32>
  // expected-error@+1 {{'tile.scatter' op has 4 row numbers for 'tensor<8x8xf32>'}}
  tile.scatter %t, %y[0, 0] rows(%r) : tensor<8x8xf32>, memref<8x8xf32>, tensor<4xi32>
  tile.return
}

// -----

tile.kernel @store_partial_C1(%x: memref<8xf32>, %p: memref<2x8xf32>) access ["read", "partial"] grid (%i = 8 by 4) {
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.store_partial' op has 2 positions for a buffer of 1 dims}}
  tile.store_partial %t, %p[0, 0] slot(%i) : tensor<8xf32>, memref<2x8xf32>
  tile.return
}

// -----

tile.kernel @store_partial_C4(%x: memref<8xf32>, %p: memref<3x8xf32>) access ["read", "partial"] grid (%i = 8 by 4) {
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.store_partial' op has 3 slots for the 2 blocks of grid dim 0}}
  tile.store_partial %t, %p[0] slot(%i) : tensor<8xf32>, memref<3x8xf32>
  tile.return
}

// -----

tile.kernel @store_partial_C4_slot(%x: memref<8xf32>, %p: memref<2x8xf32>) access ["read", "partial"] grid (%i = 8 by 4) {
  %c0 = arith.constant 0 : index
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.store_partial' op has slot 0, which is no grid position}}
  tile.store_partial %t, %p[0] slot(%c0) : tensor<8xf32>, memref<2x8xf32>
  tile.return
}

// -----

tile.kernel @accumulate_C4(%x: memref<8xf32>, %y: memref<8xf32>) access ["read", "accumulate"] grid (%i = 8 by 4) {
  %t = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.accumulate' op adds along grid dim 0, which is not sequential}}
  tile.accumulate %t, %y[0] along(%i) : tensor<8xf32>, memref<8xf32>
  tile.return
}

// -----

tile.kernel @accumulate_C4_race(%x: memref<8xf32>, %y: memref<8xf32>) access ["read", "accumulate"] grid (%i = 8 by 4) {
  %t = tile.load %x[%i] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.accumulate' op adds to the same elements in 2 blocks of grid dim 0, which is not in 'along'}}
  tile.accumulate %t, %y[0] : tensor<8xf32>, memref<8xf32>
  tile.return
}

// -----

tile.kernel @accumulate_C6(%x: memref<8xi32>, %y: memref<8xi32>) access ["read", "accumulate"] grid () {
  %t = tile.load %x[0] : memref<8xi32> -> tensor<8xi32>
  // expected-error@+1 {{'tile.accumulate' op adds 'i32', which is no float}}
  tile.accumulate %t, %y[0] : tensor<8xi32>, memref<8xi32>
  tile.return
}

// -----

tile.kernel @dot_C1(%x: memref<8x8xf32>, %w: memref<8x8xbf16>) access ["read", "read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xf32> -> tensor<8x8xf32>
  %b = tile.load %w[0, 0] : memref<8x8xbf16> -> tensor<8x8xbf16>
  // expected-error@+1 {{'tile.dot' op multiplies 'f32' by 'bf16'}}
  %d = tile.dot %a, %b, %zero : tensor<8x8xf32>, tensor<8x8xbf16> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @dot_C2(%x: memref<8x8xf32>) access ["read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xf32> -> tensor<8x4xf32>
  // expected-error@+1 {{'tile.dot' op sums over 4 of a and 8 of b}}
  %d = tile.dot %a, %a, %zero : tensor<8x4xf32>, tensor<8x4xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @dot_C3(%x: memref<8x8xf32>) access ["read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<4x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xf32> -> tensor<8x4xf32>
  // expected-error@+1 {{'tile.dot' op makes 8x8 but accumulates into 'tensor<4x8xf32>'}}
  %d = tile.dot %a, %a, %zero {transpose_b} : tensor<8x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  tile.return
}

// -----

tile.kernel @dot_C3_type(%x: memref<8x8xf32>) access ["read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf64>
  %a = tile.load %x[0, 0] : memref<8x8xf32> -> tensor<8x8xf32>
  // expected-error@+1 {{'tile.dot' op accumulates 'f32' in 'f64'}}
  %d = tile.dot %a, %a, %zero : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf64>
  tile.return
}

// -----

tile.kernel @dot_C4(%x: memref<8x8xf32>) access ["read"] grid () {
  %a = tile.load %x[0, 0] : memref<8x8xf32> -> tensor<8x8xf32>
  // expected-error@+1 {{'tile.dot' op accumulates into a value with other uses}}
  %d = tile.dot %a, %a, %a : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @dot_C5(%x: memref<8x8xbf16>) access ["read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xbf16> -> tensor<8x8xbf16>
  // expected-error@+1 {{'tile.dot' op rounds 'bf16' to tf32, which is for f32}}
  %d = tile.dot %a, %a, %zero {tf32} : tensor<8x8xbf16>, tensor<8x8xbf16> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @dot_scaled_C1(%x: memref<8x8xbf16>, %s: memref<8x8xf32>) access ["read", "read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xbf16> -> tensor<8x8xbf16>
  %sa = tile.load %s[0, 0] : memref<8x8xf32> -> tensor<8x1xf32>
  // expected-error@+1 {{'tile.dot_scaled' op multiplies 'bf16' by 'bf16'}}
  %d = tile.dot_scaled %a scale %sa, %a scale %sa, %zero : tensor<8x8xbf16>, tensor<8x1xf32>, tensor<8x8xbf16>, tensor<8x1xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @dot_scaled_C5(%x: memref<8x8xf8E5M2>, %s: memref<8x8xf32>) access ["read", "read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xf8E5M2> -> tensor<8x8xf8E5M2>
  %sa = tile.load %s[0, 0] : memref<8x8xf32> -> tensor<8x3xf32>
  // expected-error@+1 {{'tile.dot_scaled' op has 3 and 3 scale blocks for a contracted extent of 8}}
  %d = tile.dot_scaled %a scale %sa, %a scale %sa, %zero : tensor<8x8xf8E5M2>, tensor<8x3xf32>, tensor<8x8xf8E5M2>, tensor<8x3xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @dot_scaled_C5_rows(%x: memref<8x8xf8E5M2>, %s: memref<8x8xf32>) access ["read", "read"] grid () {
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.load %x[0, 0] : memref<8x8xf8E5M2> -> tensor<8x8xf8E5M2>
  %sa = tile.load %s[0, 0] : memref<8x8xf32> -> tensor<3x1xf32>
  %sb = tile.load %s[0, 0] : memref<8x8xf32> -> tensor<1x1xf32>
  // expected-error@+1 {{'tile.dot_scaled' op has 3 scales for 8 rows and 1 for 8 columns}}
  %d = tile.dot_scaled %a scale %sa, %a scale %sb, %zero : tensor<8x8xf8E5M2>, tensor<3x1xf32>, tensor<8x8xf8E5M2>, tensor<1x1xf32> -> tensor<8x8xf32>
  tile.return
}

// -----

tile.kernel @reduce_C1(%x: memref<8xf32>) access ["read"] grid () {
  %a = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{axis 1 is not a dim of 'tensor<8xf32>'}}
  %d = tile.reduce sum %a axis 1 : tensor<8xf32>
  tile.return
}

// -----

tile.kernel @scan_C1(%x: memref<8xf32>) access ["read"] grid () {
  %a = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{axis 1 is not a dim of 'tensor<8xf32>'}}
  %d = tile.scan %a axis 1 : tensor<8xf32>
  tile.return
}

// -----

tile.kernel @scan_type(%x: memref<8xbf16>) access ["read"] grid () {
  %a = tile.load %x[0] : memref<8xbf16> -> tensor<8xbf16>
  // expected-error@+1 {{tile of numbers that are added up}}
  %d = tile.scan %a axis 0 : tensor<8xbf16>
  tile.return
}

// -----

tile.kernel @places_shape(%x: memref<8xf32>) access ["read"] grid () {
  %a = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{failed to verify that all of {operand, result} have same shape}}
  %d = tile.places %a : tensor<8xf32> -> tensor<4xi32>
  tile.return
}

// -----

tile.kernel @broadcast_C1(%x: memref<8xf32>) access ["read"] grid () {
  %a = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.broadcast' op makes 'tensor<8x4xf32>' of 'tensor<8xf32>' along axis 0}}
  %d = tile.broadcast %a axis 0 : tensor<8xf32> -> tensor<8x4xf32>
  tile.return
}

// -----

tile.kernel @broadcast_C2(%x: memref<8xf32>) access ["read"] grid () {
  %a = tile.load %x[0] : memref<8xf32> -> tensor<8xf32>
  // expected-error@+1 {{'tile.broadcast' op makes 'bf16' of 'f32'}}
  %d = tile.broadcast %a axis 1 : tensor<8xf32> -> tensor<8x4xbf16>
  tile.return
}

// -----

tile.kernel @splat_element(%x: memref<8xf32>) access ["read"] grid () {
  %c = arith.constant 1.0 : f32
  // expected-error@+1 {{'tile.splat' op failed to verify that the scalar is an element of the tile}}
  %d = "tile.splat"(%c) : (f32) -> tensor<8xbf16>
  tile.return
}

// -----

tile.kernel @iota_C1(%x: memref<8xf32>) access ["read"] grid (%i = 8 by 8) {
  // expected-error@+1 {{'tile.iota' op axis 1 is not a dim of 'tensor<8xi32>'}}
  %d = tile.iota %i axis 1 : tensor<8xi32>
  tile.return
}

// -----

func.func @turns(%from: index, %to: index, %step: index) {
  // expected-error@+1 {{'scf.for' op has `tile.turns`, which is for loops: an f64 that is not negative}}
  scf.for %i = %from to %to step %step {
  } {tile.turns = -1.0 : f64}
  return
}

// -----

// expected-error@+1 {{'func.func' op has the attribute `tile.turn`, which this dialect does not know}}
func.func @unknown() attributes {tile.turn = 1.0 : f64} {
  return
}

// -----

// expected-error@+1 {{'func.func' op has the attribute `tile.library`, which is for kernels}}
func.func @library() attributes {tile.library = {}} {
  return
}
