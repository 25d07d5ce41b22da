//===- RunPhases.h - passes over a module, with what they say ---*- C++ -*-===//

#ifndef COMPILER_DRIVER_RUNPHASES_H
#define COMPILER_DRIVER_RUNPHASES_H

#include "compiler/Driver/Compile.h"
#include "compiler/Pipeline/Phases.h"

namespace tarn {

/// How a run of phases ended.
struct PhasesOutcome {
  CompileStatus status = CompileStatus::success;
  /// Messages, as they are to be printed.
  std::string said;
  /// Where the budget was missed: the smallest that is met.
  std::optional<int64_t> leastBudget;
  /// Of these, what lies outside of the arena: state, inputs, outputs.
  int64_t otherBytes = 0;
  /// Whatever its plan, the step is of no use by `beatSeconds` or `beatBytes`.
  bool beaten = false;
  /// Seconds per phase, in order.
  std::vector<std::pair<std::string, double>> seconds;
};

/// Runs the phases from `first` up to `last` (both included, package not) on a
/// module. `isFinal`: this run is not one of several that are compared, and
/// writes the dump that was asked for.
PhasesOutcome runPhases(const CompileRequest &request, mlir::ModuleOp module,
                        Phase first, Phase last, const PipelineOptions &options,
                        bool isFinal);

} // namespace tarn

#endif // COMPILER_DRIVER_RUNPHASES_H
