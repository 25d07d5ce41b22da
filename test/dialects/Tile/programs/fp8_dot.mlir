// RUN: sed 's/@M@/40/g;s/@N@/70/g;s/@K@/56/g;s/@S@/16/g;s/@KS@/4/g;s/@NS@/5/g;s/@BM@/16/g;s/@BN@/32/g;s/@BNS@/2/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// RUN: sed 's/@M@/1024/g;s/@N@/3072/g;s/@K@/768/g;s/@S@/128/g;s/@KS@/6/g;s/@NS@/24/g;s/@BM@/128/g;s/@BN@/128/g;s/@BNS@/1/g' %s | tarn-opt | FileCheck %s
// Block-scaled FP8: C = A B^T, A has a scale per row and @S@ of K, B a scale per
// @S@ x @S@. Every block of K is promoted to the f32 accumulator.

// CHECK-LABEL: tile.kernel @fp8_dot
// CHECK: tile.dot_scaled {{.*}} {transpose_b} : tensor<{{.*}}xf8E4M3FN>
tile.kernel @fp8_dot(%A: memref<@M@x@K@xf8E4M3FN>, %SA: memref<@M@x@KS@xf32>,
                     %B: memref<@N@x@K@xf8E4M3FN>, %SB: memref<@NS@x@KS@xf32>,
                     %C: memref<@M@x@N@xbf16>)
    access ["read", "read", "read", "read", "write"]
    grid (%m = @M@ by @BM@, %n = @N@ by @BN@) {
  %from = arith.constant 0 : index
  %to = arith.constant @K@ : index
  %step = arith.constant @S@ : index
  %zero = arith.constant dense<0.0> : tensor<@BM@x@BN@xf32>
  %ns = arith.divui %n, %step : index
  %acc = scf.for %k = %from to %to step %step
      iter_args(%sum = %zero) -> tensor<@BM@x@BN@xf32> {
    %ks = arith.divui %k, %step : index
    %a = tile.load %A[%m, %k] : memref<@M@x@K@xf8E4M3FN> -> tensor<@BM@x@S@xf8E4M3FN>
    %b = tile.load %B[%n, %k] : memref<@N@x@K@xf8E4M3FN> -> tensor<@BN@x@S@xf8E4M3FN>
    %sa = tile.load %SA[%m, %ks] : memref<@M@x@KS@xf32> -> tensor<@BM@x1xf32>
    %sb = tile.load %SB[%ns, %ks] : memref<@NS@x@KS@xf32> -> tensor<@BNS@x1xf32>
    %d = tile.dot_scaled %a scale %sa, %b scale %sb, %sum {transpose_b}
        : tensor<@BM@x@S@xf8E4M3FN>, tensor<@BM@x1xf32>,
          tensor<@BN@x@S@xf8E4M3FN>, tensor<@BNS@x1xf32> -> tensor<@BM@x@BN@xf32>
    scf.yield %d : tensor<@BM@x@BN@xf32>
  }
  %c = arith.truncf %acc : tensor<@BM@x@BN@xf32> to tensor<@BM@x@BN@xbf16>
  tile.store %c, %C[%m, %n] : tensor<@BM@x@BN@xbf16>, memref<@M@x@N@xbf16>
  tile.return
}
