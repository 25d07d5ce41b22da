// RUN: sed 's/@H@/3/g;s/@T@/100/g;s/@D@/16/g;s/@BR@/16/g;s/@BC@/32/g;s/@SCALE@/0.25/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// RUN: sed 's/@H@/12/g;s/@T@/1024/g;s/@D@/64/g;s/@BR@/64/g;s/@BC@/64/g;s/@SCALE@/0.125/g' %s | tarn-opt | FileCheck %s
// Backward of causal flash attention in the form S^T = K Q^T: one block of
// keys; P^T and dS^T are left operands as they are, and only dQ needs a
// transposed one. L is the forward's, Delta the row sums of O dO. Blocks of keys
// run in order, so that dQ is summed in a fixed order. The loop starts at the
// block's own position with another step than the grid's tile, so its last
// tile may lie outside; loads pad with zero there.

// CHECK-LABEL: tile.kernel @attention_backward
// CHECK: grid (%{{.*}} = {{[0-9]+}} by 1, %[[J:.*]] = {{[0-9]+}} by {{[0-9]+}} sequential)
// CHECK: scf.for %{{.*}} = %[[J]] to
// CHECK-COUNT-4: tile.dot
// CHECK: tile.dot {{.*}} {transpose_a}
// CHECK: tile.accumulate {{.*}} along(%[[J]])
tile.kernel @attention_backward(
    %Q: memref<@H@x@T@x@D@xf32>, %K: memref<@H@x@T@x@D@xf32>,
    %V: memref<@H@x@T@x@D@xf32>, %dO: memref<@H@x@T@x@D@xf32>,
    %L: memref<@H@x@T@xf32>, %Delta: memref<@H@x@T@xf32>,
    %dQ: memref<@H@x@T@x@D@xf32>, %dK: memref<@H@x@T@x@D@xf32>,
    %dV: memref<@H@x@T@x@D@xf32>)
    access ["read", "read", "read", "read", "read", "read", "accumulate",
            "write", "write"]
    grid (%h = @H@ by 1, %j = @T@ by @BC@ sequential) {
  %end = arith.constant @T@ : index
  %br = arith.constant @BR@ : index
  %zt = arith.constant dense<0.0> : tensor<@BC@x@BR@xf32>
  %scale = arith.constant dense<@SCALE@> : tensor<@BC@x@BR@xf32>
  %masked = arith.constant dense<0xFF800000> : tensor<@BC@x@BR@xf32>
  %zd = arith.constant dense<0.0> : tensor<@BC@x@D@xf32>
  %zq = arith.constant dense<0.0> : tensor<@BR@x@D@xf32>
  %k = tile.load %K[%h, %j, 0] : memref<@H@x@T@x@D@xf32> -> tensor<@BC@x@D@xf32>
  %v = tile.load %V[%h, %j, 0] : memref<@H@x@T@x@D@xf32> -> tensor<@BC@x@D@xf32>
  %column = tile.iota %j axis 0 : tensor<@BC@x@BR@xi32>
  %g:2 = scf.for %i = %j to %end step %br iter_args(%gk = %zd, %gv = %zd)
      -> (tensor<@BC@x@D@xf32>, tensor<@BC@x@D@xf32>) {
    %q = tile.load %Q[%h, %i, 0] : memref<@H@x@T@x@D@xf32> -> tensor<@BR@x@D@xf32>
    %do = tile.load %dO[%h, %i, 0] : memref<@H@x@T@x@D@xf32> -> tensor<@BR@x@D@xf32>
    %l = tile.load %L[%h, %i] : memref<@H@x@T@xf32> -> tensor<@BR@xf32>
    %delta = tile.load %Delta[%h, %i] : memref<@H@x@T@xf32> -> tensor<@BR@xf32>
    %s0 = tile.dot %k, %q, %zt {transpose_b}
        : tensor<@BC@x@D@xf32>, tensor<@BR@x@D@xf32> -> tensor<@BC@x@BR@xf32>
    %dp = tile.dot %v, %do, %zt {transpose_b}
        : tensor<@BC@x@D@xf32>, tensor<@BR@x@D@xf32> -> tensor<@BC@x@BR@xf32>
    %s1 = arith.mulf %s0, %scale : tensor<@BC@x@BR@xf32>
    %row = tile.iota %i axis 1 : tensor<@BC@x@BR@xi32>
    %seen = arith.cmpi sle, %column, %row : tensor<@BC@x@BR@xi32>
    %s = arith.select %seen, %s1, %masked : tensor<@BC@x@BR@xi1>, tensor<@BC@x@BR@xf32>
    %lb = tile.broadcast %l axis 0 : tensor<@BR@xf32> -> tensor<@BC@x@BR@xf32>
    %c = arith.subf %s, %lb : tensor<@BC@x@BR@xf32>
    %p = math.exp %c : tensor<@BC@x@BR@xf32>
    %deltab = tile.broadcast %delta axis 0 : tensor<@BR@xf32> -> tensor<@BC@x@BR@xf32>
    %e = arith.subf %dp, %deltab : tensor<@BC@x@BR@xf32>
    %ds0 = arith.mulf %p, %e : tensor<@BC@x@BR@xf32>
    %ds = arith.mulf %ds0, %scale : tensor<@BC@x@BR@xf32>
    %gvn = tile.dot %p, %do, %gv
        : tensor<@BC@x@BR@xf32>, tensor<@BR@x@D@xf32> -> tensor<@BC@x@D@xf32>
    %gkn = tile.dot %ds, %q, %gk
        : tensor<@BC@x@BR@xf32>, tensor<@BR@x@D@xf32> -> tensor<@BC@x@D@xf32>
    %dq = tile.dot %ds, %k, %zq {transpose_a}
        : tensor<@BC@x@BR@xf32>, tensor<@BC@x@D@xf32> -> tensor<@BR@x@D@xf32>
    tile.accumulate %dq, %dQ[%h, %i, 0] along(%j)
        : tensor<@BR@x@D@xf32>, memref<@H@x@T@x@D@xf32>
    scf.yield %gkn, %gvn : tensor<@BC@x@D@xf32>, tensor<@BC@x@D@xf32>
  }
  tile.store %g#0, %dK[%h, %j, 0] : tensor<@BC@x@D@xf32>, memref<@H@x@T@x@D@xf32>
  tile.store %g#1, %dV[%h, %j, 0] : tensor<@BC@x@D@xf32>, memref<@H@x@T@x@D@xf32>
  tile.return
}
