// RUN: sed 's/@H@/3/g;s/@T@/100/g;s/@D@/16/g;s/@BR@/32/g;s/@BC@/16/g;s/@SCALE@/0.25/g' %s | tarn-opt --verify-roundtrip | FileCheck %s
// RUN: sed 's/@H@/12/g;s/@T@/1024/g;s/@D@/128/g;s/@BR@/128/g;s/@BC@/128/g;s/@SCALE@/0.08838834764831845/g' %s | tarn-opt | FileCheck %s
// The program of attention_forward.mlir in bf16: P is rounded before the second
// dot, O before it is stored.

// CHECK-LABEL: tile.kernel @attention_forward
// CHECK: scf.for {{.*}} iter_args(
// CHECK: tile.dot {{.*}} {transpose_b}
// CHECK: tile.reduce max
// CHECK: tile.reduce sum
// CHECK: tile.dot
// CHECK: math.log
tile.kernel @attention_forward(
    %Q: memref<@H@x@T@x@D@xbf16>, %K: memref<@H@x@T@x@D@xbf16>,
    %V: memref<@H@x@T@x@D@xbf16>, %O: memref<@H@x@T@x@D@xbf16>,
    %L: memref<@H@x@T@xf32>)
    access ["read", "read", "read", "write", "write"]
    grid (%h = @H@ by 1, %i = @T@ by @BR@) {
  %c0 = arith.constant 0 : index
  %br = arith.constant @BR@ : index
  %bc = arith.constant @BC@ : index
  %zs = arith.constant dense<0.0> : tensor<@BR@x@BC@xf32>
  %scale = arith.constant dense<@SCALE@> : tensor<@BR@x@BC@xf32>
  %masked = arith.constant dense<0xFF800000> : tensor<@BR@x@BC@xf32>
  %m0 = arith.constant dense<0xFF800000> : tensor<@BR@xf32>
  %l0 = arith.constant dense<0.0> : tensor<@BR@xf32>
  %o0 = arith.constant dense<0.0> : tensor<@BR@x@D@xf32>
  %q = tile.load %Q[%h, %i, 0] : memref<@H@x@T@x@D@xbf16> -> tensor<@BR@x@D@xbf16>
  %row = tile.iota %i axis 0 : tensor<@BR@x@BC@xi32>
  %end = arith.addi %i, %br : index
  %r:3 = scf.for %j = %c0 to %end step %bc
      iter_args(%m = %m0, %l = %l0, %o = %o0)
      -> (tensor<@BR@xf32>, tensor<@BR@xf32>, tensor<@BR@x@D@xf32>) {
    %k = tile.load %K[%h, %j, 0] : memref<@H@x@T@x@D@xbf16> -> tensor<@BC@x@D@xbf16>
    %s0 = tile.dot %q, %k, %zs {transpose_b}
        : tensor<@BR@x@D@xbf16>, tensor<@BC@x@D@xbf16> -> tensor<@BR@x@BC@xf32>
    %s1 = arith.mulf %s0, %scale : tensor<@BR@x@BC@xf32>
    %column = tile.iota %j axis 1 : tensor<@BR@x@BC@xi32>
    %seen = arith.cmpi sle, %column, %row : tensor<@BR@x@BC@xi32>
    %s = arith.select %seen, %s1, %masked : tensor<@BR@x@BC@xi1>, tensor<@BR@x@BC@xf32>
    %rm = tile.reduce max %s axis 1 : tensor<@BR@x@BC@xf32>
    %n = arith.maximumf %m, %rm : tensor<@BR@xf32>
    %dm = arith.subf %m, %n : tensor<@BR@xf32>
    %a = math.exp %dm : tensor<@BR@xf32>
    %nb = tile.broadcast %n axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@BC@xf32>
    %c = arith.subf %s, %nb : tensor<@BR@x@BC@xf32>
    %p = math.exp %c : tensor<@BR@x@BC@xf32>
    %rs = tile.reduce sum %p axis 1 : tensor<@BR@x@BC@xf32>
    %ln = math.fma %l, %a, %rs : tensor<@BR@xf32>
    %v = tile.load %V[%h, %j, 0] : memref<@H@x@T@x@D@xbf16> -> tensor<@BC@x@D@xbf16>
    %ab = tile.broadcast %a axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@D@xf32>
    %oa = arith.mulf %o, %ab : tensor<@BR@x@D@xf32>
    %pb = arith.truncf %p : tensor<@BR@x@BC@xf32> to tensor<@BR@x@BC@xbf16>
    %on = tile.dot %pb, %v, %oa
        : tensor<@BR@x@BC@xbf16>, tensor<@BC@x@D@xbf16> -> tensor<@BR@x@D@xf32>
    scf.yield %n, %ln, %on : tensor<@BR@xf32>, tensor<@BR@xf32>, tensor<@BR@x@D@xf32>
  }
  %lb = tile.broadcast %r#1 axis 1 : tensor<@BR@xf32> -> tensor<@BR@x@D@xf32>
  %y = arith.divf %r#2, %lb : tensor<@BR@x@D@xf32>
  %yb = arith.truncf %y : tensor<@BR@x@D@xf32> to tensor<@BR@x@D@xbf16>
  tile.store %yb, %O[%h, %i, 0] : tensor<@BR@x@D@xbf16>, memref<@H@x@T@x@D@xbf16>
  %log = math.log %r#1 : tensor<@BR@xf32>
  %lse = arith.addf %r#0, %log : tensor<@BR@xf32>
  tile.store %lse, %L[%h, %i] : tensor<@BR@xf32>, memref<@H@x@T@xf32>
  tile.return
}
