// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse)' | FileCheck %s
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu},cse)' | FileCheck %s --check-prefix=GPU

// Backwards, what comes next is one further; behind the end there is nothing.
// CHECK-LABEL: tile.kernel @k_cumsum(
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[BEFORE:.*]] = %{{.*}}) -> (tensor<[[LINES:.*]]xf32>)
// CHECK: %[[AT:.*]] = arith.subi %{{.*}}, %[[I]] : index
// CHECK: %[[X:.*]] = tile.load %arg0[%{{.*}}, %{{.*}}]
// CHECK: %[[KEPT:.*]] = arith.select
// CHECK: %[[SUMS:.*]] = tile.scan %[[KEPT]] axis 1 reverse
// CHECK: %[[ALL:.*]] = arith.addf %{{.*}}, %[[SUMS]]
// CHECK: tile.store %[[ALL]], %arg1[%{{.*}}, %[[AT]]]
// CHECK: tile.reduce sum %[[KEPT]] axis 1
func.func @cumsum(%x: tensor<37x3000xf32>) -> tensor<37x3000xf32> {
  %r = tarn.cumsum %x dim = 1 reverse exclusive : tensor<37x3000xf32>
  return %r : tensor<37x3000xf32>
}

// A block sorts a row, and puts elements where they belong. Places that nobody
// asks for are not stored.
// CHECK-LABEL: tile.kernel @k_sort(
// CHECK-NEXT: access {{.*}} grid (%{{.*}} = 4 by 1, %{{.*}} = 300 by 300)
// CHECK: %[[PLACE:.*]] = tile.places %{{.*}} : tensor<300xf32> -> tensor<300xi32>
// CHECK-NOT: tile.store
// CHECK: tile.scatter %{{.*}}, %arg1[%{{.*}}, 0] rows(%[[PLACE]])
// CHECK: tile.scatter %{{.*}}, %arg2[%{{.*}}, 0] rows(%[[PLACE]])
func.func @sort(%x: tensor<4x300xf32>) -> (tensor<4x300xf32>, tensor<4x300xi32>) {
  %v, %i, %p = tarn.sort %x : tensor<4x300xf32>
  return %v, %i : tensor<4x300xf32>, tensor<4x300xi32>
}

// Elements of a short one count those before them.
// CHECK-LABEL: tile.kernel @k_sort_0(
// CHECK-NEXT: access {{.*}} grid (%{{.*}} = 4 by 1, %{{.*}} = 32 by 32)
// CHECK: scf.for
// CHECK: tile.reduce sum %{{.*}} axis 1 : tensor<32x32xi32>
// CHECK: tile.scatter %{{.*}}, %arg1[%{{.*}}, 0] rows(
func.func @short(%x: tensor<4x32xf32>) -> tensor<4x32xi32> {
  %v, %i, %p = tarn.sort %x : tensor<4x32xf32>
  return %i : tensor<4x32xi32>
}

// A row of what a GPU's block can hold is sorted there as well. Elements of a
// longer one count those before them.
// CHECK-LABEL: tile.kernel @k_sort_1(
// CHECK: tile.places %{{.*}} : tensor<8192xf32>
// GPU-LABEL: tile.kernel @k_sort_1(
// GPU: tile.places %{{.*}} : tensor<8192xf32>
func.func @fits(%x: tensor<8192xbf16>) -> tensor<8192xi32> {
  %v, %i, %p = tarn.sort %x : tensor<8192xbf16>
  return %i : tensor<8192xi32>
}

// CHECK-LABEL: tile.kernel @k_sort_2(
// CHECK: tile.places %{{.*}} : tensor<8193xf32>
// GPU-LABEL: tile.kernel @k_sort_2(
// GPU-NEXT: access {{.*}} grid (%{{.*}} = 8193 by 64)
// GPU: arith.cmpf uno
// GPU: scf.for
// GPU: arith.cmpf uno
// GPU: tile.reduce sum %{{.*}} axis 1 : tensor<64x128xi32>
// GPU-NOT: tile.store
// GPU: tile.scatter %{{.*}}, %arg1[0] rows(
func.func @too_long(%x: tensor<8193xf32>) -> tensor<8193xi32> {
  %v, %i, %p = tarn.sort %x : tensor<8193xf32>
  return %i : tensor<8193xi32>
}

// From the largest to the smallest, what is behind the end of a row is as the
// smallest number, and its own number puts it last.
// GPU-LABEL: tile.kernel @k_sort_3(
// GPU: arith.constant dense<-2147483648> : tensor<64xi32>
// GPU-NOT: arith.cmpf
// GPU: tile.return
func.func @numbers(%x: tensor<8193xi32>) -> tensor<8193xi32> {
  %v, %i, %p = tarn.sort %x descending : tensor<8193xi32>
  return %v : tensor<8193xi32>
}
