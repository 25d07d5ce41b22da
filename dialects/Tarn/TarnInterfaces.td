//===- TarnInterfaces.td - what passes know about ops ---------------------===//
//
// Passes are written against these, never against lists of op names.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_TARNINTERFACES_TD
#define DIALECTS_TARN_TARNINTERFACES_TD

include "mlir/IR/OpBase.td"

def IndexedOp : OpInterface<"IndexedOp"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    An op as a loop nest: its loop dims, one indexing map per operand and then
    per result, and a scalar body. The one thing that fusion and the derivation
    of tile programs read.

    Map results are loop dims, loop dims plus a constant (slices, pads,
    concatenations) or loop dims plus a symbol. A symbol stands for a position
    that is read at run time (gather, scatter, update_slice). An element of an
    operand that the map puts outside of it is not read: loads give 0 there.
    A null map is that of an operand which is not read element by element: a key,
    or what a convolution reads through windows.
    Ops without maps (reshape, composites, constants with many values) return an
    empty list.
  }];
  let methods = [
    InterfaceMethod<"The extents of the loop dims.",
      "::llvm::SmallVector<int64_t>", "getLoopBounds">,
    InterfaceMethod<"Parallel or reduction, per loop dim.",
      "::llvm::SmallVector<::mlir::utils::IteratorType>", "getLoopKinds">,
    InterfaceMethod<"One map from loop dims per operand, then per result.",
      "::llvm::SmallVector<::mlir::AffineMap>", "getIndexingMaps">,
    InterfaceMethod<"What sort of loop nest this is.",
      "::tarn::graph::TileKind", "getTileKind">,
    InterfaceMethod<"How a reduction combines its terms.",
      "::std::optional<::mlir::arith::AtomicRMWKind>", "getCombiner", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return std::nullopt;">,
    InterfaceMethod<[{
        Writes the scalar body on tiles of equal shape, one per operand, with
        arith and math: the result tile of an elementwise op, the term that is
        combined for a reduction (f32 for bf16 and f16 operands). Fails for ops
        of other kinds.
      }],
      "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "buildTileBody",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::tarn::graph::TileBodyContext &":$context,
           "::mlir::ValueRange":$operandTiles),
      /*methodBody=*/"", /*defaultImplementation=*/"return ::mlir::failure();">,
  ];
}

def ProductOp : OpInterface<"ProductOp"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    An op whose work is products on the matrix units: with bf16 factors they
    run faster, and are summed in f32 all the same. So they do in tf32, where
    f32 factors are rounded to 10 bits behind the point for the product alone.

    Such an op has a unit attribute `tf32`:
    - C0: with tf32 the factors are f32.
  }];
  let methods = [
    InterfaceMethod<"The operands that may be rounded to bf16, all or none.",
      "::llvm::SmallVector<unsigned>", "getFactors", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {0, 1};">,
    InterfaceMethod<"The matrices that it multiplies; nothing for other forms.",
      "::std::optional<::tarn::graph::ProductShape>", "getProductShape", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return std::nullopt;">,
    InterfaceMethod<[{
        Whether what it multiplies, its factors and what it makes of them, is
        rounded to tf32 first: to nearest, ties away from zero.
      }],
      "bool", "isTf32", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/"return $_op.getTf32();">,
    InterfaceMethod<"", "void", "setIsTf32", (ins "bool":$isTf32),
      /*methodBody=*/"", /*defaultImplementation=*/
      "$_op.setTf32(isTf32);">,
  ];
  let verify = "return ::tarn::graph::defaults::verifyProduct($_op);";
}

def RandomOp : OpInterface<"RandomOp"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    An op that draws by a key and a counter of two words: (index, salt), plus
    `start`, two numbers in memory, if there is such an operand.
  }];
  let methods = [
    InterfaceMethod<"", "int64_t", "getSalt", (ins)>,
    InterfaceMethod<"", "void", "setSalt", (ins "int64_t":$salt)>,
    InterfaceMethod<"", "::mlir::TypedValue<::mlir::RankedTensorType>",
      "getKey", (ins)>,
    InterfaceMethod<"", "::mlir::MutableOperandRange", "getStartMutable",
      (ins)>,
  ];
}

def Differentiable : OpInterface<"Differentiable"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    An op with a gradient. Ops that cut the gradient (compare, random bits,
    stop_gradient) carry the trait ZeroGradient.
  }];
  let methods = [
    InterfaceMethod<[{
        Builds the gradients of the operands from those of the results. A null
        result gradient is zero; `operandGradients` has one entry per operand,
        null where the gradient is zero or the operand is not differentiable.
      }],
      "::mlir::LogicalResult", "buildGradient",
      (ins "::mlir::OpBuilder &":$builder,
           "::mlir::ValueRange":$resultGradients,
           "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGradients),
      /*methodBody=*/"", /*defaultImplementation=*/[{
        if (!defaults::hasZeroGradient($_op))
          return $_op->emitOpError("has no gradient");
        operandGradients.assign($_op->getNumOperands(), ::mlir::Value());
        return ::mlir::success();
      }]>,
    InterfaceMethod<"Whether a gradient can flow into an operand.",
      "bool", "isDifferentiableOperand", (ins "unsigned":$operand),
      /*methodBody=*/"", /*defaultImplementation=*/
      "return defaults::isDifferentiableOperand($_op, operand);">,
  ];
}

def Costed : OpInterface<"Costed"> {
  let cppNamespace = "::tarn::graph";
  let description = "Arithmetic and traffic of an op when it runs alone.";
  let methods = [
    InterfaceMethod<"Floating-point operations; a multiply-add counts as two.",
      "int64_t", "getFlops", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/"return defaults::defaultFlops($_op);">,
    InterfaceMethod<"Bytes read and written: operands and results, once each.",
      "int64_t", "getBytes", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/"return defaults::defaultBytes($_op);">,
  ];
}

def Recomputable : OpInterface<"Recomputable"> {
  let cppNamespace = "::tarn::graph";
  let description = "Whether the plan may compute an op's results again.";
  let methods = [
    InterfaceMethod<"Cheap ops may be recomputed inside their users' kernels.",
      "::tarn::graph::RecomputeClass", "getRecomputeClass", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/
      "return defaults::defaultRecomputeClass($_op);">,
  ];
}

def RowWise : OpInterface<"RowWise"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    Ops that commute with leaving out rows: padding removal asks this.
  }];
  let methods = [
    InterfaceMethod<[{
        Whether each position along this dim of the (first) result depends only
        on the same position of the operands.
      }],
      "bool", "isRowWise", (ins "unsigned":$resultDim), /*methodBody=*/"",
      /*defaultImplementation=*/
      "return defaults::defaultIsRowWise($_op, resultDim);">,
  ];
}

def Shardable : OpInterface<"Shardable"> {
  let cppNamespace = "::tarn::graph";
  let description = "What splitting a loop dim over ranks does to the result.";
  let methods = [
    InterfaceMethod<"What a split of this loop dim means.",
      "::tarn::graph::ShardKind", "getShardKind", (ins "unsigned":$loopDim),
      /*methodBody=*/"", /*defaultImplementation=*/
      "return defaults::defaultShardKind($_op, loopDim);">,
  ];
}

def Evaluable : OpInterface<"Evaluable"> {
  let cppNamespace = "::tarn::graph";
  let description = "The meaning of an op in float64: the oracle of all tests.";
  let methods = [
    InterfaceMethod<"Computes the results from the operands, unrounded.",
      "::mlir::LogicalResult", "evaluate",
      (ins "::llvm::ArrayRef<::tarn::HostTensor>":$operands,
           "::llvm::SmallVectorImpl<::tarn::HostTensor> &":$results)>,
  ];
}

def Composite : OpInterface<"Composite"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    An op that passes reason about as one, and that is also a graph of simpler
    ops.
  }];
  let methods = [
    InterfaceMethod<"Builds the simpler graph; returns one value per result.",
      "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "decompose",
      (ins "::mlir::OpBuilder &":$builder)>,
  ];
}

#endif
