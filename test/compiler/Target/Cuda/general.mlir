// What wgmma and TMA do not take goes the general way; so do all products on
// architectures without them.
// RUN: tarn-translate --tile-to-cuda --split-input-file %s | FileCheck %s
// RUN: tarn-translate --tile-to-cuda-launch --cuda-arch=sm_80 --split-input-file %s | FileCheck %s --check-prefix=LAUNCH

// A vector: neighbours of each thread in one access.
// CHECK-LABEL: SIMT_KERNEL(32)
// CHECK-NEXT: no_dots(
// CHECK: load_vector([[X:[a-z0-9_]+]], buffer_0 + c);
// CHECK: stored[e] = [[X]][e];
// CHECK: store_vector(buffer_1 + c, stored);
// LAUNCH: kernel no_dots
// LAUNCH-NEXT: blocks 1
// LAUNCH-NEXT: threads 32
// LAUNCH-NEXT: shared 0

tile.kernel @no_dots(%x: memref<64xf32>, %y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %t = tile.load %x[%i] : memref<64xf32> -> tensor<64xf32>
  tile.store %t, %y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}

// -----

// Products of f32 are sums of fma, in order.
// CHECK-LABEL: single_precision(
// CHECK: load_vector(left[p], &
// CHECK: fmaf(left[p][j], right[n][e], 
tile.kernel @single_precision(%a: memref<64x64xf32>, %b: memref<64x64xf32>,
                              %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  %x = tile.load %a[%i, 0] : memref<64x64xf32> -> tensor<64x64xf32>
  %y = tile.load %b[0, 0] : memref<64x64xf32> -> tensor<64x64xf32>
  %d = tile.dot %x, %y, %z : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.store %d, %c[%i, 0] : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

// Rows that TMA cannot take.
// CHECK-LABEL: pitch(
// CHECK: ldmatrix_x4(left, &
// CHECK: ldmatrix_x4_transposed(right, &
// CHECK: mma_m16n8k16_bf16(
tile.kernel @pitch(%a: memref<64x60xbf16>, %b: memref<64x64xbf16>,
                   %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  %x = tile.load %a[%i, 0] : memref<64x60xbf16> -> tensor<64x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %d = tile.dot %x, %y, %z : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  tile.store %d, %c[%i, 0] : tensor<64x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

// Rows that are no multiple of a warpgroup's: two warps of 16.
// CHECK-LABEL: SIMT_KERNEL(64)
// CHECK-NEXT: rows(
// CHECK: mma_m16n8k16_bf16(
tile.kernel @rows(%a: memref<64x64xbf16>, %b: memref<64x64xbf16>,
                  %c: memref<64x64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 32) {
  %z = arith.constant dense<0.0> : tensor<32x64xf32>
  %x = tile.load %a[%i, 0] : memref<64x64xbf16> -> tensor<32x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %d = tile.dot %x, %y, %z : tensor<32x64xbf16>, tensor<64x64xbf16> -> tensor<32x64xf32>
  tile.store %d, %c[%i, 0] : tensor<32x64xf32>, memref<64x64xf32>
  tile.return
}

// -----

// More accumulators than a warpgroup has registers for.
// CHECK-LABEL: registers(
// CHECK: mma_m16n8k16_bf16(
tile.kernel @registers(%a: memref<192x64xbf16>, %b: memref<64x256xbf16>,
                       %c: memref<192x256xf32>)
    access ["read", "read", "write"] grid (%i = 192 by 192) {
  %z = arith.constant dense<0.0> : tensor<192x256xf32>
  %x = tile.load %a[%i, 0] : memref<192x64xbf16> -> tensor<192x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x256xbf16> -> tensor<64x256xbf16>
  %d = tile.dot %x, %y, %z : tensor<192x64xbf16>, tensor<64x256xbf16> -> tensor<192x256xf32>
  tile.store %d, %c[%i, 0] : tensor<192x256xf32>, memref<192x256xf32>
  tile.return
}

// -----

// Sums of columns: in a thread, a warp, and from warp to warp.
// CHECK-LABEL: column_sum(
// CHECK: mma_m16n8k16_bf16(
// CHECK: warp_sum_from<4>(
// CHECK: __syncthreads();
// CHECK-NEXT: for (int c = thread; c < 64; c += 128) {
tile.kernel @column_sum(%a: memref<64x64xbf16>, %b: memref<64x64xbf16>,
                        %c: memref<64xf32>)
    access ["read", "read", "write"] grid (%i = 64 by 64) {
  %z = arith.constant dense<0.0> : tensor<64x64xf32>
  %x = tile.load %a[%i, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %y = tile.load %b[0, 0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %d = tile.dot %x, %y, %z : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  %s = tile.reduce sum %d axis 0 : tensor<64x64xf32>
  tile.store %s, %c[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
}
