// RUN: tarn-opt %s --tarn-build-step --tarn-verify-step --split-input-file --verify-diagnostics
// What cannot become a step is an error at its source.

func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %r = tarn.constant dense<0.1> : tensor<f32>
  return %r : tensor<f32>
}
// expected-error @below {{no trained parameter matches the pattern `**.bias`}}
func.func @pattern_matches_nothing(
    // expected-note @below {{a parameter is called, for example, `w`}}
    %w: tensor<4xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", rate = @rate,
                groups = [{patterns = ["**.bias"], decay = 0.0 : f64}]}} {
  %0 = tarn.reduce_sum %w dims = [0] : tensor<4xf32>
  return %0 : tensor<f32>
}

// -----

func.func @loss_is_a_vector(%w: tensor<4xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<4xf32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd"}} {
  // expected-error @below {{the loss must be one number, not 'tensor<4xf32>'}}
  %0 = tarn.neg %w : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error @below {{unknown optimizer `adam`; there are adamw and sgd}}
func.func @unknown_optimizer(%w: tensor<4xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "adam"}} {
  %0 = tarn.reduce_sum %w dims = [0] : tensor<4xf32>
  return %0 : tensor<f32>
}

// -----

// expected-error @below {{result 0 updates the state `s`, which is no argument}}
func.func @update_of_nothing(%x: tensor<f32> {tarn.name = "x", tarn.role = "input"})
    -> (tensor<f32> {tarn.name = "s", tarn.role = "state"}) attributes {tarn.kind = "eval"} {
  return %x : tensor<f32>
}

// -----

// expected-note @below {{choose dimensions of which the product is a multiple of 16}}
func.func @micro_batch_is_not_aligned(
    // expected-error @below {{a micro-batch takes a multiple of 64 bytes; `x` has 20}}
    %x: tensor<5xf32> {tarn.name = "x", tarn.role = "input"},
    %w: tensor<5xf32> {tarn.name = "w", tarn.role = "parameter"})
    -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
    attributes {tarn.kind = "train", tarn.train = {optimizer = "sgd", accumulate = 2 : i64}} {
  %0 = tarn.mul %x, %w : tensor<5xf32>
  %1 = tarn.reduce_sum %0 dims = [0] : tensor<5xf32>
  return %1 : tensor<f32>
}
