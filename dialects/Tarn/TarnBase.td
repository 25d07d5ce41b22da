//===- TarnBase.td - types, attributes and op classes of `tarn` -----------===//

#ifndef DIALECTS_TARN_TARNBASE_TD
#define DIALECTS_TARN_TARNBASE_TD

include "dialects/Tarn/TarnDialect.td"
include "dialects/Tarn/TarnInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// Types: static ranked tensors.
def Tarn_Tensor : StaticShapeTensorOf<[F32, BF16, F16, F64, I32, I64, I1]>;
def Tarn_Number : StaticShapeTensorOf<[F32, BF16, F16, F64, I32, I64]>;
def Tarn_Float : StaticShapeTensorOf<[F32, BF16, F16, F64]>;
def Tarn_Int : StaticShapeTensorOf<[I32, I64]>;
def Tarn_Bool : StaticShapeTensorOf<[I1]>;
def Tarn_F32 : StaticShapeTensorOf<[F32]>;
def Tarn_I32 : StaticShapeTensorOf<[I32]>;

// Types that the assembly need not spell.
def Tarn_ScalarI32 : Type<
    CPred<"$_self == ::mlir::RankedTensorType::get({}, "
          "::mlir::IntegerType::get($_self.getContext(), 32))">,
    "tensor<i32>", "::mlir::RankedTensorType">,
  BuildableType<
    "::mlir::RankedTensorType::get({}, $_builder.getI32Type())">;
def Tarn_Key : Type<
    CPred<"$_self == ::mlir::RankedTensorType::get({2}, "
          "::mlir::IntegerType::get($_self.getContext(), 32))">,
    "tensor<2xi32>", "::mlir::RankedTensorType">,
  BuildableType<
    "::mlir::RankedTensorType::get({2}, $_builder.getI32Type())">;

// A number in the source's precision; f64 whatever the tensors are.
def Tarn_RealAttr : TypedAttrBase<F64, "FloatAttr",
    And<[CPred<"::llvm::isa<::mlir::FloatAttr>($_self)">,
         CPred<"::llvm::cast<::mlir::FloatAttr>($_self).getType().isF64()">]>,
    "64-bit float attribute"> {
  let returnType = "double";
  let convertFromStorage = "$_self.getValueAsDouble()";
  let constBuilderCall = "$_builder.getF64FloatAttr($0)";
}
def Tarn_DimAttr : TypedAttrBase<I64, "IntegerAttr",
    And<[CPred<"::llvm::isa<::mlir::IntegerAttr>($_self)">,
         CPred<"::llvm::cast<::mlir::IntegerAttr>($_self).getType()"
               ".isInteger(64)">]>,
    "64-bit integer attribute"> {
  let returnType = "int64_t";
  let convertFromStorage = "$_self.getInt()";
  let constBuilderCall = "$_builder.getI64IntegerAttr($0)";
}

// Traits.
def ZeroGradient : NativeOpTrait<"ZeroGradient"> {
  let cppNamespace = "::tarn::graph";
}
def IdentityLoops : NativeOpTrait<"IdentityLoops"> {
  let cppNamespace = "::tarn::graph";
}
def CompositeLoops : NativeOpTrait<"CompositeLoops"> {
  let cppNamespace = "::tarn::graph";
}
def OwnProgramLoops : NativeOpTrait<"OwnProgramLoops"> {
  let cppNamespace = "::tarn::graph";
}

// Interface lists that ops put together.
defvar Gradient = [DeclareOpInterfaceMethods<Differentiable,
                                             ["buildGradient"]>];
defvar NoGradient = [Differentiable, ZeroGradient];
defvar Loops = [DeclareOpInterfaceMethods<IndexedOp>];
defvar LoopsAndBody = [DeclareOpInterfaceMethods<IndexedOp,
                                                 ["buildTileBody"]>];
defvar LoopsAndCombiner = [DeclareOpInterfaceMethods<IndexedOp,
                                                     ["getCombiner"]>];
defvar Reduction = [DeclareOpInterfaceMethods<
    IndexedOp, ["getCombiner", "buildTileBody"]>];
defvar OwnProgram = [OwnProgramLoops, IndexedOp];
defvar Decomposed = [CompositeLoops, IndexedOp,
                     DeclareOpInterfaceMethods<Composite>];

// For ops that take their loops from IdentityLoops and add a body.
defvar Tarn_TileBodyDeclaration = [{
  ::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>
  buildTileBody(::mlir::OpBuilder &builder, ::mlir::Location loc,
                ::tarn::graph::TileBodyContext &context,
                ::mlir::ValueRange operandTiles);
}];

// The class of all ops: a pure function of its operands with a reference.
class Tarn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tarn_Dialect, mnemonic,
         !listconcat([Pure, Costed, Recomputable, RowWise, Shardable,
                      DeclareOpInterfaceMethods<Evaluable>], traits)>;

// An op that computes its result types from operands and attributes.
class Tarn_InferredOp<string mnemonic, list<Trait> traits = []>
    : Tarn_Op<mnemonic, !listconcat([InferTypeOpAdaptor], traits)>;

#endif
