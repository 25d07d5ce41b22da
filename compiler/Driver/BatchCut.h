//===- BatchCut.h - a batch as several micro-batches ------------*- C++ -*-===//
//
// Compares the forward function of a step with the same text's for fewer rows.
// Where dims differ is where the rows are; what each op does along them is what
// its indexing maps, shard kinds and loops say, and no name decides. So it is
// known whether micro-batches change the order of sums alone, or what is
// computed.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_DRIVER_BATCHCUT_H
#define COMPILER_DRIVER_BATCHCUT_H

#include "compiler/Driver/Compile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// What it takes to run a step as micro-batches.
struct BatchCut {
  Allowed needs = Allowed::rounding;
  /// Where that is `meaning`: why, and the place in the model.
  std::string reason;
  std::optional<mlir::Location> at;
};

/// Judges micro-batches of 1/`count` of the rows. `whole` and `part` are the
/// functions for all and for 1/`count` of them, as imported. Marks `part` for
/// tarn-build-step: inputs (`tarn.parts`, `tarn.whole`), results that add up
/// (`tarn.adds`), draws of which each micro-batch makes its part (`tarn.part`).
/// Nothing where `part` is no such part: an input is cut across, or the graph
/// is another one.
std::optional<BatchCut> cutBatch(mlir::func::FuncOp whole,
                                 mlir::func::FuncOp part, int64_t count);

} // namespace tarn

#endif // COMPILER_DRIVER_BATCHCUT_H
