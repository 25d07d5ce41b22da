//===- Sizing.h - the memory of one rank ------------------------*- C++ -*-===//
//
// Sizes a training step of any scale for one rank of a mesh, from its graph: by
// roles, by the ties between dims, by what the backward pass reads. Bytes only;
// no communication is timed.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_SIZING_H
#define COMPILER_SIZING_SIZING_H

#include "compiler/Sizing/SavedValues.h"

#include "llvm/ADT/SetVector.h"

#include <map>
#include <memory>

namespace tarn {

struct SizeOptions {
  ShardOptions shard;
  SaveOptions save;
  Recipe recipe;
  /// What data-parallel ranks share: 0 nothing, 1 optimizer state, 2 gradients
  /// too, 3 weights too (Rajbhandari et al., arXiv 1910.02054).
  int zero = 0;
  /// Micro-batches of a step, for pipelines; 0 = what the model accumulates, or
  /// at least as many as stages.
  int64_t microBatches = 0;
};

/// Bytes of one rank of a pipeline stage.
struct StageBytes {
  int64_t stage = 0;
  int64_t firstLayer = 0, endLayer = 0;
  double weights = 0, gradients = 0, optimizer = 0;
  /// Saved for the backward pass by one micro-batch, and how many of them are
  /// under way at once.
  double activations = 0;
  int64_t inFlight = 1;
  /// Of `activations`: what a loss looks at.
  double logits = 0;
  /// Weights in another precision, masks and the like that come from weights
  /// alone: once, whatever is under way.
  double copies = 0;
  /// What recompute makes again: the fullest layer's.
  double recomputed = 0;
  /// Weights that are gathered, gradients that are not scattered yet.
  double buckets = 0;
  /// Inputs, counters, other state.
  double other = 0;
  double states() const { return weights + gradients + optimizer; }
  double total() const {
    return states() + activations * double(inFlight) + copies + recomputed +
           buckets + other;
  }
};

/// One tensor and how it is split.
struct SizedTensor {
  std::string name, role;
  mlir::Value value;
  Shards shards;
  double bytes = 0, rankBytes = 0;
  int64_t layer = 0;
};

struct RankMemory {
  std::vector<StageBytes> stages;
  /// Index of the stage that takes most.
  size_t worst = 0;
  int64_t layers = 0;
  double parameters = 0; ///< elements of the whole model
  std::vector<SizedTensor> tensors;
  /// Extents that are padded to a multiple of tp, and a tensor that has one.
  std::vector<std::pair<int64_t, std::string>> padded;
};

/// The graph of a step, read once and sized as often as asked.
class Sizing {
public:
  /// Emits errors at the model's places. The module is as phase train (or a
  /// later one up to fuse) leaves it.
  static std::unique_ptr<Sizing> read(mlir::ModuleOp module);
  mlir::FailureOr<RankMemory> size(const SizeOptions &options);

  const StepGraph &graph() const { return step; }
  const Layers &layers() const { return found; }
  Parallelism &parallelism() { return *ways; }

private:
  explicit Sizing(StepGraph graph) : step(std::move(graph)) {}
  StepGraph step;
  Layers found;
  DimClasses classes;
  std::unique_ptr<Parallelism> ways;
  /// Layers that read a weight, itself or what comes from it alone.
  llvm::SmallSetVector<int64_t, 2> readersOf(mlir::Value weight) const;
  /// Of each parameter.
  std::vector<llvm::SmallSetVector<int64_t, 2>> readers;
  llvm::DenseMap<mlir::Operation *, int64_t> layerOf; ///< of forward ops
};

} // namespace tarn

#endif // COMPILER_SIZING_SIZING_H
