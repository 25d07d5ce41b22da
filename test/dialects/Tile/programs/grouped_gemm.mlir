// RUN: sed 's/@TOKENS@/50/g;s/@P@/90/g;s/@BOUND@/160/g;s/@E@/5/g;s/@E1@/6/g;s/@K@/40/g;s/@N@/24/g;s/@BM@/16/g;s/@BN@/16/g;s/@BK@/16/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// Grouped GEMM of a mixture of experts: Y[p] = X[perm[p]] W[expert of p], rows
// sorted by expert, expert e has rows offsets[e] to offsets[e + 1]. Each block
// finds its expert and rows from the offsets: an expert takes as many blocks as
// it needs, so the grid is a bound (rows + experts * (BM - 1)) and blocks
// beyond the rows do nothing.

// CHECK-LABEL: tile.kernel @grouped_gemm
// CHECK: %[[FOUND:.*]]:4 = scf.for
// CHECK: tile.load_scalar
// CHECK: scf.if
// CHECK: tile.gather {{.*}} rows(
// CHECK: tile.load %{{.*}}[%[[FOUND]]#0, %{{.*}}, %{{.*}}]
// CHECK: tile.scatter {{.*}} rows(
tile.kernel @grouped_gemm(
    %X: memref<@TOKENS@x@K@xf32>, %perm: memref<@P@xi32>,
    %offsets: memref<@E1@xi32>, %W: memref<@E@x@K@x@N@xf32>,
    %Y: memref<@P@x@N@xf32>)
    access ["read", "read", "read", "read", "write"]
    grid (%b = @BOUND@ by @BM@, %n = @N@ by @BN@) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant -1 : index
  %experts = arith.constant @E@ : index
  %bm = arith.constant @BM@ : index
  %found:4 = scf.for %e = %c0 to %experts step %c1
      iter_args(%expert = %none, %row = %c0, %end = %c0, %first = %c0)
      -> (index, index, index, index) {
    %e1 = arith.addi %e, %c1 : index
    %lo32 = tile.load_scalar %offsets[%e] : memref<@E1@xi32>
    %hi32 = tile.load_scalar %offsets[%e1] : memref<@E1@xi32>
    %lo = arith.index_cast %lo32 : i32 to index
    %hi = arith.index_cast %hi32 : i32 to index
    %size = arith.subi %hi, %lo : index
    %blocks = arith.ceildivsi %size, %bm : index
    %taken = arith.muli %blocks, %bm : index
    %next = arith.addi %first, %taken : index
    %after = arith.cmpi sge, %b, %first : index
    %before = arith.cmpi slt, %b, %next : index
    %mine = arith.andi %after, %before : i1
    %in = arith.subi %b, %first : index
    %start = arith.addi %lo, %in : index
    %expert1 = arith.select %mine, %e, %expert : index
    %row1 = arith.select %mine, %start, %row : index
    %end1 = arith.select %mine, %hi, %end : index
    scf.yield %expert1, %row1, %end1, %next : index, index, index, index
  }
  %any = arith.cmpi sge, %found#0, %c0 : index
  scf.if %any {
    // Rows of the next expert are not this block's.
    %number = tile.iota %found#1 axis 0 : tensor<@BM@xi32>
    %end32 = arith.index_cast %found#2 : index to i32
    %limit = tile.splat %end32 : tensor<@BM@xi32>
    %mine = arith.cmpi slt, %number, %limit : tensor<@BM@xi32>
    %no = arith.constant dense<-1> : tensor<@BM@xi32>
    %token = tile.load %perm[%found#1] {pad = -1 : i32} : memref<@P@xi32> -> tensor<@BM@xi32>
    %from = arith.select %mine, %token, %no : tensor<@BM@xi1>, tensor<@BM@xi32>
    %into = arith.select %mine, %number, %no : tensor<@BM@xi1>, tensor<@BM@xi32>
    %k_end = arith.constant @K@ : index
    %bk = arith.constant @BK@ : index
    %zero = arith.constant dense<0.0> : tensor<@BM@x@BN@xf32>
    %acc = scf.for %k = %c0 to %k_end step %bk
        iter_args(%sum = %zero) -> tensor<@BM@x@BN@xf32> {
      %x = tile.gather %X[0, %k] rows(%from)
          : memref<@TOKENS@x@K@xf32>, tensor<@BM@xi32> -> tensor<@BM@x@BK@xf32>
      %w = tile.load %W[%found#0, %k, %n]
          : memref<@E@x@K@x@N@xf32> -> tensor<@BK@x@BN@xf32>
      %d = tile.dot %x, %w, %sum
          : tensor<@BM@x@BK@xf32>, tensor<@BK@x@BN@xf32> -> tensor<@BM@x@BN@xf32>
      scf.yield %d : tensor<@BM@x@BN@xf32>
    }
    tile.scatter %acc, %Y[0, %n] rows(%into)
        : tensor<@BM@x@BN@xf32>, memref<@P@x@N@xf32>, tensor<@BM@xi32>
  }
  tile.return
}
