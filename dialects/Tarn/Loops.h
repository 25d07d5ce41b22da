//===- Loops.h - small helpers for indexing maps ----------------*- C++ -*-===//

#ifndef DIALECTS_TARN_LOOPS_H
#define DIALECTS_TARN_LOOPS_H

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"

namespace tarn::graph {

using LoopKinds = llvm::SmallVector<mlir::utils::IteratorType>;
using Maps = llvm::SmallVector<mlir::AffineMap>;

/// The expressions d_first, d_first+1, ... of loop dims.
inline llvm::SmallVector<mlir::AffineExpr>
loopDims(mlir::MLIRContext *context, unsigned first, unsigned count) {
  llvm::SmallVector<mlir::AffineExpr> dims;
  for (unsigned d = 0; d != count; ++d)
    dims.push_back(mlir::getAffineDimExpr(first + d, context));
  return dims;
}

/// A map from `rank` loop dims (and run-time positions) to these expressions.
inline mlir::AffineMap loopMap(mlir::MLIRContext *context, unsigned rank,
                               llvm::ArrayRef<mlir::AffineExpr> results,
                               unsigned symbols = 0) {
  return mlir::AffineMap::get(rank, symbols, results, context);
}

/// All loops parallel.
inline LoopKinds parallelLoops(unsigned rank) {
  return LoopKinds(rank, mlir::utils::IteratorType::parallel);
}

} // namespace tarn::graph

#endif // DIALECTS_TARN_LOOPS_H
