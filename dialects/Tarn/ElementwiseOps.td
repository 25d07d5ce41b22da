//===- ElementwiseOps.td - one element in, one element out ----------------===//
//
// Each op is one record: its formula as documentation, as a float64 expression
// for the reference and as an expression of tile arithmetic (TileMath).
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_ELEMENTWISEOPS_TD
#define DIALECTS_TARN_ELEMENTWISEOPS_TD

include "dialects/Tarn/TarnBase.td"

class Tarn_Elementwise<string mnemonic, list<Trait> traits = []>
    : Tarn_Op<mnemonic, !listconcat([IdentityLoops, IndexedOp], traits)> {
  let extraClassDeclaration = Tarn_TileBodyDeclaration;
}

// Adds the definitions that every elementwise op needs; `arity` names the
// helpers mapUnary / mapBinary and tileUnary / tileBinary, `args` the lambda's.
class ElementwiseBodies<string arity, string scalarArgs, string scalar,
                        string tileArgs, string tile> {
  code text = [{
    ::mlir::LogicalResult $cppClass::evaluate(
        ::llvm::ArrayRef<::tarn::HostTensor> operands,
        ::llvm::SmallVectorImpl<::tarn::HostTensor> &results) {
      return map}] # arity # "(*this, operands, results, [](" # scalarArgs #
      ") -> double { return " # scalar # [{; });
    }
    ::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>
    $cppClass::buildTileBody(::mlir::OpBuilder &builder, ::mlir::Location loc,
                             ::tarn::graph::TileBodyContext &context,
                             ::mlir::ValueRange operandTiles) {
      return tile}] # arity # "(builder, loc, operandTiles, [&](TileMath &m, "
      # tileArgs # ") -> ::mlir::Value { return " # tile # [{; });
    }
  }];
}

//===----------------------------------------------------------------------===//
// Two operands
//===----------------------------------------------------------------------===//

class Tarn_Binary<string mnemonic, string formula, string scalar, string tile,
                  string gradient, TypeConstraint type = Tarn_Number,
                  list<Trait> traits = []>
    : Tarn_Elementwise<mnemonic, !listconcat([SameOperandsAndResultType],
                                             traits)> {
  let summary = "compute " # formula;
  let description = "`result[i] = " # formula # "`" # [{ for every index.

    Shapes: all equal.

    Constraints:
    - C1: operands and result have one type.

    Gradient: }] # gradient # [{

    Example:
    ```mlir
    %r = tarn.}] # mnemonic # [{ %x, %y : tensor<4x8x}] #
      !cond(!eq(type, Tarn_Bool) : "i1", true : "f32") # [{>
    ```
  }];
  let arguments = (ins type:$lhs, type:$rhs);
  let results = (outs type:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
  let extraClassDefinition = ElementwiseBodies<"Binary",
      "double x, double y", scalar,
      "::mlir::Value x, ::mlir::Value y", tile>.text;
}

let hasFolder = 1 in {
let hasCanonicalizer = 1 in
def AddOp : Tarn_Binary<"add", "x + y", "x + y", "m.add(x, y)",
    "`dx = g`, `dy = g`.", Tarn_Number, !listconcat(Gradient, [Commutative])>;
def SubOp : Tarn_Binary<"sub", "x - y", "x - y", "m.sub(x, y)",
    "`dx = g`, `dy = -g`.", Tarn_Number, Gradient>;
def MulOp : Tarn_Binary<"mul", "x * y", "x * y", "m.mul(x, y)",
    "`dx = g * y`, `dy = g * x`.", Tarn_Number,
    !listconcat(Gradient, [Commutative])>;
def DivOp : Tarn_Binary<"div", "x / y", "x / y", "m.div(x, y)",
    "`dx = g / y`, `dy = -g * result / y`. Integers divide towards zero; "
    "x / 0 is 0 for them.", Tarn_Number, Gradient>;
}
def MaxOp : Tarn_Binary<"max", "max(x, y)", "maximum(x, y)", "m.max(x, y)",
    "`g` to the larger one, to x where they are equal.", Tarn_Number, Gradient>;
def MinOp : Tarn_Binary<"min", "min(x, y)", "minimum(x, y)", "m.min(x, y)",
    "`g` to the smaller one, to x where they are equal.", Tarn_Number,
    Gradient>;
def AndOp : Tarn_Binary<"and", "x and y", "x != 0 && y != 0", "m.andOf(x, y)",
    "none.", Tarn_Bool, !listconcat(NoGradient, [Commutative])>;
def OrOp : Tarn_Binary<"or", "x or y", "x != 0 || y != 0", "m.orOf(x, y)",
    "none.", Tarn_Bool, !listconcat(NoGradient, [Commutative])>;

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

class Tarn_Unary<string mnemonic, string formula, string scalar, string tile,
                 string gradient, TypeConstraint type = Tarn_Float,
                 list<Trait> traits = Gradient>
    : Tarn_Elementwise<mnemonic, !listconcat([SameOperandsAndResultType],
                                             traits)> {
  let summary = "compute " # formula;
  let description = "`result[i] = " # formula # "`" # [{ for every index.

    Shapes: equal.

    Constraints:
    - C1: operand and result have one type.

    Gradient: }] # gradient # [{

    Example:
    ```mlir
    %r = tarn.}] # mnemonic # [{ %x : tensor<4x8x}] #
      !cond(!eq(type, Tarn_Bool) : "i1", true : "f32") # [{>
    ```
  }];
  let arguments = (ins type:$x);
  let results = (outs type:$result);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let extraClassDefinition = ElementwiseBodies<"Unary", "double x", scalar,
      "::mlir::Value x", tile>.text;
}

let hasFolder = 1 in
def NegOp : Tarn_Unary<"neg", "-x", "-x", "m.neg(x)", "`dx = -g`.",
    Tarn_Number>;
def ExpOp : Tarn_Unary<"exp", "exp(x)", "std::exp(x)", "m.exp(x)",
    "`dx = g * result`.">;
def LogOp : Tarn_Unary<"log", "log(x)", "std::log(x)", "m.log(x)",
    "`dx = g / x`.">;
def TanhOp : Tarn_Unary<"tanh", "tanh(x)", "std::tanh(x)", "m.tanh(x)",
    "`dx = g * (1 - result^2)`.">;
def SqrtOp : Tarn_Unary<"sqrt", "sqrt(x)", "std::sqrt(x)", "m.sqrt(x)",
    "`dx = g / (2 * result)`.">;
def RsqrtOp : Tarn_Unary<"rsqrt", "1 / sqrt(x)", "1 / std::sqrt(x)",
    "m.rsqrt(x)", "`dx = -g * result^3 / 2`.">;
def SinOp : Tarn_Unary<"sin", "sin(x)", "std::sin(x)", "m.sin(x)",
    "`dx = g * cos(x)`.">;
def CosOp : Tarn_Unary<"cos", "cos(x)", "std::cos(x)", "m.cos(x)",
    "`dx = -g * sin(x)`.">;
def ErfOp : Tarn_Unary<"erf", "erf(x)", "std::erf(x)", "m.erf(x)",
    "`dx = g * 2 / sqrt(pi) * exp(-x^2)`.">;
def AbsOp : Tarn_Unary<"abs", "|x|", "std::abs(x)", "m.abs(x)",
    "`dx = g` where x >= 0, `-g` elsewhere.">;
def SigmoidOp : Tarn_Unary<"sigmoid", "1 / (1 + exp(-x))",
    "1 / (1 + std::exp(-x))", "m.sigmoid(x)",
    "`dx = g * result * (1 - result)`.">;
def ReciprocalOp : Tarn_Unary<"reciprocal", "1 / x", "1 / x",
    "m.reciprocal(x)", "`dx = -g * result^2`.">;
let hasFolder = 1 in
def NotOp : Tarn_Unary<"not", "not x", "x == 0", "m.notOf(x)", "none.",
    Tarn_Bool, NoGradient>;

// Activations: composites that stay one elementwise op, because passes and
// people speak of them by name.
def ReluOp : Tarn_Unary<"relu", "max(x, 0)", "maximum(x, 0)",
    "m.max(x, m.constant(x, 0))", "`dx = g` where x > 0, else 0.", Tarn_Float,
    !listconcat(Gradient, [DeclareOpInterfaceMethods<Composite>])>;
def SiluOp : Tarn_Unary<"silu", "x / (1 + exp(-x))", "x / (1 + std::exp(-x))",
    "m.div(x, m.add(m.constant(x, 1), m.exp(m.neg(x))))",
    "`dx = g * s * (1 + x * (1 - s))`, `s = sigmoid(x)`.", Tarn_Float,
    !listconcat(Gradient, [DeclareOpInterfaceMethods<Composite>])>;

def GeluKind : I32EnumAttr<"GeluKind", "which GELU", [
    I32EnumAttrCase<"tanh", 0>, I32EnumAttrCase<"none", 1>]> {
  let cppNamespace = "::tarn::graph";
  let genSpecializedAttr = 0;
}
def GeluKindAttr : EnumAttr<Tarn_Dialect, GeluKind, "gelu_kind">;

def GeluOp : Tarn_Elementwise<"gelu", !listconcat([SameOperandsAndResultType],
    Gradient, [DeclareOpInterfaceMethods<Composite>])> {
  let summary = "compute the Gaussian error linear unit";
  let description = [{
    `tanh`: `result[i] = x * (1 + tanh(u)) / 2 = x / (1 + exp(-2 u))` with
    `u = sqrt(2 / pi) * (x + 0.044715 * x^3)`.
    `none`: `result[i] = x * (1 + erf(x / sqrt(2))) / 2`.

    Shapes: equal.

    Constraints:
    - C1: operand and result have one type.

    Gradient: `tanh`: `s = 1 / (1 + exp(-2 u))`,
    `dx = g * (s + x * s * (1 - s) * 2 u')`; `none`:
    `dx = g * (cdf(x) + x * pdf(x))`.

    Example:
    ```mlir
    %r = tarn.gelu tanh %x : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x,
                       DefaultValuedAttr<GeluKindAttr,
                           "::tarn::graph::GeluKind::tanh">:$approximate);
  let results = (outs Tarn_Float:$result);
  let assemblyFormat = "$approximate $x attr-dict `:` type($x)";
}

//===----------------------------------------------------------------------===//
// Predicates
//===----------------------------------------------------------------------===//

def Predicate : I32EnumAttr<"Predicate", "how two numbers are compared", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>,
    I32EnumAttrCase<"lt", 2>, I32EnumAttrCase<"le", 3>,
    I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]> {
  let cppNamespace = "::tarn::graph";
  let genSpecializedAttr = 0;
}
def PredicateAttr : EnumAttr<Tarn_Dialect, Predicate, "predicate">;

def CompareOp : Tarn_Elementwise<"compare", !listconcat(
    [InferTypeOpAdaptor, SameTypeOperands], NoGradient)> {
  let summary = "compare two tensors element by element";
  let description = [{
    `result[i] = x PREDICATE y`. Floats compare ordered, but `ne` is true when
    one is NaN; integers compare signed.

    Shapes: all equal; the result is i1.

    Constraints:
    - C1: the operands have one type.

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.compare le %x, %y : tensor<4x8xi32>
    ```
  }];
  let arguments = (ins PredicateAttr:$predicate, Tarn_Number:$lhs,
                       Tarn_Number:$rhs);
  let results = (outs Tarn_Bool:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)";
}

def SelectOp : Tarn_Elementwise<"select", !listconcat(
    [AllTypesMatch<["lhs", "rhs", "result"]>,
     TypesMatchWith<"condition is i1 of the operands' shape", "lhs",
                    "condition", "::llvm::cast<::mlir::RankedTensorType>($_self)"
                    ".clone(::mlir::IntegerType::get($_self.getContext(), 1))">],
    Gradient)> {
  let summary = "take elements of one of two tensors";
  let description = [{
    `result[i] = condition[i] ? x[i] : y[i]`.

    Shapes: all equal.

    Constraints:
    - C1: `condition` is i1 and has the operands' shape.
    - C2: x, y and the result have one type.

    Gradient: `dx = select(condition, g, 0)`, `dy = select(condition, 0, g)`.

    Example:
    ```mlir
    %r = tarn.select %c, %x, %y : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tarn_Bool:$condition, Tarn_Tensor:$lhs,
                       Tarn_Tensor:$rhs);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat =
      "$condition `,` $lhs `,` $rhs attr-dict `:` type($lhs)";
  let hasFolder = 1;
}

def IsFiniteOp : Tarn_Elementwise<"is_finite", !listconcat(
    [InferTypeOpAdaptor], NoGradient)> {
  let summary = "test for numbers that are neither infinite nor NaN";
  let description = [{
    `result[i] = |x[i]| < infinity`.

    Shapes: equal; the result is i1.

    Constraints: none beyond the types.

    Gradient: none.

    Example:
    ```mlir
    %r = tarn.is_finite %x : tensor<4xf32>
    ```
  }];
  let arguments = (ins Tarn_Float:$x);
  let results = (outs Tarn_Bool:$result);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

def CastOp : Tarn_Elementwise<"cast", Gradient> {
  let summary = "change the element type";
  let description = [{
    `result[i] = x[i]` in the result's element type. Floats round to nearest
    even; float to integer rounds towards zero (undefined when it does not
    fit); number to i1 is `x != 0`; i1 to number is 0 or 1.

    Shapes: equal.

    Constraints:
    - C1: operand and result have one shape.

    Gradient: `dx = cast(g)` when both are floats, else none.

    Example:
    ```mlir
    %r = tarn.cast %x : tensor<4x8xf32> -> tensor<4x8xbf16>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Value":$x,
                                 "::mlir::Type":$elementType)>];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def StopGradientOp : Tarn_Elementwise<"stop_gradient", !listconcat(
    [SameOperandsAndResultType], NoGradient)> {
  let summary = "pass a value on without its gradient";
  let description = [{
    `result[i] = x[i]`.

    Shapes: equal.

    Constraints:
    - C1: operand and result have one type.

    Gradient: none, on purpose.

    Example:
    ```mlir
    %r = tarn.stop_gradient %x : tensor<4xf32>
    ```
  }];
  let arguments = (ins Tarn_Tensor:$x);
  let results = (outs Tarn_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

#endif
