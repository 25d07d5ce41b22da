// One product per transposed form: @FORM@ is the flags of the dot, @TA@ and @TB@
// the tiles' shapes, @PA@ and @PB@ their positions. Adds a residual that is read
// elementwise, and stores f32.
tile.kernel @forms(%A: memref<@SA@xbf16>, %B: memref<@SB@xbf16>,
                   %R: memref<200x96xf32>, %C: memref<200x96xf32>)
    access ["read", "read", "read", "write"]
    grid (%m = 200 by 128, %n = 96 by 64) {
  %from = arith.constant 0 : index
  %to = arith.constant 320 : index
  %step = arith.constant 64 : index
  %zero = arith.constant dense<0.0> : tensor<128x64xf32>
  %acc = scf.for %k = %from to %to step %step
      iter_args(%sum = %zero) -> tensor<128x64xf32> {
    %a = tile.load %A[@PA@] : memref<@SA@xbf16> -> tensor<@TA@xbf16>
    %b = tile.load %B[@PB@] : memref<@SB@xbf16> -> tensor<@TB@xbf16>
    %d = tile.dot %a, %b, %sum @FORM@
        : tensor<@TA@xbf16>, tensor<@TB@xbf16> -> tensor<128x64xf32>
    scf.yield %d : tensor<128x64xf32>
  }
  %r = tile.load %R[%m, %n] : memref<200x96xf32> -> tensor<128x64xf32>
  %y = arith.addf %acc, %r : tensor<128x64xf32>
  tile.store %y, %C[%m, %n] : tensor<128x64xf32>, memref<200x96xf32>
  tile.return
}
