//===- TarnInterfaces.h - what passes know about ops ------------*- C++ -*-===//

#ifndef DIALECTS_TARN_TARNINTERFACES_H
#define DIALECTS_TARN_TARNINTERFACES_H

#include "dialects/Tarn/HostTensor.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

#include <optional>

namespace tarn::graph {

/// What sort of loop nest an op is.
enum class TileKind {
  elementwise, ///< every result element from one element of each operand
  reduction,   ///< terms combined along reduction dims
  dot,         ///< products of two operands summed along one dim
  gather,      ///< reads at positions held in an operand
  scatter,     ///< writes at positions held in an operand
  view,        ///< moves nothing: another way to address the operand
  composite,   ///< brings its own tile program, or is decomposed
  ownProgram   ///< brings its own tile program, which takes in no other op
};

/// `batch` products of a matrix of `rows` by `depth` and one of `depth` by
/// `columns`.
struct ProductShape {
  int64_t batch, rows, columns, depth;
};

/// What computing an op again costs.
enum class RecomputeClass { cheap, expensive, never };

/// What splitting a loop dim over ranks does to the results.
enum class ShardKind {
  parallel,   ///< results are split likewise
  partialSum, ///< every rank holds a term of a sum
  replicated  ///< the dim can't be split
};

/// What the scalar body of an op may ask of the tile program it is put in.
class TileBodyContext {
public:
  virtual ~TileBodyContext();
  /// The shape of all tiles of the body.
  virtual llvm::ArrayRef<int64_t> getTileShape() = 0;
  /// A tile of the global index of a loop dim (i32).
  virtual mlir::Value indexTile(mlir::OpBuilder &builder, mlir::Location loc,
                                unsigned loopDim) = 0;
  /// A tile filled with the one element of an operand at a constant position;
  /// for operands that are not read elementwise (their map is empty).
  virtual mlir::Value splatElement(mlir::OpBuilder &builder, mlir::Location loc,
                                   unsigned operand,
                                   llvm::ArrayRef<int64_t> position) = 0;
};

/// Marks ops through which no gradient flows.
template <typename ConcreteOp>
class ZeroGradient : public mlir::OpTrait::TraitBase<ConcreteOp, ZeroGradient> {
};

namespace defaults {
bool hasZeroGradient(mlir::Operation *op);
bool isDifferentiableOperand(mlir::Operation *op, unsigned operand);
int64_t defaultFlops(mlir::Operation *op);
int64_t defaultBytes(mlir::Operation *op);
RecomputeClass defaultRecomputeClass(mlir::Operation *op);
bool defaultIsRowWise(mlir::Operation *op, unsigned resultDim);
ShardKind defaultShardKind(mlir::Operation *op, unsigned loopDim);
/// Whether a product may have the precision that it says.
llvm::LogicalResult verifyProduct(mlir::Operation *op);
/// The extents of the first result.
llvm::SmallVector<int64_t> resultBounds(mlir::Operation *op);
/// Parallel loops over the first result.
llvm::SmallVector<mlir::utils::IteratorType> resultKinds(mlir::Operation *op);
/// Identity maps for all operands and results.
llvm::SmallVector<mlir::AffineMap> identityMaps(mlir::Operation *op);
} // namespace defaults

/// The loops of an op whose operands and results have one shape.
template <typename ConcreteOp>
class IdentityLoops
    : public mlir::OpTrait::TraitBase<ConcreteOp, IdentityLoops> {
public:
  llvm::SmallVector<int64_t> getLoopBounds() {
    return defaults::resultBounds(this->getOperation());
  }
  llvm::SmallVector<mlir::utils::IteratorType> getLoopKinds() {
    return defaults::resultKinds(this->getOperation());
  }
  llvm::SmallVector<mlir::AffineMap> getIndexingMaps() {
    return defaults::identityMaps(this->getOperation());
  }
  TileKind getTileKind() { return TileKind::elementwise; }
};

/// No loops of its own: the op is decomposed, or brings its tile program.
template <typename ConcreteOp>
class CompositeLoops
    : public mlir::OpTrait::TraitBase<ConcreteOp, CompositeLoops> {
public:
  llvm::SmallVector<int64_t> getLoopBounds() { return {}; }
  llvm::SmallVector<mlir::utils::IteratorType> getLoopKinds() { return {}; }
  llvm::SmallVector<mlir::AffineMap> getIndexingMaps() { return {}; }
  TileKind getTileKind() { return TileKind::composite; }
};

/// No loops that tile programs could be derived from: the op is a kernel alone,
/// with a program of its own.
template <typename ConcreteOp>
class OwnProgramLoops
    : public mlir::OpTrait::TraitBase<ConcreteOp, OwnProgramLoops> {
public:
  llvm::SmallVector<int64_t> getLoopBounds() { return {}; }
  llvm::SmallVector<mlir::utils::IteratorType> getLoopKinds() { return {}; }
  llvm::SmallVector<mlir::AffineMap> getIndexingMaps() { return {}; }
  TileKind getTileKind() { return TileKind::ownProgram; }
};

} // namespace tarn::graph

#include "dialects/Tarn/TarnInterfaces.h.inc"

#endif // DIALECTS_TARN_TARNINTERFACES_H
