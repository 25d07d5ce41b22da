// Who runs a product: the library where the program is a plain product that it
// takes, whatever made the program; a remark says so of each, or why not.
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu gemm=cublaslt architecture=sm_90a})' -o %t.mlir 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefix=IR < %t.mlir
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu architecture=sm_90a})' 2>&1 | FileCheck %s --check-prefix=OWN
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu gemm=cublaslt architecture=sm_80})' 2>&1 | FileCheck %s --check-prefix=AMPERE
// OWN-NOT: remark
// OWN-NOT: tile.library
// AMPERE: tile.library = {workspace = 4194304 : i64}
// IR: tarn.gemm = {workspace = 33554432 : i64}
// IR: tile.kernel @k_dot(
// IR-NEXT: tile.library = {workspace = 33554432 : i64}

// CHECK: remark: product 128 x 192 x 64 bf16 -> f32 by cuBLASLt, which was asked for
func.func @wide(%a: tensor<128x64xbf16>, %b: tensor<64x192xbf16>) -> tensor<128x192xf32> {
  %d = tarn.dot %a, %b : tensor<128x64xbf16>, tensor<64x192xbf16> -> tensor<128x192xf32>
  return %d : tensor<128x192xf32>
}
// CHECK: remark: product 128 x 192 x 320 f16 by cuBLASLt
func.func @transposed(%a: tensor<320x128xf16>, %b: tensor<192x320xf16>) -> tensor<128x192xf16> {
  %d = tarn.dot %a, %b transpose_a transpose_b : tensor<320x128xf16>, tensor<192x320xf16> -> tensor<128x192xf16>
  return %d : tensor<128x192xf16>
}
// CHECK: remark: product 6 times 32 x 48 x 16 f32 by cuBLASLt
func.func @batch(%a: tensor<2x3x32x16xf32>, %b: tensor<2x3x16x48xf32>) -> tensor<2x3x32x48xf32> {
  %d = tarn.dot %a, %b : tensor<2x3x32x16xf32>, tensor<2x3x16x48xf32> -> tensor<2x3x32x48xf32>
  return %d : tensor<2x3x32x48xf32>
}
// CHECK: remark: product 128 x 192 x 64 bf16 -> f32 + bias by cuBLASLt
func.func @bias(%a: tensor<128x64xbf16>, %b: tensor<64x192xbf16>, %c: tensor<192xf32>) -> tensor<128x192xf32> {
  %d = tarn.dot %a, %b : tensor<128x64xbf16>, tensor<64x192xbf16> -> tensor<128x192xf32>
  %e = tarn.broadcast %c dims = [1] : tensor<192xf32> -> tensor<128x192xf32>
  %f = tarn.add %d, %e : tensor<128x192xf32>
  return %f : tensor<128x192xf32>
}
// CHECK: remark: product 128 x 192 x 64 f32 + addend by cuBLASLt
func.func @sum(%a: tensor<128x64xf32>, %b: tensor<64x192xf32>, %c: tensor<128x192xf32>) -> tensor<128x192xf32> {
  %d = tarn.dot %a, %b : tensor<128x64xf32>, tensor<64x192xf32> -> tensor<128x192xf32>
  %f = tarn.add %c, %d : tensor<128x192xf32>
  return %f : tensor<128x192xf32>
}
// Rounded by the library, as the program would.
// CHECK: remark: product 128 x 192 x 64 tf32 -> f32 by cuBLASLt
func.func @tf32(%a: tensor<128x64xf32>, %b: tensor<64x192xf32>) -> tensor<128x192xf32> {
  %d = tarn.dot %a, %b {tf32} : tensor<128x64xf32>, tensor<64x192xf32> -> tensor<128x192xf32>
  return %d : tensor<128x192xf32>
}
// The vector runs along the rows.
// CHECK: remark: {{.*}} no candidate for cuBLASLt: its bias is no vector with an element for each column
func.func @rows(%a: tensor<128x64xf32>, %b: tensor<64x128xf32>, %c: tensor<128xf32>) -> tensor<128x128xf32> {
  %d = tarn.dot %a, %b : tensor<128x64xf32>, tensor<64x128xf32> -> tensor<128x128xf32>
  %e = tarn.broadcast %c dims = [0] : tensor<128xf32> -> tensor<128x128xf32>
  %f = tarn.add %d, %e : tensor<128x128xf32>
  return %f : tensor<128x128xf32>
}
// CHECK: remark: {{.*}} no candidate for cuBLASLt: it computes with its product before it stores it
func.func @exp(%a: tensor<128x64xf32>, %b: tensor<64x192xf32>) -> tensor<128x192xf32> {
  %d = tarn.dot %a, %b : tensor<128x64xf32>, tensor<64x192xf32> -> tensor<128x192xf32>
  %f = tarn.exp %d : tensor<128x192xf32>
  return %f : tensor<128x192xf32>
}
// CHECK: remark: {{.*}} no candidate for cuBLASLt: it stores several results
func.func @two(%a: tensor<128x64xf32>, %b: tensor<64x192xf32>) -> (tensor<128x192xf32>, tensor<128x192xf32>) {
  %d = tarn.dot %a, %b : tensor<128x64xf32>, tensor<64x192xf32> -> tensor<128x192xf32>
  %f = tarn.exp %d : tensor<128x192xf32>
  return %d, %f : tensor<128x192xf32>, tensor<128x192xf32>
}
// GPT-2's vocabulary.
// CHECK: remark: {{.*}} no candidate for cuBLASLt: the leading dim of the result, 50257 elements of f32, is no multiple of 16 bytes
func.func @vocabulary(%a: tensor<128x64xbf16>, %b: tensor<50257x64xbf16>) -> tensor<128x50257xf32> {
  %d = tarn.dot %a, %b transpose_b : tensor<128x64xbf16>, tensor<50257x64xbf16> -> tensor<128x50257xf32>
  return %d : tensor<128x50257xf32>
}
