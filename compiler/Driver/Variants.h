//===- Variants.h - ways to compute one training step -----------*- C++ -*-===//
//
// The exact step, and steps that differ from it in rounding or in meaning,
// where the user allows it. Which there are depends on the model alone, and
// each has its own ladder of plans; the fastest plan that fits is taken over
// all of them. So a larger budget is never slower, and allowing more never is
// either.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_DRIVER_VARIANTS_H
#define COMPILER_DRIVER_VARIANTS_H

#include "compiler/Driver/MicroBatches.h"
#include "compiler/Driver/RunPhases.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tarn {

/// `exact`, `rounding` or `meaning`.
llvm::StringRef allowedWord(Allowed allowed);

/// One way to compute the step.
struct StepVariant {
  /// Micro-batches that the batch is cut in.
  int64_t micro = 1;
  /// Parts that the rows of the loss are cut in.
  int64_t chunks = 1;
  /// What waits for the backward pass is kept in bf16.
  bool narrow = false;

  bool isExact() const { return micro == 1 && chunks == 1 && !narrow; }
  /// `4 micro-batches, loss in 8 chunks, saved values in bf16`; empty for the
  /// exact one.
  std::string text() const;
};

/// A variant that came through the phase plan, or did not.
struct PlannedVariant {
  StepVariant variant;
  Allowed needs = Allowed::exact;
  PhasesOutcome outcome;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Where it fits: bytes of all memory spaces, and seconds of a step.
  int64_t bytes = 0;
  double seconds = 0;

  bool fits() const {
    return outcome.status == CompileStatus::success && !outcome.leastBudget;
  }
};

/// Plans a module that has come through the phase train, and the variants
/// that `allowed` takes in. The fastest that fits comes back, the exact one
/// before others; where none fits, the one that takes least.
PlannedVariant planVariants(const CompileRequest &request, mlir::ModuleOp base,
                            MicroBatches &micro, const PipelineOptions &options,
                            Allowed allowed);

/// Plans that fit with more allowed, where some were found: without and with
/// micro-batches. The fastest may be another one. `missed`: how the budget was
/// missed.
std::vector<Offer> offersBeyond(const CompileRequest &request,
                                mlir::ModuleOp base, MicroBatches &micro,
                                const PipelineOptions &options,
                                const PhasesOutcome &missed);

/// What the passes noted of a planned module, for people and reports.
std::vector<NumericsNote> numericsOf(mlir::ModuleOp module);

} // namespace tarn

#endif // COMPILER_DRIVER_VARIANTS_H
