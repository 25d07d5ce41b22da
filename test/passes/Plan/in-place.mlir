// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-memory)' | FileCheck %s
// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles,cse,tarn-plan-memory{in-place=false})' | FileCheck %s --check-prefix=APART

// A softmax's exponentials lie over the scores, though every sweep before the
// last reads these too.
// CHECK-LABEL: step.program @rows.program
// CHECK: step.launch @k_dot blocks(1) (input[0 for 1024], arena[0 for 1024])
// CHECK: step.launch @k_row_reduce_sum{{[_0-9]*}} blocks(1) (arena[0 for 1024], arena[0 for 1024], arena[2048 for 64])

// APART-LABEL: step.program @rows.program
// APART: step.launch @k_row_reduce_sum{{[_0-9]*}} blocks(1) (arena[1024 for 1024], arena[0 for 1024], arena[2048 for 64])

// Scores that are read later stay where they are.
// CHECK-LABEL: step.program @later.program
// CHECK: step.launch @k_row_reduce_sum{{[_0-9]*}} blocks(1) (arena[0 for 1024], arena[1024 for 1024], arena[3072 for 64])
func.func @rows(%x: tensor<16x16xf32> {tarn.name = "x", tarn.role = "input"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "eval"} {
  %d = tarn.dot %x, %x : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %m = tarn.reduce_max %d dims = [1] : tensor<16x16xf32>
  %b = tarn.broadcast %m dims = [0] : tensor<16xf32> -> tensor<16x16xf32>
  %c = tarn.sub %d, %b : tensor<16x16xf32>
  %e = tarn.exp %c : tensor<16x16xf32>
  %s = tarn.reduce_sum %e dims = [1] : tensor<16x16xf32>
  %t = tarn.broadcast %s dims = [0] : tensor<16xf32> -> tensor<16x16xf32>
  %q = tarn.div %e, %t : tensor<16x16xf32>
  %f = tarn.dot %q, %q : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %l = tarn.reduce_sum %f dims = [0, 1] : tensor<16x16xf32>
  return %l : tensor<f32>
}

func.func @later(%x: tensor<16x16xf32> {tarn.name = "x", tarn.role = "input"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "eval"} {
  %d = tarn.dot %x, %x : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %m = tarn.reduce_max %d dims = [1] : tensor<16x16xf32>
  %b = tarn.broadcast %m dims = [0] : tensor<16xf32> -> tensor<16x16xf32>
  %c = tarn.sub %d, %b : tensor<16x16xf32>
  %e = tarn.exp %c : tensor<16x16xf32>
  %s = tarn.reduce_sum %e dims = [1] : tensor<16x16xf32>
  %t = tarn.broadcast %s dims = [0] : tensor<16xf32> -> tensor<16x16xf32>
  %q = tarn.div %e, %t : tensor<16x16xf32>
  %f = tarn.dot %q, %d : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %l = tarn.reduce_sum %f dims = [0, 1] : tensor<16x16xf32>
  return %l : tensor<f32>
}
