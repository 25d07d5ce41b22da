//===- MicroBatches.h - the step of a batch, a part at a time ---*- C++ -*-===//

#ifndef COMPILER_DRIVER_MICROBATCHES_H
#define COMPILER_DRIVER_MICROBATCHES_H

#include "compiler/Driver/BatchCut.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>

namespace tarn {

/// The training step of a model as micro-batches of the same batch: its text
/// for fewer rows, accumulated. What the caller sees stays: inputs, state, and
/// every other function.
class MicroBatches {
public:
  /// Imports the model with the given dims instead of the request's; null where
  /// that fails. Says nothing.
  using Import = std::function<mlir::OwningOpRef<mlir::ModuleOp>(
      const std::map<std::string, int64_t> &)>;

  /// A module that has come through phase train, and what it takes.
  struct Cut {
    BatchCut how;
    mlir::OwningOpRef<mlir::ModuleOp> module;
  };

  /// `base` is the module for the whole batch, after phase train.
  MicroBatches(const CompileRequest &request, mlir::ModuleOp base,
               Import import)
      : request(request), base(base), import(std::move(import)) {}

  /// How many micro-batches are worth a try, increasing; empty where the batch
  /// can't be cut. Depends on the model alone.
  const std::vector<int64_t> &counts();
  /// The step as so many micro-batches; null where it can't be. Valid until
  /// asked for another number.
  const Cut *of(int64_t count);

private:
  void findDim();
  std::unique_ptr<Cut> make(int64_t count);
  void cutEvaluations(mlir::ModuleOp parts, Allowed allowed, int64_t count,
                      std::map<std::string, BatchCut> &cuts);

  const CompileRequest &request;
  mlir::ModuleOp base;
  Import import;
  mlir::OwningOpRef<mlir::ModuleOp> whole; ///< as imported
  std::string dim;                         ///< the symbolic dim of rows
  std::map<std::string, int64_t> shape;
  std::optional<std::vector<int64_t>> known;
  int64_t madeFor = 0;
  std::unique_ptr<Cut> made;
};

} // namespace tarn

#endif // COMPILER_DRIVER_MICROBATCHES_H
