// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s --check-prefix=CPU
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu},cse)' | FileCheck %s --check-prefix=GPU
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu architecture=sm_90a},cse)' | FileCheck %s --check-prefix=HOPPER
// Blocks are those of a core or those of a multiprocessor.

// CPU-NOT: tarn.machine
// GPU: module attributes {tarn.machine = "gpu"}

// Elementwise: 4096 elements for the threads of a block.
// CPU: tile.kernel @k_exp(
// CPU-NEXT: access {{.*}} grid (%{{.*}} = 1048576 by 16384)
// GPU: tile.kernel @k_exp(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 1048576 by 4096)
func.func @elementwise(%x: tensor<1048576xf32>) -> tensor<1048576xf32> {
  %e = tarn.exp %x : tensor<1048576xf32>
  return %e : tensor<1048576xf32>
}

// Rows: a power of two of them, one if they are long.
// CPU: tile.kernel @k_row_add(
// CPU-NEXT: access {{.*}} grid (%{{.*}} = 1000 by 21)
// GPU: tile.kernel @k_row_add(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 1000 by 4)
func.func @rows(%x: tensor<1000x768xf32>) -> tensor<1000x768xf32> {
  %s = tarn.reduce_sum %x dims = [1] : tensor<1000x768xf32>
  %b = tarn.broadcast %s dims = [0] : tensor<1000xf32> -> tensor<1000x768xf32>
  %a = tarn.add %b, %x : tensor<1000x768xf32>
  return %a : tensor<1000x768xf32>
}
// CPU: tile.kernel @k_row_reduce_sum(
// CPU-NEXT: access {{.*}} grid (%{{.*}} = 96 by 1)
// GPU: tile.kernel @k_row_reduce_sum(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 96 by 1)
func.func @long_rows(%x: tensor<96x16384xf32>) -> tensor<96xf32> {
  %s = tarn.reduce_sum %x dims = [1] : tensor<96x16384xf32>
  return %s : tensor<96xf32>
}

// Products: 128 x 128, and 128 bytes of the depth at a time.
// CPU: tile.kernel @k_dot(
// CPU-NEXT: access {{.*}} grid (%{{.*}} = 2304 by 256, %{{.*}} = 4096 by 128)
// GPU: tile.kernel @k_dot(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 2304 by 128, %{{.*}} = 4096 by 128)
// Where wgmma takes the kernel, blocks are wider: 4.4 waves of 128 x 128, or 2
// of 192 x 192.
// HOPPER: module attributes {tarn.machine = "sm_90a"}
// HOPPER: tile.kernel @k_dot(
// HOPPER-NEXT: access {{.*}} grid (%{{.*}} = 2304 by 192, %{{.*}} = 4096 by 192)
// GPU: tile.load %{{.*}} -> tensor<128x64xbf16>
func.func @large(%a: tensor<4096x768xbf16>, %b: tensor<768x2304xbf16>) -> tensor<4096x2304xbf16> {
  %d = tarn.dot %a, %b : tensor<4096x768xbf16>, tensor<768x2304xbf16> -> tensor<4096x2304xbf16>
  return %d : tensor<4096x2304xbf16>
}
// Halves where a device would idle; f32 has half as many terms in 128 bytes.
// GPU: tile.kernel @k_dot_{{[0-9]+}}(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 768 by 64, %{{.*}} = 512 by 64)
// GPU: tile.load %{{.*}} -> tensor<64x32xf32>
func.func @small(%a: tensor<512x768xf32>, %b: tensor<768x768xf32>) -> tensor<512x768xf32> {
  %d = tarn.dot %a, %b : tensor<512x768xf32>, tensor<768x768xf32> -> tensor<512x768xf32>
  return %d : tensor<512x768xf32>
}
// The depth's steps divide it; ragged rows are padded to what tensor cores take.
// GPU: tile.kernel @k_dot_{{[0-9]+}}(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 100 by 112, %{{.*}} = 40 by 48)
// GPU: tile.load %{{.*}} -> tensor<48x48xbf16>
func.func @ragged(%a: tensor<40x144xbf16>, %b: tensor<144x100xbf16>) -> tensor<40x100xbf16> {
  %d = tarn.dot %a, %b : tensor<40x144xbf16>, tensor<144x100xbf16> -> tensor<40x100xbf16>
  return %d : tensor<40x100xbf16>
}

// Attention: 128 queries and keys, 32 in f32.
// GPU: tile.kernel @k_attention(
// GPU: tile.dot %{{.*}} tensor<128x64xbf16>, tensor<128x64xbf16> -> tensor<128x128xf32>
func.func @attention(%q: tensor<2x4x256x64xbf16>) -> tensor<2x4x256x64xbf16> {
  %o, %l = tarn.attention %q, %q, %q scale = 0.125 : tensor<2x4x256x64xbf16>, tensor<2x4x256x64xbf16>, tensor<2x4x256x64xbf16>
  return %o : tensor<2x4x256x64xbf16>
}
// GPU: tile.kernel @k_attention_{{[0-9]+}}(
// GPU: tile.dot %{{.*}} tensor<32x64xf32>, tensor<32x64xf32> -> tensor<32x32xf32>
func.func @attention_f32(%q: tensor<2x4x256x64xf32>) -> tensor<2x4x256x64xf32> {
  %o, %l = tarn.attention %q, %q, %q scale = 0.125 : tensor<2x4x256x64xf32>, tensor<2x4x256x64xf32>, tensor<2x4x256x64xf32>
  return %o : tensor<2x4x256x64xf32>
}
