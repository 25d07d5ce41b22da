//===- ShardLoops.h - splits of ops that have no indexing maps --*- C++ -*-===//

#ifndef DIALECTS_TARN_SHARDLOOPS_H
#define DIALECTS_TARN_SHARDLOOPS_H

#include "mlir/IR/OpDefinition.h"

namespace tarn::graph {

/// One loop of an op, and where it is seen.
struct ShardLoop {
  enum Kind {
    parallel, ///< results are split likewise
    sum,      ///< every rank holds a term of a sum
    /// One matrix of a product per position: experts.
    group,
    /// Rows that were put in the order of groups, each row one group's.
    groupedRows
  };
  Kind kind;
  /// Number of the operand or result (results behind the operands), and dim.
  llvm::SmallVector<std::pair<unsigned, unsigned>, 4> at;
};

/// Attaches the interface to the dialect's ops that need it.
void attachShardLoops(mlir::MLIRContext &context);

} // namespace tarn::graph

#include "dialects/Tarn/ShardLoops.h.inc"

#endif // DIALECTS_TARN_SHARDLOOPS_H
