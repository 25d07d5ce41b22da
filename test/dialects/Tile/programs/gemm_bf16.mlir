// RUN: sed 's/@M@/100/g;s/@N@/90/g;s/@K@/40/g;s/@BM@/32/g;s/@BN@/64/g;s/@BK@/16/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// RUN: sed 's/@M@/1024/g;s/@N@/3072/g;s/@K@/768/g;s/@BM@/128/g;s/@BN@/128/g;s/@BK@/64/g' %s | tarn-opt | FileCheck %s
// The program of gemm.mlir in bf16 with both operands contiguous along K: only
// element types, casts, sizes and the flag of the dot differ.

// CHECK-LABEL: tile.kernel @gemm
// CHECK: tile.dot {{.*}} {transpose_b} : tensor<{{.*}}xbf16>
// CHECK: arith.truncf
tile.kernel @gemm(%A: memref<@M@x@K@xbf16>, %B: memref<@N@x@K@xbf16>,
                  %bias: memref<@N@xf32>, %C: memref<@M@x@N@xbf16>)
    access ["read", "read", "read", "write"]
    grid (%m = @M@ by @BM@, %n = @N@ by @BN@) {
  %from = arith.constant 0 : index
  %to = arith.constant @K@ : index
  %step = arith.constant @BK@ : index
  %zero = arith.constant dense<0.0> : tensor<@BM@x@BN@xf32>
  %acc = scf.for %k = %from to %to step %step
      iter_args(%sum = %zero) -> tensor<@BM@x@BN@xf32> {
    %a = tile.load %A[%m, %k] : memref<@M@x@K@xbf16> -> tensor<@BM@x@BK@xbf16>
    %b = tile.load %B[%n, %k] : memref<@N@x@K@xbf16> -> tensor<@BN@x@BK@xbf16>
    %d = tile.dot %a, %b, %sum {transpose_b}
        : tensor<@BM@x@BK@xbf16>, tensor<@BN@x@BK@xbf16> -> tensor<@BM@x@BN@xf32>
    scf.yield %d : tensor<@BM@x@BN@xf32>
  }
  %bias_n = tile.load %bias[%n] : memref<@N@xf32> -> tensor<@BN@xf32>
  %bias_mn = tile.broadcast %bias_n axis 0 : tensor<@BN@xf32> -> tensor<@BM@x@BN@xf32>
  %x = arith.addf %acc, %bias_mn : tensor<@BM@x@BN@xf32>
  %cubic = arith.constant dense<0.044715> : tensor<@BM@x@BN@xf32>
  %scale = arith.constant dense<-1.5957691216> : tensor<@BM@x@BN@xf32>
  %one = arith.constant dense<1.0> : tensor<@BM@x@BN@xf32>
  %x2 = arith.mulf %x, %x : tensor<@BM@x@BN@xf32>
  %x3 = arith.mulf %x2, %x : tensor<@BM@x@BN@xf32>
  %inner = math.fma %x3, %cubic, %x : tensor<@BM@x@BN@xf32>
  %scaled = arith.mulf %inner, %scale : tensor<@BM@x@BN@xf32>
  %e = math.exp %scaled : tensor<@BM@x@BN@xf32>
  %e1 = arith.addf %e, %one : tensor<@BM@x@BN@xf32>
  %y = arith.divf %x, %e1 : tensor<@BM@x@BN@xf32>
  %c = arith.truncf %y : tensor<@BM@x@BN@xf32> to tensor<@BM@x@BN@xbf16>
  tile.store %c, %C[%m, %n] : tensor<@BM@x@BN@xbf16>, memref<@M@x@N@xbf16>
  tile.return
}
