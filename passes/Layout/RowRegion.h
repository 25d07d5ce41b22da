//===- RowRegion.h - ops that work row by row on large values ---*- C++ -*-===//

#ifndef PASSES_LAYOUT_ROWREGION_H
#define PASSES_LAYOUT_ROWREGION_H

#include "dialects/Tarn/TarnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>

namespace tarn {

/// For each result the dim that counts rows; -1 = none, a sum over them.
using TiedResults = llvm::SmallVector<int64_t, 2>;

/// Where an op's loop over rows is seen: the dim of each operand and result;
/// -1 = nowhere.
struct RowTies {
  llvm::SmallVector<int64_t, 4> operands;
  TiedResults results;
};

struct RowOp {
  mlir::Operation *op;
  RowTies ties;
};

/// A value of the region that something outside reads.
struct RowExit {
  mlir::Value value;
  int64_t dim; ///< that counts rows; -1: a sum over rows
};

/// Ops between a product and sums over its rows: of every part of the rows they
/// compute the same as of all, but for the order of sums.
struct RowRegion {
  llvm::SmallVector<RowOp> ops; ///< in order
  llvm::SmallVector<RowExit> exits;
  int64_t rows = 0;
  /// What the product makes.
  mlir::RankedTensorType seed;
  mlir::Location loc;
};

/// Products that the loss waits for and that make more per row than they read,
/// of which the result is among the largest of the function: the largest first.
llvm::SmallVector<mlir::Operation *> findRowProducts(mlir::func::FuncOp);

/// The region of a product; nothing, with the reason and the op that is in the
/// way, where rows meet before they are summed up.
std::optional<RowRegion> findRowRegion(mlir::Operation *product,
                                       std::string &reason,
                                       mlir::Operation *&at);

/// Whether an op's body looks at the position along a loop: then a part of it
/// is not the same op with fewer rows. False for ops without a body.
bool looksAtPosition(graph::IndexedOp op, unsigned loop);

/// How an op can be run for a part of dim `dim` of its result `value`, where
/// running it again costs next to nothing; else nothing.
std::optional<RowTies> remakeTies(mlir::Value value, unsigned dim);

} // namespace tarn

#endif // PASSES_LAYOUT_ROWREGION_H
