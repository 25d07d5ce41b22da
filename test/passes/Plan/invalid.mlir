// RUN: tarn-opt %s --tarn-plan-memory --split-input-file --verify-diagnostics

func.func @no_kernel(%x: tensor<16xf32> {tarn.name = "x", tarn.role = "input"})
    -> (tensor<16xf32> {tarn.name = "y", tarn.role = "output"}) attributes {tarn.kind = "forward"} {
  // expected-error @below {{is in no kernel}}
  %y = tarn.tanh %x : tensor<16xf32>
  return %y : tensor<16xf32>
}
