//===- GradientMath.h - formulas over tensor values -------------*- C++ -*-===//

#ifndef DIALECTS_TARN_GRADIENTMATH_H
#define DIALECTS_TARN_GRADIENTMATH_H

#include "dialects/Tarn/TarnOps.h"

namespace tarn::graph {

/// Builds `tarn` ops as the formulas of gradients are written. Operands of the
/// arithmetic have one shape and type; broadcasts are explicit.
class GradientMath {
public:
  GradientMath(mlir::OpBuilder &builder, mlir::Operation *op)
      : builder(builder), loc(op->getLoc()) {}

  using Value = mlir::Value;
  template <typename OpTy, typename... Args> Value make(Args &&...args) {
    return OpTy::create(builder, loc, std::forward<Args>(args)...);
  }
  Value add(Value x, Value y) { return make<AddOp>(x, y); }
  Value sub(Value x, Value y) { return make<SubOp>(x, y); }
  Value mul(Value x, Value y) { return make<MulOp>(x, y); }
  Value div(Value x, Value y) { return make<DivOp>(x, y); }
  Value neg(Value x) { return make<NegOp>(x); }
  Value exp(Value x) { return make<ExpOp>(x); }
  Value select(Value c, Value x, Value y) { return make<SelectOp>(c, x, y); }
  Value compare(Predicate predicate, Value x, Value y) {
    return make<CompareOp>(predicate, x, y);
  }
  /// x with every element replaced by `number`.
  Value like(Value x, double number) {
    return splat(builder, loc, x.getType(), number);
  }
  /// x times, or plus, a number.
  Value scale(Value x, double number) { return mul(x, like(x, number)); }
  Value offset(Value x, double number) { return add(x, like(x, number)); }
  /// x as `elementType`; x itself when it is that already.
  Value cast(Value x, mlir::Type elementType);
  /// bf16 and f16 as f32: what sums and exponentials are computed in.
  Value widen(Value x);
  /// The sum over `dims`, which go away.
  Value sum(Value x, llvm::ArrayRef<int64_t> dims);
  /// x, which lacks dim `dim` of `shape`, repeated along it.
  Value repeat(Value x, llvm::ArrayRef<int64_t> shape, int64_t dim);
  /// A vector along the last dim of `shape`, repeated over all others.
  Value repeatRows(Value x, llvm::ArrayRef<int64_t> shape);
  /// The mean along the last dim, repeated along it again.
  Value rowMean(Value x);
  /// The sum over all dims but the last.
  Value sumRows(Value x);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace tarn::graph

#endif // DIALECTS_TARN_GRADIENTMATH_H
