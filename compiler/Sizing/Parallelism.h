//===- Parallelism.h - which dims a mesh may split --------------*- C++ -*-===//
//
// The ways to split a model, found in its graph:
//
//   data      a dim of the inputs along which nothing but the loss and the
//             gradients of weights is summed
//   sequence  the other dim of the inputs that holds tokens
//   tensor    dims that a product with a weight makes and a later product with
//   a
//             weight sums over, with nothing in between that mixes positions:
//             heads, hidden features. Then vocabularies: rows that are read by
//             number, and features that only a loss looks at. Of dims that meet
//             in one tensor only one can be split: those with the least to add
//             up per weight that they split come first.
//   expert    dims along which a product has a weight matrix per position
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_PARALLELISM_H
#define COMPILER_SIZING_PARALLELISM_H

#include "compiler/Sizing/DimClasses.h"
#include "compiler/Sizing/Mesh.h"
#include "compiler/Sizing/StepGraph.h"

namespace tarn {

struct ShardOptions {
  Mesh mesh;
  /// Tokens of what tensor parallelism leaves whole are split as well.
  bool sequenceParallel = false;
  /// The load of the fullest rank of experts over the mean load.
  double imbalance = 1;
  /// Ranks that the model's batch is for, where that is not dp: the batch then
  /// grows with dp. 0 = dp.
  int64_t batchRanks = 0;
  int64_t overBatch() const { return batchRanks ? batchRanks : mesh.dp; }
};

/// How a value is split over the ranks.
struct Shards {
  /// Ranks that split it, by axis; `tokens` are those of tp under sequence
  /// parallelism.
  int64_t data = 1, tensor = 1, tokens = 1, expert = 1;
  /// Elements of one rank.
  double elements = 0;
};

class Parallelism {
public:
  Parallelism(StepGraph &step, DimClasses &classes);

  /// Checks that the mesh divides what it splits; else one error that names the
  /// dim, the tensor and its line.
  mlir::LogicalResult check(const ShardOptions &options);

  Shards shardsOf(mlir::Value value, const ShardOptions &options);
  /// Whether a value holds a vocabulary's or a classifier's features, which
  /// only a loss looks at.
  bool isLogits(mlir::Value value);
  /// Whether it relates tokens with tokens, as scores of attention do.
  bool isQuadratic(mlir::Value value);
  /// Whether it is on the experts' side: their weights, and tokens that were
  /// dispatched to them.
  bool isExpert(mlir::Value value);
  /// Extents that are padded to a multiple of tp: extent and tensor.
  std::vector<std::pair<int64_t, std::string>>
  padded(const ShardOptions &options);
  /// Tokens of one data-parallel rank: batch times sequence.
  double tokensOf(const ShardOptions &options) const;

private:
  void findTokens();
  void findTensorDims();
  mlir::InFlightDiagnostic refuse(DimClass dim, llvm::StringRef axis,
                                  int64_t ranks,
                                  const SizedParameter *of = nullptr);
  std::string describe(mlir::Value value, llvm::StringRef name, DimClass dim);

  StepGraph &step;
  DimClasses &classes;
  llvm::SmallVector<DimEvent> events; ///< of the forward pass
  std::optional<DimClass> batch, sequence;
  llvm::DenseSet<DimClass> tokens;
  llvm::DenseSet<DimClass> tensor;
  /// Those of `tensor` that no later product sums over.
  llvm::DenseSet<DimClass> last;
  /// Dims of experts, and for each the weights and the other dims that those
  /// have: a router names experts too, and is not split.
  llvm::DenseSet<DimClass> expert;
  /// Rows in the order of experts.
  llvm::DenseSet<DimClass> dispatched;
  llvm::DenseSet<mlir::Value> expertWeights;
  llvm::DenseMap<DimClass, llvm::DenseSet<DimClass>> expertFeatures;
};

} // namespace tarn

#endif // COMPILER_SIZING_PARALLELISM_H
