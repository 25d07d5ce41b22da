//===- Program.h - a step program as values and their uses ------*- C++ -*-===//
//
// Reads a `step.program` back into what it computes with: each value that the
// plan placed, the step that makes it and the steps that read it. Repeats count
// once, so that a report of many micro-batches stays as long as one.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_REPORT_PROGRAM_H
#define COMPILER_REPORT_PROGRAM_H

#include "dialects/Step/StepOps.h"
#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/TileOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

#include <map>
#include <vector>

namespace tarn::report {

/// A launch, copy or fill, with what it reads and writes. Launches of a group
/// are steps of their own here, one behind the other.
struct ProgramStep {
  mlir::Operation *op = nullptr;
  step::LaunchGroupOp group; ///< null for what is launched alone
  tile::KernelOp kernel;     ///< null for copies and fills
  graph::ClusterOp cluster;  ///< null where the graph is not at hand
  int64_t repeats = 1;
  std::vector<int64_t> reads, writes; ///< indices of values
};

/// A value: a `step.live`, or a bound state.
struct ProgramValue {
  std::string name, role;
  step::SliceAttr slice;
  mlir::Location loc;
  mlir::Type type;
  int64_t first = -1, last = -1; ///< steps
  int64_t maker = -1;            ///< the step that writes it; -1 = none
  std::vector<int64_t> readers;
};

struct Program {
  explicit Program(step::ProgramOp op);

  /// The part of a location that names the layer; empty if none.
  static std::string layerOf(mlir::Location loc);

  /// The first step of the group that a step is part of, or the step.
  int64_t firstOf(int64_t step) const;

  step::ProgramOp op;
  mlir::func::FuncOp function, micro; ///< null where the module has none
  std::vector<ProgramStep> steps;
  /// Values of all spaces but the state; then `states`, by place.
  std::vector<ProgramValue> values;
  std::vector<ProgramValue> states;
  /// By step: the states that it reads and writes (indices of `states`).
  std::vector<std::vector<int64_t>> stateReads, stateWrites;

private:
  struct Part {
    int64_t flat, turns, length, base;
  };
  void addStep(mlir::Operation &op, int64_t repeats,
               mlir::SymbolTable &symbols);
  void addLaunch(step::LaunchOp launch, step::LaunchGroupOp group,
                 int64_t repeats, mlir::SymbolTable &symbols);
  void addSteps();
  void addValues();
  void link();
  void findClusters();
  /// A step of the unrolled program as ours: the first of them, and the last.
  std::pair<int64_t, int64_t> folded(int64_t flat) const;
  int64_t valueAt(step::SliceAttr slice, int64_t step, bool written) const;
  int64_t stateAt(step::SliceAttr slice) const;

  std::vector<Part> parts;
  /// Our first step of each step of the program, repeats counted once.
  std::vector<int64_t> begins;
  /// Values by space and offset, to find a slice's.
  std::map<std::pair<int, int64_t>, std::vector<int64_t>> byPlace;
  std::map<int64_t, int64_t> stateByOffset;
};

} // namespace tarn::report

#endif // COMPILER_REPORT_PROGRAM_H
