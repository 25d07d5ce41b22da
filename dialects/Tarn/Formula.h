//===- Formula.h - writing graphs as formulas -------------------*- C++ -*-===//

#ifndef DIALECTS_TARN_FORMULA_H
#define DIALECTS_TARN_FORMULA_H

#include "dialects/Tarn/TarnOps.h"

#include "llvm/ADT/Sequence.h"

namespace tarn::graph {

/// Builds ops of this dialect with their result types inferred, so that
/// decompositions and gradients read as the formulas they are.
class Formula {
public:
  using Value = mlir::Value;

  Formula(mlir::OpBuilder &builder, mlir::Location loc)
      : b(builder), loc(loc) {}

  Value add(Value x, Value y) { return AddOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return SubOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return MulOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return DivOp::create(b, loc, x, y); }
  Value max(Value x, Value y) { return MaxOp::create(b, loc, x, y); }
  Value neg(Value x) { return NegOp::create(b, loc, x); }
  Value exp(Value x) { return ExpOp::create(b, loc, x); }
  Value log(Value x) { return LogOp::create(b, loc, x); }
  Value rsqrt(Value x) { return RsqrtOp::create(b, loc, x); }
  Value select(Value c, Value x, Value y) {
    return SelectOp::create(b, loc, c, x, y);
  }
  Value compare(Predicate predicate, Value x, Value y) {
    return CompareOp::create(b, loc, predicate, x, y);
  }
  Value sum(Value x, llvm::ArrayRef<int64_t> dims) {
    return ReduceSumOp::create(b, loc, x, dims);
  }
  Value most(Value x, llvm::ArrayRef<int64_t> dims) {
    return ReduceMaxOp::create(b, loc, x, dims);
  }
  Value dot(Value x, Value y, bool transposeX = false, bool transposeY = false,
            mlir::Type elementType = {}) {
    auto product =
        DotOp::create(b, loc, x, y, transposeX, transposeY, elementType);
    product.setTf32(tf32);
    return product;
  }
  Value reshape(Value x, llvm::ArrayRef<int64_t> shape) {
    return ReshapeOp::create(b, loc, x, shape);
  }
  Value slice(Value x, llvm::ArrayRef<int64_t> offsets,
              llvm::ArrayRef<int64_t> sizes) {
    return SliceOp::create(b, loc, x, offsets, sizes);
  }
  Value concat(mlir::ValueRange inputs, int64_t dim) {
    return ConcatOp::create(b, loc, inputs, dim);
  }
  Value iota(mlir::RankedTensorType type, int64_t dim) {
    return IotaOp::create(b, loc, type, dim);
  }

  /// A splat in the type of `like`.
  Value number(Value like, double value) {
    return splat(b, loc, like.getType(), value);
  }
  /// x times a number.
  Value scale(Value x, double factor) { return mul(x, number(x, factor)); }

  /// x in another element type; x itself if it has it.
  Value cast(Value x, mlir::Type elementType) {
    if (tensorType(x).getElementType() == elementType)
      return x;
    return CastOp::create(b, loc, x, elementType);
  }
  /// bf16 and f16 as f32.
  Value widen(Value x) {
    mlir::Type type = tensorType(x).getElementType();
    return type.isBF16() || type.isF16() ? cast(x, b.getF32Type()) : x;
  }

  /// Repeats x into a shape; dim k of x becomes dim `dims[k]`.
  Value broadcast(Value x, llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<int64_t> dims) {
    return BroadcastOp::create(b, loc, tensorType(x).clone(shape), x, dims);
  }
  /// Repeats x, which is `like` without `dim`, along that dim.
  Value along(Value x, Value like, int64_t dim) {
    auto dims = llvm::to_vector(llvm::seq<int64_t>(0, tensorType(x).getRank()));
    for (int64_t &d : dims)
      d += d >= dim;
    return broadcast(x, tensorType(like).getShape(), dims);
  }
  /// Repeats x over all leading dims of `like`.
  Value rows(Value x, Value like) {
    int64_t skipped = tensorType(like).getRank() - tensorType(x).getRank();
    auto dims = llvm::to_vector(
        llvm::seq<int64_t>(skipped, tensorType(like).getRank()));
    return broadcast(x, tensorType(like).getShape(), dims);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
  /// Whether products are in tf32.
  bool tf32 = false;
};

} // namespace tarn::graph

#endif // DIALECTS_TARN_FORMULA_H
