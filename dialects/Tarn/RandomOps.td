//===- RandomOps.td - counter-based random numbers ------------------------===//

#ifndef DIALECTS_TARN_RANDOMOPS_TD
#define DIALECTS_TARN_RANDOMOPS_TD

include "dialects/Tarn/TarnBase.td"

// Key and start are no elementwise operands: they have no map, the body asks
// for their words.
defvar Tarn_RandomDeclaration = !strconcat(Tarn_TileBodyDeclaration, [{
  ::llvm::SmallVector<::mlir::AffineMap> getIndexingMaps();
}]);

def RandomBitsOp : Tarn_Op<"random_bits", !listconcat(
    [IdentityLoops, IndexedOp, RandomOp], NoGradient)> {
  let summary = "draw 32 random bits per element";
  let description = [{
    `result[i] = Threefry-2x32-20(key, counter)[word]` where the counter is
    (row-major index of i, salt) + `start`, two numbers, (0, 0) if not given.
    Ops that differ in `start` alone are one kernel. The same key and salt give the same bits on
    every target, in any order and as often as it is computed: recompute
    replays it.

    Shapes: the result's is free.

    Constraints:
    - C1: `0 <= salt < 2^31`.
    - C2: `word` is 0 or 1.
    - C3: the result has at most 2^32 elements.

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.random_bits %key salt = 7 : tensor<4x8xi32>
    ```
  }];
  let arguments = (ins Tarn_Key:$key, Optional<Tarn_Key>:$start,
                       Tarn_DimAttr:$salt,
                       DefaultValuedAttr<Tarn_DimAttr, "0">:$word);
  let results = (outs Tarn_I32:$result);
  let assemblyFormat = [{
    $key (`start` $start^)? `salt` `=` $salt (`word` `=` $word^)? attr-dict
    `:` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$key,
                                 "int64_t":$salt, CArg<"int64_t", "0">:$word),
      [{ build($_builder, $_state, result, key, ::mlir::Value(), salt, word); }]>];
  let extraClassDeclaration = Tarn_RandomDeclaration;
  let hasVerifier = 1;
}

class Tarn_Random<string mnemonic, string formula>
    : Tarn_Op<mnemonic, !listconcat([IdentityLoops, IndexedOp, RandomOp],
                                    NoGradient)> {
  let description = formula # [{

    Shapes: the result's is free.

    Constraints:
    - C1: `0 <= salt < 2^31`.
    - C2: the result has at most 2^32 elements.

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.}] # mnemonic # [{ %key salt = 7 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Key:$key, Optional<Tarn_Key>:$start,
                       Tarn_DimAttr:$salt);
  let results = (outs Tarn_F32:$result);
  let assemblyFormat =
      "$key (`start` $start^)? `salt` `=` $salt attr-dict `:` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$key,
                                 "int64_t":$salt),
      [{ build($_builder, $_state, result, key, ::mlir::Value(), salt); }]>];
  let extraClassDeclaration = Tarn_RandomDeclaration;
  let hasVerifier = 1;
}

def RandomUniformOp : Tarn_Random<"random_uniform", [{
    `result[i] = (bits[i] >> 8) * 2^-24`, at least 0 and less than 1, with
    `bits = random_bits(key, start, salt)`.}]> {
  let summary = "draw from the uniform distribution on [0, 1)";
}

def RandomNormalOp : Tarn_Random<"random_normal", [{
    `result[i] = sqrt(-2 log(1 - u)) * cos(2 pi v)` where u and v are uniform,
    from words 0 and 1 of `random_bits(key, start, salt)`.}]> {
  let summary = "draw from the standard normal distribution";
}

#endif
