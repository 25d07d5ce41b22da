//===- Scheduler.h - the schedules of one function --------------*- C++ -*-===//
//
// Between MLIR and the search, which knows nothing of it (Schedule/): what a
// function's kernels take, the plans that are found for them, and what a plan
// that was chosen makes of the function.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULER_H
#define PASSES_PLAN_SCHEDULER_H

#include "compiler/Cost/CostModel.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/KernelGraph.h"
#include "passes/Plan/Schedule/Ladder.h"
#include "passes/Plan/Schedule/Repeats.h"
#include "passes/Plan/Variants.h"

namespace tarn {

/// A schedule and what it comes to.
struct Choice {
  std::string name;
  schedule::Plan plan;
  /// That live at the fullest moment: no arena is smaller.
  int64_t liveBytes = 0;
  /// Of the arena as it is packed, and packed with little effort, which is no
  /// less; -1 until somebody asks.
  int64_t arenaBytes = -1, roughBytes = -1;
  double seconds = 0;
  int64_t repeats = 0; ///< launches beyond the first of each kernel
  double againSeconds = 0;
  /// Copied to host memory, what of it is there at a time (as packed, like the
  /// arena), what copies cost.
  int64_t offloadedBytes = 0, hostBytes = -1;
  double copySeconds = 0;
  /// Launches of kernels that make some of their inputs themselves.
  int64_t prologues = 0;
};

/// The schedules of one function.
class Scheduler {
public:
  Scheduler(mlir::func::FuncOp function, const StateLayout &state,
            const CostModel &costs, int64_t turns, int64_t hostBytes)
      : function(function), state(state), costs(costs), turns(turns),
        hostBytes(hostBytes),
        materializer(function->getParentOfType<mlir::ModuleOp>()) {}
  ~Scheduler() { eraseUnused(); }

  /// `withVariants`: kernels may make some of their inputs themselves.
  mlir::LogicalResult prepare(bool withVariants);
  llvm::ArrayRef<Variant> forms() const {
    return variants ? variants->all() : llvm::ArrayRef<Variant>();
  }
  /// Everything kept, in the order that keeps least alive.
  Choice keepAll();
  Choice byPolicy(llvm::StringRef policy);
  /// All of them, the fastest first; `effort` as for schedule::climb.
  llvm::SmallVector<Choice> ladder(double effort);
  /// Packs the arena of a schedule, once: a ladder has many rungs, and few of
  /// them are ever near a budget.
  int64_t pack(Choice &choice);
  /// The same with little effort, if it has not been packed with all.
  int64_t packRoughly(Choice &choice);
  int64_t packHost(Choice &choice);
  /// More than any schedule needs.
  int64_t allBytes() const {
    int64_t bytes = 0;
    for (const schedule::Value &value : graph->graph().values)
      bytes += value.bytes;
    for (const schedule::Task &task : graph->graph().tasks)
      bytes += task.workspace;
    return bytes;
  }
  /// No schedule of these kernels needs less arena, or takes less time in
  /// `bytes` of it.
  int64_t leastBytes() { return schedule::leastBytes(graph->graph()); }
  schedule::SecondsBound leastSeconds(int64_t bytes) {
    return schedule::leastSeconds(graph->graph(), bytes);
  }
  /// Layers that are alike, by what their kernels read, make and take.
  /// Only what a step has many of.
  std::vector<schedule::Repeat> repeats() {
    std::vector<schedule::Repeat> found = schedule::findRepeats(graph->graph());
    llvm::erase_if(found, [&](const schedule::Repeat &repeat) {
      return size_t(repeat.covered()) * 20 < graph->graph().tasks.size();
    });
    return found;
  }
  /// Adds notes on what lives at the fullest moment, and what would free it.
  /// Plans a copy.
  mlir::LogicalResult explainPeak(const Choice &choice,
                                  mlir::InFlightDiagnostic &error);
  /// Rewrites the function. Nothing else may be asked afterwards.
  void apply(const Choice &choice);

private:
  Choice measure(std::string name, const schedule::Plan &plan);
  std::unique_ptr<KernelGraph> graphOf(mlir::func::FuncOp target,
                                       llvm::ArrayRef<Variant> forms);
  double secondsOf(tile::KernelOp kernel);
  void eraseUnused();

  mlir::func::FuncOp function;
  const StateLayout &state;
  const CostModel &costs;
  int64_t turns, hostBytes;
  Materializer materializer;
  std::optional<Variants> variants;
  std::unique_ptr<KernelGraph> graph;
  /// Results of kernels, in order: whether each lies outside of the arena.
  std::vector<char> isOutside;
  llvm::DenseMap<mlir::Operation *, double> known;
};

} // namespace tarn

#endif // PASSES_PLAN_SCHEDULER_H
