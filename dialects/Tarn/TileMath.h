//===- TileMath.h - arithmetic on tiles -------------------------*- C++ -*-===//

#ifndef DIALECTS_TARN_TILEMATH_H
#define DIALECTS_TARN_TILEMATH_H

#include "dialects/Tarn/TarnInterfaces.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tarn::graph {

/// Writes arith and math ops on tiles of one shape, floats and integers alike,
/// so that bodies of ops read as formulas. Float arithmetic is in f32 or f64:
/// callers widen narrower floats first (`widen`) and round at the end.
class TileMath {
public:
  TileMath(mlir::OpBuilder &builder, mlir::Location loc)
      : b(builder), loc(loc) {}

  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value andOf(mlir::Value x, mlir::Value y);
  mlir::Value orOf(mlir::Value x, mlir::Value y);
  mlir::Value xorOf(mlir::Value x, mlir::Value y);
  mlir::Value notOf(mlir::Value x);
  mlir::Value neg(mlir::Value x);
  mlir::Value exp(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value rsqrt(mlir::Value x);
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x);
  mlir::Value reciprocal(mlir::Value x);
  /// One of x and y by an i1 tile.
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);
  /// Compares floats and signed integers.
  mlir::Value compare(mlir::arith::CmpFPredicate floats,
                      mlir::arith::CmpIPredicate integers, mlir::Value x,
                      mlir::Value y);
  /// A splat of a number in the type of `like`.
  mlir::Value constant(mlir::Value like, double value);
  /// A splat of a number in a tile type.
  mlir::Value constant(mlir::RankedTensorType type, double value);
  /// Converts between element types as tarn.cast does.
  mlir::Value cast(mlir::Value x, mlir::Type elementType);
  /// bf16 and f16 become f32; all else stays.
  mlir::Value widen(mlir::Value x);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace tarn::graph

#endif // DIALECTS_TARN_TILEMATH_H
