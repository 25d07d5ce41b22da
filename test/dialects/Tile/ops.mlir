// RUN: tarn-opt %s | tarn-opt | FileCheck %s
// RUN: tarn-opt %s --mlir-print-op-generic | tarn-opt | FileCheck %s
// RUN: tarn-opt %s --emit-bytecode | tarn-opt | FileCheck %s
// Every op is parsed, printed and parsed again.

// CHECK: tile.kernel @loads(%[[X:.*]]: memref<12x64x3x4x32xf32>, %[[T:.*]]: memref<512x64xbf16>, %[[I:.*]]: memref<100xi32>, %[[Y:.*]]: memref<12x100x64xbf16>)
// CHECK-NEXT: access ["read", "read", "read", "write"] grid (%[[B:.*]] = 12 by 1 sequential, %[[M:.*]] = 100 by 64) {
tile.kernel @loads(%x: memref<12x64x3x4x32xf32>, %table: memref<512x64xbf16>,
                   %idx: memref<100xi32>, %y: memref<12x100x64xbf16>)
    access ["read", "read", "read", "write"]
    grid (%b = 12 by 1 sequential, %m = 100 by 64) {
  // CHECK: tile.load %[[X]][%[[B]], %[[M]], 0, 2, 0] {dims = [4, 1]} : memref<12x64x3x4x32xf32> -> tensor<32x64xf32>
  %t = tile.load %x[%b, %m, 0, 2, 0] {dims = [4, 1]}
      : memref<12x64x3x4x32xf32> -> tensor<32x64xf32>
  // CHECK: tile.load %[[I]][%[[M]]] {pad = -1 : i32}
  %rows = tile.load %idx[%m] {pad = -1 : i32} : memref<100xi32> -> tensor<64xi32>
  // CHECK: tile.gather %[[T]][0, 0] rows(%{{.*}}) : memref<512x64xbf16>, tensor<64xi32> -> tensor<64x64xbf16>
  %g = tile.gather %table[0, 0] rows(%rows)
      : memref<512x64xbf16>, tensor<64xi32> -> tensor<64x64xbf16>
  // CHECK: tile.load_scalar %[[I]][3] : memref<100xi32>
  %n = tile.load_scalar %idx[3] : memref<100xi32>
  // CHECK: tile.splat %{{.*}} : tensor<64x64xi32>
  %limit = tile.splat %n : tensor<64x64xi32>
  // CHECK: tile.iota %[[M]] axis 1 : tensor<64x64xi32>
  %i = tile.iota %m axis 1 : tensor<64x64xi32>
  %mask = arith.cmpi slt, %i, %limit : tensor<64x64xi32>
  %zero = arith.constant dense<0.0> : tensor<64x64xbf16>
  %v = arith.select %mask, %g, %zero : tensor<64x64xi1>, tensor<64x64xbf16>
  // CHECK: tile.store %{{.*}}, %[[Y]][%[[B]], %[[M]], 0] : tensor<64x64xbf16>, memref<12x100x64xbf16>
  tile.store %v, %y[%b, %m, 0] : tensor<64x64xbf16>, memref<12x100x64xbf16>
  // CHECK: tile.return
  tile.return
}

// CHECK: tile.kernel @stores
// CHECK-SAME: %[[X:.*]]: memref<100x64xf32>, %[[I:.*]]: memref<100xi32>, %[[P:.*]]: memref<2x64xf32>, %[[A:.*]]: memref<512x64xf32>, %[[S:.*]]: memref<100x64xf32>)
// CHECK: grid (%[[M:.*]] = 100 by 64 sequential) attributes {note = "x"} {
tile.kernel @stores(%x: memref<100x64xf32>, %idx: memref<100xi32>,
                    %p: memref<2x64xf32>, %acc: memref<512x64xf32>,
                    %s: memref<100x64xf32>)
    access ["read", "read", "partial", "accumulate", "write"]
    grid (%m = 100 by 64 sequential) attributes {note = "x"} {
  %t = tile.load %x[%m, 0] : memref<100x64xf32> -> tensor<64x64xf32>
  %rows = tile.load %idx[%m] {pad = -1 : i32} : memref<100xi32> -> tensor<64xi32>
  // CHECK: tile.reduce sum %{{.*}} axis 0 : tensor<64x64xf32>
  %sum = tile.reduce sum %t axis 0 : tensor<64x64xf32>
  // CHECK: tile.store_partial %{{.*}}, %[[P]][0] slot(%[[M]]) : tensor<64xf32>, memref<2x64xf32>
  tile.store_partial %sum, %p[0] slot(%m) : tensor<64xf32>, memref<2x64xf32>
  // CHECK: tile.accumulate %{{.*}}, %[[A]][0, 0] along(%[[M]]) rows(%{{.*}} : tensor<64xi32>) : tensor<64x64xf32>, memref<512x64xf32>
  tile.accumulate %t, %acc[0, 0] along(%m) rows(%rows : tensor<64xi32>)
      : tensor<64x64xf32>, memref<512x64xf32>
  // CHECK: tile.scatter %{{.*}}, %[[S]][0, 0] rows(%{{.*}}) : tensor<64x64xf32>, memref<100x64xf32>, tensor<64xi32>
  tile.scatter %t, %s[0, 0] rows(%rows)
      : tensor<64x64xf32>, memref<100x64xf32>, tensor<64xi32>
  tile.return
}

// CHECK: tile.kernel @dots
tile.kernel @dots(%x: memref<64x32xf32>, %q: memref<64x256xf8E4M3FN>,
                  %sx: memref<64x2xf32>, %sw: memref<1x2xf32>,
                  %y: memref<64x64xf32>)
    access ["read", "read", "read", "read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<64x32xf32> -> tensor<64x32xf32>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  // CHECK: tile.dot %{{.*}}, %{{.*}}, %{{.*}} {transpose_b} : tensor<64x32xf32>, tensor<64x32xf32> -> tensor<64x64xf32>
  %d = tile.dot %a, %a, %zero {transpose_b}
      : tensor<64x32xf32>, tensor<64x32xf32> -> tensor<64x64xf32>
  %w = tile.load %q[0, 0] : memref<64x256xf8E4M3FN> -> tensor<64x256xf8E4M3FN>
  %sa = tile.load %sx[0, 0] : memref<64x2xf32> -> tensor<64x2xf32>
  %sb = tile.load %sw[0, 0] : memref<1x2xf32> -> tensor<1x2xf32>
  // CHECK: tile.dot_scaled %{{.*}} scale %{{.*}}, %{{.*}} scale %{{.*}}, %{{.*}} {transpose_b}
  %e = tile.dot_scaled %w scale %sa, %w scale %sb, %d {transpose_b}
      : tensor<64x256xf8E4M3FN>, tensor<64x2xf32>, tensor<64x256xf8E4M3FN>,
        tensor<1x2xf32> -> tensor<64x64xf32>
  // CHECK: tile.scan %{{.*}} axis 0 : tensor<64x64xf32>
  %c = tile.scan %e axis 0 : tensor<64x64xf32>
  // CHECK: tile.scan %{{.*}} axis 1 reverse : tensor<64x64xf32>
  %r = tile.scan %c axis 1 reverse : tensor<64x64xf32>
  %m = tile.reduce max %r axis 1 : tensor<64x64xf32>
  // CHECK: tile.broadcast %{{.*}} axis 1 : tensor<64xf32> -> tensor<64x64xf32>
  %b = tile.broadcast %m axis 1 : tensor<64xf32> -> tensor<64x64xf32>
  // CHECK: tile.places %{{.*}} descending : tensor<64xf32> -> tensor<64xi32>
  %p = tile.places %m descending : tensor<64xf32> -> tensor<64xi32>
  tile.store %b, %y[0, 0] : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}
