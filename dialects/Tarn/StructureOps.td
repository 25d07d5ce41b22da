//===- StructureOps.td - data and kernels ---------------------------------===//

#ifndef DIALECTS_TARN_STRUCTUREOPS_TD
#define DIALECTS_TARN_STRUCTUREOPS_TD

include "dialects/Tarn/TarnBase.td"

def ConstantOp : Tarn_InferredOp<"constant", !listconcat(LoopsAndBody,
                                        NoGradient, [ConstantLike])> {
  let summary = "hold a dense constant";
  let description = [{
    `result = value`. A splat is an elementwise op without operands; other
    constants are data (a view of the constant section).

    Shapes: the value's.

    Constraints:
    - C1: the value is a static ranked tensor.

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.constant dense<1.0> : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  // A splat of a number.
  let builders = [OpBuilder<(ins "::mlir::RankedTensorType":$type,
                                 "double":$number)>];
  let hasFolder = 1;
}

def IotaOp : Tarn_Op<"iota", !listconcat(
    [IdentityLoops, IndexedOp], NoGradient)> {
  let summary = "count along a dim";
  let description = [{
    `result[i] = i[dim]`.

    Shapes: the result's is free.

    Constraints:
    - C1: `dim` is a dim of the result.

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.iota dim = 1 : tensor<4x8xi32>
    ```
  }];
  let arguments = (ins Tarn_DimAttr:$dim);
  let results = (outs Tarn_Number:$result);
  let assemblyFormat = "`dim` `=` $dim attr-dict `:` type($result)";
  let extraClassDeclaration = Tarn_TileBodyDeclaration;
  let hasVerifier = 1;
}

def ClusterOp : Op<Tarn_Dialect, "cluster", [IsolatedFromAbove, Pure,
    SingleBlockImplicitTerminator<"YieldOp">, Costed, Recomputable,
    DeclareOpInterfaceMethods<Evaluable>]> {
  let summary = "hold the ops of one kernel";
  let description = [{
    The results are what the body yields; its arguments are the operands. Made
    by the fuse phase; `variant` is the tile configuration that was selected.

    Shapes: any.

    Constraints:
    - C1: the body's arguments have the operands' types.
    - C2: the body yields the results' types.

    Gradient: none: clusters are made after differentiation.

    Example:
    ```mlir
    %r = tarn.cluster (%x) {
    ^bb0(%a: tensor<4x8xf32>):
      %0 = tarn.exp %a : tensor<4x8xf32>
      tarn.yield %0 : tensor<4x8xf32>
    } : (tensor<4x8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Variadic<Tarn_Tensor>:$inputs,
                       OptionalAttr<DictionaryAttr>:$variant);
  let results = (outs Variadic<Tarn_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $inputs `)` $body attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasRegionVerifier = 1;
}

def YieldOp : Op<Tarn_Dialect, "yield", [Pure, ReturnLike, Terminator,
    ParentOneOf<["ClusterOp", "AttentionOp", "AttentionBackwardOp"]>]> {
  let summary = "return values from a region";
  let description = [{
    Example:
    ```mlir
    tarn.yield %0 : tensor<i1>
    ```
  }];
  let arguments = (ins Variadic<Tarn_Tensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
  let builders = [OpBuilder<(ins), [{
    build($_builder, $_state, ::mlir::ValueRange());
  }]>];
}

#endif
