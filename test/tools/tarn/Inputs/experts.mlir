// Experts as products with a matrix per position: every expert sees every
// token, and a router weighs what they make. 128 tokens, width 64, 8 experts
// of 256 features.
module @experts {
  func.func @step(%x: tensor<128x64xf32> {tarn.name = "x", tarn.role = "input"},
                  %router: tensor<64x8xf32> {tarn.name = "router", tarn.role = "parameter"},
                  %up: tensor<8x64x256xf32> {tarn.name = "up", tarn.role = "parameter"},
                  %down: tensor<8x256x64xf32> {tarn.name = "down", tarn.role = "parameter"})
      -> (tensor<f32> {tarn.name = "loss", tarn.role = "loss"})
      attributes {tarn.kind = "train", tarn.train = {optimizer = "adamw", rate = @schedule.step}} {
    %scores = tarn.dot %x, %router : tensor<128x64xf32>, tensor<64x8xf32> -> tensor<128x8xf32>
    %gates = tarn.softmax %scores dim = 1 : tensor<128x8xf32>
    %all = tarn.broadcast %x dims = [1, 2] : tensor<128x64xf32> -> tensor<8x128x64xf32>
    %wide = tarn.dot %all, %up : tensor<8x128x64xf32>, tensor<8x64x256xf32> -> tensor<8x128x256xf32>
    %active = tarn.relu %wide : tensor<8x128x256xf32>
    %made = tarn.dot %active, %down : tensor<8x128x256xf32>, tensor<8x256x64xf32> -> tensor<8x128x64xf32>
    %byExpert = tarn.transpose %gates permutation = [1, 0] : tensor<128x8xf32>
    %weights = tarn.broadcast %byExpert dims = [0, 1] : tensor<8x128xf32> -> tensor<8x128x64xf32>
    %weighed = tarn.mul %made, %weights : tensor<8x128x64xf32>
    %mixed = tarn.reduce_sum %weighed dims = [0] : tensor<8x128x64xf32>
    %squares = tarn.mul %mixed, %mixed : tensor<128x64xf32>
    %loss = tarn.reduce_sum %squares dims = [0, 1] : tensor<128x64xf32>
    return %loss : tensor<f32>
  }
  func.func private @schedule.step(%step: tensor<i32>) -> tensor<f32> {
    %rate = tarn.constant dense<1.0e-3> : tensor<f32>
    return %rate : tensor<f32>
  }
}
