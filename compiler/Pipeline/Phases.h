//===- Phases.h - the way a model takes -------------------------*- C++ -*-===//

#ifndef COMPILER_PIPELINE_PHASES_H
#define COMPILER_PIPELINE_PHASES_H

#include "mlir/Pass/PassManager.h"

#include <optional>
#include <string>

namespace tarn {

enum class Phase {
#define TARN_PHASE(enumerator, flag, text) enumerator,
#include "compiler/Pipeline/Phases.def"
};

constexpr unsigned phaseCount = 0
#define TARN_PHASE(enumerator, flag, text) +1
#include "compiler/Pipeline/Phases.def"
    ;

/// The word for a phase on the command line.
llvm::StringRef phaseFlag(Phase phase);
/// What it does, in a few words.
llvm::StringRef phaseText(Phase phase);
/// The phase that a word names.
std::optional<Phase> phaseFromFlag(llvm::StringRef flag);
/// All words, for messages.
std::string phaseFlags();

struct PipelineOptions {
  /// Instead of a training step: this function and its gradients.
  std::string gradientOf;
  /// What is kept for the backward pass: `keep-all`, `sqrt`, `recompute-all`,
  /// `offload-all` (kept in host memory), or `auto`: the fastest that fits into
  /// the budget.
  std::string policy = "keep-all";
  /// Whether results may lie over operands; false shows what that saves.
  bool inPlace = true;
  /// Bytes that all memory spaces together may take; negative: no limit. With
  /// one, the policy is `auto`.
  int64_t budgetBytes = -1;
  /// Bytes of host memory that a plan may park values in; negative: no limit.
  int64_t hostBytes = -1;
  /// Keep all where that fits, though another plan is faster.
  bool keepAllFirst = false;
  /// Take the smallest plan where none fits, and say so.
  bool orSmallest = false;
  /// Of the work that goes into plans of small graphs, the share to do.
  double effort = 1;
  /// What code is made for: "cpu", or a GPU's architecture ("cuda:sm_90a").
  std::string target = "cpu";
  /// Who runs plain products on a GPU: "own" kernels or "cublaslt".
  std::string gemm = "own";
  /// A file that says the fastest candidate of each product; empty = none.
  std::string tuneFile;
  /// The device that times are estimated for.
  std::string device = "cpu";
  /// A file with measured times of kernels; empty = none.
  std::string times;
  /// Parts that the rows of the loss are cut in (changes rounding); 1 = whole.
  int64_t chunks = 1;
  /// Keep what waits for the backward pass in bf16 (changes rounding).
  bool narrow = false;
  /// A step that takes as long or longer is of no use, however it is planned;
  /// 0: every one is.
  double beatSeconds = 0;
  /// The same for bytes of all memory spaces.
  int64_t beatBytes = 0;
  /// Launch one by one what a GPU could launch as one.
  bool ungrouped = false;
  /// Clusters say why they are kernels of their own, and remarks tell.
  bool explainFusion = false;
};

/// Adds the passes of a phase between import and package to `pm`, which runs on
/// a module.
void buildPhase(mlir::OpPassManager &pm, Phase phase,
                const PipelineOptions &options);

} // namespace tarn

#endif // COMPILER_PIPELINE_PHASES_H
