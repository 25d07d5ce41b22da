// RUN: tarn-opt %s --tarn-build-step --tarn-verify-step | FileCheck %s
// Micro-batches that are parts of one batch: what each draws is its part of one
// draw, the key goes on once a step, and the count of a metric is of all rows.

func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @step_micro(
// CHECK-SAME: %[[KEY:[^:]*]]: tensor<2xi32> {tarn.name = "rng.key", tarn.role = "rng"}
// CHECK-SAME: tarn.name = "accumulator.hits"
// CHECK-SAME: tarn.name = "accumulator.hits.count"
// CHECK-SAME: tarn.name = "accumulator.loss"
// CHECK-SAME: tarn.name = "w.grad"
// CHECK-SAME: %[[PART:[^:]*]]: tensor<i32> {tarn.name = "accumulator.part", tarn.role = "accumulator"}
// A draw that all rows share stays whole. The loss is a sum, and has no count.
// CHECK: %[[EACH:.*]] = tarn.constant dense<[16, 0]> : tensor<2xi32>
// CHECK: %[[PARTS:.*]] = tarn.broadcast %[[PART]]
// CHECK: %[[START:.*]] = tarn.mul %[[PARTS]], %[[EACH]] : tensor<2xi32>
// CHECK: tarn.random_uniform %[[KEY]] start %[[START]] salt = 5 : tensor<16xf32>
// CHECK: tarn.random_uniform %[[KEY]] salt = 6 : tensor<f32>
// CHECK: tarn.add %[[PART]], %{{.*}} : tensor<i32>
// CHECK-LABEL: func.func @step(
// CHECK-NOT: "accumulator.count"
// CHECK: tarn.constant dense<0> : tensor<i32>
// CHECK: tarn.constant dense<[0, 1]> : tensor<2xi32>
func.func @step(%x: tensor<16xf32> {tarn.name = "x", tarn.role = "input", tarn.parts = 4 : i64},
                %w: tensor<16xf32> {tarn.name = "w", tarn.role = "parameter"},
                %key: tensor<2xi32> {tarn.name = "rng.key", tarn.role = "rng"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss", tarn.adds},
        tensor<f32> {tarn.name = "hits", tarn.role = "metric"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", accumulate = 4 : i64, parts,
                rate = @rate}} {
  %draw = tarn.random_uniform %key salt = 5 {tarn.part} : tensor<16xf32>
  %one = tarn.random_uniform %key salt = 6 : tensor<f32>
  %z = tarn.mul %x, %w : tensor<16xf32>
  %y = tarn.mul %z, %draw : tensor<16xf32>
  %sum = tarn.reduce_sum %y dims = [0] : tensor<16xf32>
  %loss = tarn.mul %sum, %one : tensor<f32>
  %count = tarn.reduce_sum %x dims = [0] : tensor<16xf32>
  %hits = tarn.ratio %sum, %count : tensor<f32>
  return %loss, %hits : tensor<f32>, tensor<f32>
}
