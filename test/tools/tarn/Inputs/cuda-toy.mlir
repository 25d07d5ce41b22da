// A product with a fused epilogue, and a softmax: planned, for the CUDA targets.
module @toy {
tile.kernel @k_gemm(%A: memref<200x320xbf16>, %B: memref<96x320xbf16>,
                  %bias: memref<96xf32>, %C: memref<200x96xbf16>)
    access ["read", "read", "read", "write"]
    grid (%m = 200 by 128, %n = 96 by 96) {
  %from = arith.constant 0 : index
  %to = arith.constant 320 : index
  %step = arith.constant 64 : index
  %zero = arith.constant dense<0.0> : tensor<128x96xf32>
  %acc = scf.for %k = %from to %to step %step
      iter_args(%sum = %zero) -> tensor<128x96xf32> {
    %a = tile.load %A[%m, %k] : memref<200x320xbf16> -> tensor<128x64xbf16>
    %b = tile.load %B[%n, %k] : memref<96x320xbf16> -> tensor<96x64xbf16>
    %d = tile.dot %a, %b, %sum {transpose_b}
        : tensor<128x64xbf16>, tensor<96x64xbf16> -> tensor<128x96xf32>
    scf.yield %d : tensor<128x96xf32>
  }
  %bias_n = tile.load %bias[%n] : memref<96xf32> -> tensor<96xf32>
  %bias_mn = tile.broadcast %bias_n axis 0 : tensor<96xf32> -> tensor<128x96xf32>
  %x = arith.addf %acc, %bias_mn : tensor<128x96xf32>
  %cubic = arith.constant dense<0.044715> : tensor<128x96xf32>
  %scale = arith.constant dense<-1.5957691216> : tensor<128x96xf32>
  %one = arith.constant dense<1.0> : tensor<128x96xf32>
  %x2 = arith.mulf %x, %x : tensor<128x96xf32>
  %x3 = arith.mulf %x2, %x : tensor<128x96xf32>
  %inner = math.fma %x3, %cubic, %x : tensor<128x96xf32>
  %scaled = arith.mulf %inner, %scale : tensor<128x96xf32>
  %e = math.exp %scaled : tensor<128x96xf32>
  %e1 = arith.addf %e, %one : tensor<128x96xf32>
  %y = arith.divf %x, %e1 : tensor<128x96xf32>
  %c = arith.truncf %y : tensor<128x96xf32> to tensor<128x96xbf16>
  tile.store %c, %C[%m, %n] : tensor<128x96xbf16>, memref<200x96xbf16>
  tile.return
}
tile.kernel @k_softmax(%X: memref<50x60xf32>, %Y: memref<50x60xf32>)
    access ["read", "write"] grid (%r = 50 by 8) {
  %x = tile.load %X[%r, 0] {pad = -3.0e+38 : f32}
      : memref<50x60xf32> -> tensor<8x64xf32>
  %m = tile.reduce max %x axis 1 : tensor<8x64xf32>
  %mb = tile.broadcast %m axis 1 : tensor<8xf32> -> tensor<8x64xf32>
  %c = arith.subf %x, %mb : tensor<8x64xf32>
  %e = math.exp %c : tensor<8x64xf32>
  %s = tile.reduce sum %e axis 1 : tensor<8x64xf32>
  %one = arith.constant dense<1.0> : tensor<8xf32>
  %q = arith.divf %one, %s : tensor<8xf32>
  %qb = tile.broadcast %q axis 1 : tensor<8xf32> -> tensor<8x64xf32>
  %y = arith.mulf %e, %qb : tensor<8x64xf32>
  tile.store %y, %Y[%r, 0] : tensor<8x64xf32>, memref<50x60xf32>
  tile.return
}

step.program @run.program arena(0) input(201856) output(50432)
    attributes {tarn.function = "run", tarn.kind = "forward"} {
  step.bind "a" role "input" input[0 for 128000] : tensor<200x320xbf16>
  step.bind "b" role "input" input[128000 for 61440] : tensor<96x320xbf16>
  step.bind "bias" role "input" input[189440 for 384] : tensor<96xf32>
  step.bind "x" role "input" input[189824 for 12000] : tensor<50x60xf32>
  step.bind "c" role "output" output[0 for 38400] : tensor<200x96xbf16>
  step.bind "y" role "output" output[38400 for 12000] : tensor<50x60xf32>
  step.live "a" role "input" input[0 for 128000] steps(-1, 0)
  step.live "b" role "input" input[128000 for 61440] steps(-1, 0)
  step.live "bias" role "input" input[189440 for 384] steps(-1, 0)
  step.live "x" role "input" input[189824 for 12000] steps(-1, 1)
  step.live "c" role "output" output[0 for 38400] steps(0, 2)
  step.live "y" role "output" output[38400 for 12000] steps(1, 2)
  step.launch @k_gemm blocks(2) (input[0 for 128000], input[128000 for 61440], input[189440 for 384], output[0 for 38400])
  step.launch @k_softmax blocks(7) (input[189824 for 12000], output[38400 for 12000])
}
}
