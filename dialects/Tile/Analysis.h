//===- Analysis.h - what targets ask of a tile program ----------*- C++ -*-===//
//
// Walks over SSA values; no alias analysis is needed, because a buffer is
// read or written, never both. Two buffers may be the same bytes where the
// analysis below says so.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TILE_ANALYSIS_H
#define DIALECTS_TILE_ANALYSIS_H

#include "dialects/Tile/TileOps.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallBitVector.h"

namespace tarn::tile {

//===----------------------------------------------------------------------===//
// Variance
//===----------------------------------------------------------------------===//

/// What a value depends on: grid dims, loops, and memory other than by
/// position.
struct Variance {
  llvm::SmallBitVector gridDims;
  llvm::SmallSetVector<mlir::Operation *, 2> loops;
  bool memory = false;

  /// Adds the dependences of `other`; true if that changed anything.
  bool merge(const Variance &other);
};

/// Variance of every value of a kernel. Whatever builds or erases ops makes it
/// stale.
class VarianceAnalysis {
public:
  explicit VarianceAnalysis(KernelOp kernel);

  /// What `value` depends on.
  const Variance &of(mlir::Value value) const;
  /// What a list of positions depends on.
  Variance of(mlir::ValueRange values) const;

private:
  bool visit(mlir::Operation *op);
  bool merge(mlir::Value value, const Variance &variance);

  unsigned gridRank;
  llvm::DenseMap<mlir::Value, Variance> variances;
  Variance none;
};

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// What the tile of a load or gather is used for.
enum class LoadRole {
  unused,
  /// Left or right operand of dots only: may be packed, or read in place.
  dotLeft,
  dotRight,
  /// Operand of dots only, on both sides.
  dotBoth,
  /// Used in sweeps only.
  elementwise,
  /// Operand of a dot, and used in a sweep.
  mixed,
};

/// The role of a tile by its direct uses.
LoadRole getLoadRole(mlir::Value tile);

/// What a dot accumulates onto.
enum class DotStartKind {
  /// The constant zero: the first product may set.
  zero,
  /// A value that the loop carries, and the dot gives the next one.
  carried,
  /// Such a value times a row vector (flash attention's rescaling).
  carriedTimesRow,
  /// Any other tile.
  other,
};

/// What a dot accumulates onto, with the parts where there are any.
struct DotStart {
  DotStartKind kind = DotStartKind::other;
  /// The loop's iteration argument.
  mlir::BlockArgument carried;
  /// The vector with an element per row of the accumulator.
  mlir::Value row;
};

/// How the accumulator `acc` of the dot with result `result` starts.
DotStart getDotStart(mlir::Value acc, mlir::Value result);

//===----------------------------------------------------------------------===//
// Predicates and aliasing
//===----------------------------------------------------------------------===//

/// Block-uniform conditions under which a mask is true, or false, everywhere.
struct PredicateBounds {
  mlir::Value allTrue;
  mlir::Value allFalse;
};

/// Builds the conditions for the i1 tile `mask`, if it is made of comparisons
/// of iotas, uniform scalars and constants (with add, sub, mul, min, max) and
/// of and, or, not of those. Both are i1 scalars; elements in between make
/// neither true. Fails on any other mask.
mlir::FailureOr<PredicateBounds> buildPredicateBounds(mlir::OpBuilder &builder,
                                                      mlir::Location loc,
                                                      mlir::Value mask);

/// Whether buffers `read` and `written` of the kernel may be the same bytes,
/// whatever number of sweeps it makes (norms, softmax, their gradients):
///   - both have one shape and elements of one size, and every load of `read`
///     is at the place of the one store to `written`, and before it: a block
///     reads what this block overwrites, and nothing else;
///   - what is loaded is used element by element, until a reduction or a store:
///     no element is needed for another one but through a sum or a maximum;
///   - the kernel has no loops, products or additions to memory, and no tile of
///     more dims than what is stored: one thread loads and stores an element.
/// Targets see to the rest: stores to such buffers come behind everything else,
/// those of one shape in one sweep, which has read an element before it writes
/// it (`getSharedBuffers`).
bool mayShareBytes(KernelOp kernel, unsigned read, unsigned written);

/// The same for a state and its next value, which no scratch is made of: also
/// where the kernel does other things besides, as long as the one tile that it
/// loads of `read` goes element by element into the one that it stores to
/// `written`, at the same place, and nowhere else. So does a sum that a product
/// is added to.
bool mayUpdateBytes(KernelOp kernel, unsigned read, unsigned written);

/// The pairs (read, written) that a plan may put in one place: targets may not
/// take these buffers for disjoint.
llvm::SmallVector<std::pair<unsigned, unsigned>>
getSharedBuffers(KernelOp kernel);

} // namespace tarn::tile

#endif // DIALECTS_TILE_ANALYSIS_H
