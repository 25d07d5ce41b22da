//===- AttentionBuilder.h - tiles of attention ------------------*- C++ -*-===//
//
// What the programs of attention share: arithmetic on tiles, heads as tiles,
// and the regions of masks and scores on tiles of scores.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TILE_ATTENTIONBUILDER_H
#define PASSES_TILE_ATTENTIONBUILDER_H

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"
#include "passes/Tile/TileSizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tarn {

/// Arithmetic on tiles, and what forward and backward share.
class AttentionBuilder {
public:
  AttentionBuilder(TileDeriver &deriver, graph::ProductOp op,
                   mlir::ValueRange captures)
      : deriver(deriver), b(deriver.b), loc(op->getLoc()), op(op),
        captures(captures) {}

  mlir::Value number(mlir::RankedTensorType type, double value) {
    if (mlir::isa<mlir::IntegerType>(type.getElementType()))
      return mlir::arith::ConstantOp::create(
          b, loc, mlir::DenseElementsAttr::get(type, int32_t(value)));
    return mlir::arith::ConstantOp::create(
        b, loc, mlir::DenseElementsAttr::get(type, float(value)));
  }
  mlir::Value index(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  mlir::RankedTensorType f32(llvm::ArrayRef<int64_t> shape) {
    return mlir::RankedTensorType::get(shape, b.getF32Type());
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) {
    return mlir::arith::MulFOp::create(b, loc, x, y);
  }
  mlir::Value sub(mlir::Value x, mlir::Value y) {
    return mlir::arith::SubFOp::create(b, loc, x, y);
  }
  mlir::Value add(mlir::Value x, mlir::Value y) {
    return mlir::arith::AddFOp::create(b, loc, x, y);
  }
  mlir::Value exp(mlir::Value x) {
    return mlir::math::ExpOp::create(b, loc, x);
  }
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) {
    return mlir::arith::SelectOp::create(b, loc, c, x, y);
  }
  mlir::Value dot(mlir::Value x, mlir::Value y, mlir::Value acc, bool tx,
                  bool ty) {
    return tile::DotOp::create(b, loc, x, y, acc, tx, ty, op.isTf32());
  }
  mlir::Value reduce(mlir::Value x, tile::ReduceKind kind, int64_t axis) {
    return tile::ReduceOp::create(b, loc, x, kind, axis);
  }
  /// A vector repeated along a new `axis` of `extent`.
  mlir::Value spread(mlir::Value vector, int64_t axis, int64_t extent) {
    auto type = mlir::cast<mlir::RankedTensorType>(vector.getType());
    llvm::SmallVector<int64_t> shape(type.getShape());
    shape.insert(shape.begin() + axis, extent);
    return tile::BroadcastOp::create(b, loc, type.clone(shape), vector, axis);
  }
  /// A computed tile as the operand of a second product.
  mlir::Value narrow(mlir::Value x, mlir::Type element) {
    auto type = mlir::cast<mlir::RankedTensorType>(x.getType());
    if (type.getElementType() == element)
      return x;
    return mlir::arith::TruncFOp::create(b, loc, type.clone(element), x);
  }
  mlir::Value widen(mlir::Value x) {
    auto type = mlir::cast<mlir::RankedTensorType>(x.getType());
    if (type.getElementType().isF32())
      return x;
    return mlir::arith::ExtFOp::create(b, loc, type.clone(b.getF32Type()), x);
  }
  /// Rows [at, at + rows) of one head of a rank-4 value, all columns.
  mlir::FailureOr<mlir::Value> head(mlir::Value value, mlir::Value batch,
                                    mlir::Value headIndex, mlir::Value at,
                                    int64_t rows) {
    TileSlice slice;
    slice.offsets = {batch, headIndex, at, b.getIndexAttr(0)};
    slice.sizes = {1, 1, rows, graph::tensorType(value).getDimSize(3)};
    slice.order = {2, 3};
    return deriver.tile(value, slice);
  }
  /// Rows [at, at + rows) of one head of a rank-3 value.
  mlir::FailureOr<mlir::Value> headVector(mlir::Value value, mlir::Value batch,
                                          mlir::Value headIndex, mlir::Value at,
                                          int64_t rows) {
    TileSlice slice;
    slice.offsets = {batch, headIndex, at};
    slice.sizes = {1, 1, rows};
    slice.order = {2};
    return deriver.tile(value, slice);
  }

  /// Where a tile of scores lies: its positions, and which axis the queries run
  /// along.
  struct Place {
    mlir::Value batch, head, query, key;
    mlir::RankedTensorType type;
    int64_t queryAxis;
    /// A tile of the same shape.
    mlir::RankedTensorType of(mlir::Type element) const {
      return mlir::RankedTensorType::get(type.getShape(), element);
    }
  };

  /// Evaluates a region on a tile; `first` are its leading tile arguments.
  mlir::FailureOr<mlir::Value>
  apply(mlir::Region &region, mlir::ValueRange first, const Place &place);
  mlir::FailureOr<mlir::Value>
  readElement(graph::ElementOp element, mlir::Value capture, mlir::Block &block,
              const llvm::DenseMap<mlir::Value, mlir::Value> &uniform,
              const Place &place, unsigned queryArgument);
  /// The keys that count, as a tile of i1; null = all.
  mlir::FailureOr<mlir::Value> mask(mlir::Region &region, const Place &place,
                                    int64_t keys, int64_t keyBlock);
  /// What the model makes of a tile of scaled products.
  struct Scores {
    mlir::Value values;
    mlir::Value keep; ///< the keys that count; null = all
  };
  /// Scores of a block of `keyBlock` keys, by the regions of an op, which may
  /// be empty.
  mlir::FailureOr<Scores> score(mlir::Region &score, mlir::Region &mask,
                                mlir::Value products, const Place &place,
                                int64_t keys, int64_t keyBlock);

  TileDeriver &deriver;
  mlir::OpBuilder &b;
  mlir::Location loc;
  graph::ProductOp op;
  mlir::ValueRange captures;
};

} // namespace tarn

#endif // PASSES_TILE_ATTENTIONBUILDER_H
