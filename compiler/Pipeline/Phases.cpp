//===- Phases.cpp - the way a model takes ---------------------------------===//

#include "compiler/Pipeline/Phases.h"

#include "passes/Fuse/Passes.h"
#include "passes/Graph/Passes.h"
#include "passes/Layout/Passes.h"
#include "passes/Plan/Passes.h"
#include "passes/Precision/Passes.h"
#include "passes/Tile/Passes.h"
#include "passes/Train/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace tarn;

static constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> table[] = {
#define TARN_PHASE(enumerator, flag, text) {flag, text},
#include "compiler/Pipeline/Phases.def"
};

StringRef tarn::phaseFlag(Phase phase) { return table[unsigned(phase)].first; }

StringRef tarn::phaseText(Phase phase) { return table[unsigned(phase)].second; }

std::optional<Phase> tarn::phaseFromFlag(StringRef flag) {
  for (unsigned i = 0; i != phaseCount; ++i)
    if (table[i].first == flag)
      return Phase(i);
  return std::nullopt;
}

std::string tarn::phaseFlags() {
  std::string all;
  for (auto &[flag, text] : table)
    all += (all.empty() ? "" : ", ") + flag.str();
  return all;
}

static bool isForGpu(const PipelineOptions &options) {
  return StringRef(options.target).starts_with("cuda:");
}

/// Functions are one block, so that there are ops to simplify and no regions.
static std::unique_ptr<Pass> createCanonicalizer() {
  GreedyRewriteConfig config;
  config.setUseTopDownTraversal();
  config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
  return createCanonicalizerPass(config);
}

void tarn::buildPhase(OpPassManager &pm, Phase phase,
                      const PipelineOptions &options) {
  switch (phase) {
  case Phase::Import:
  case Phase::Package:
    return;
  case Phase::Graph:
    // Before gradients: what is equal is differentiated once.
    pm.addPass(createCanonicalizer());
    pm.addPass(createCSEPass());
    return;
  case Phase::Train:
    if (options.gradientOf.empty())
      pm.addPass(createTarnBuildStep());
    else
      pm.addPass(createTarnBuildGradient(
          TarnBuildGradientOptions{options.gradientOf}));
    pm.addPass(createTarnVerifyStep());
    pm.addPass(createCanonicalizer());
    pm.addPass(createCSEPass());
    return;
  case Phase::Precision:
    pm.addNestedPass<func::FuncOp>(createTarnMixedPrecision());
    if (options.narrow) {
      pm.addNestedPass<func::FuncOp>(createTarnNarrowSaved());
      pm.addPass(createCSEPass());
    }
    return;
  case Phase::Layout: {
    pm.addPass(graph::createDecompose());
    pm.addPass(createCanonicalizer());
    pm.addPass(createTarnSinkReshapes());
    // Reshapes that met are one now, or none; equal ops have one shape.
    pm.addPass(createCanonicalizer());
    pm.addPass(createCSEPass());
    if (options.chunks > 1) {
      pm.addNestedPass<func::FuncOp>(
          createTarnChunkRows(TarnChunkRowsOptions{options.chunks}));
      pm.addPass(createCSEPass());
    }
    pm.addNestedPass<func::FuncOp>(
        createTarnSplitAttention({isForGpu(options)}));
    pm.addNestedPass<func::FuncOp>(createTarnOutlineSalts());
    // Of the reductions that are left, in parts or not. A GPU has many
    // multiprocessors to fill.
    TarnSplitReductionsOptions split;
    split.forGpu = isForGpu(options);
    if (split.forGpu)
      split.blocks = 264;
    pm.addNestedPass<func::FuncOp>(createTarnSplitReductions(split));
    return;
  }
  case Phase::Fuse:
    pm.addNestedPass<func::FuncOp>(
        createTarnFuseClusters({options.explainFusion}));
    return;
  case Phase::Tile:
    pm.addPass(createTarnMaterializeTiles(
        {isForGpu(options), options.gemm, options.tuneFile,
         StringRef(options.target).split(':').second.str()}));
    // Constants and index arithmetic of the tile programs.
    pm.addPass(createCSEPass());
    return;
  case Phase::Plan:
    // A budget asks for the best plan that fits. What is to be offloaded is
    // judged when it has been.
    pm.addPass(createTarnPlanSchedule(
        {options.policy == "offload-all" ? -1 : options.budgetBytes,
         options.keepAllFirst,
         options.budgetBytes >= 0 && options.policy == "keep-all"
             ? "auto"
             : options.policy,
         options.device, options.times, options.hostBytes, options.orSmallest,
         options.beatSeconds, options.beatBytes, options.effort}));
    if (options.policy == "offload-all")
      pm.addNestedPass<func::FuncOp>(createTarnPlanOffload());
    if (isForGpu(options) && !options.ungrouped)
      pm.addPass(createTarnGroupLaunches({options.device}));
    pm.addPass(createTarnPlanMemory({options.inPlace}));
    return;
  }
}
