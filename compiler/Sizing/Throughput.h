//===- Throughput.h - how long one rank computes ----------------*- C++ -*-===//
//
// The computing time of a step on one rank: products by the roofline of the
// cost model, everything between them by one pass over memory. The mesh divides
// what it splits. No communication is in it: it is what a step takes at least.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_THROUGHPUT_H
#define COMPILER_SIZING_THROUGHPUT_H

#include "compiler/Cost/CostModel.h"
#include "compiler/Sizing/Sizing.h"

namespace tarn {

/// What one rank computes, independent of the device.
struct RankWork {
  /// Products of one micro-batch on all stages: forward, backward, recompute.
  std::vector<KernelCost> products;
  /// Their operations: two per multiply-add; masked ones count.
  double flops = 0;
  /// Bytes that other ops move of one micro-batch, and the update of a step.
  double passBytes = 0, updateBytes = 0;
  /// Tokens (rows of the inputs) of one micro-batch of one data-parallel rank.
  double tokens = 0;
  /// Of all layers, what the stage that has most of them runs.
  double stageShare = 1;
};

RankWork workOf(Sizing &sizing, const SizeOptions &options,
                const RankMemory &memory);

/// Seconds of a step of `microBatches` on `stages` stages that run one forward,
/// one backward: stages wait while the pipeline fills and drains.
double stepSeconds(const RankWork &work, const CostModel &model, int64_t stages,
                   int64_t microBatches);

} // namespace tarn

#endif // COMPILER_SIZING_THROUGHPUT_H
