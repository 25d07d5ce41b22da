//===- MeshOptions.h - options of sizing one rank of many -------*- C++ -*-===//

#ifndef TOOLS_TARN_MESHOPTIONS_H
#define TOOLS_TARN_MESHOPTIONS_H

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace tarn::cli {

/// `tarn plan MODEL --mesh ...`: the memory of one rank, from the graph.
struct MeshOptions {
  /// Whether any of these options was given.
  bool asked = false;
  /// Axes and ranks: `dp=64,tp=8,ep=64,pp=8`.
  std::string mesh;
  /// What data-parallel ranks share: 0, 1, 2 or 3.
  int zero = 0;
  bool sequenceParallel = false;
  /// Bytes of weights, gradients, states: a name of compiler/Sizing/Recipe.h.
  std::string recipe = "graph";
  /// `none`, `cheap`, `selective`, `full`; empty = what --policy says.
  std::string recompute;
  /// `replayed` from their counters or `saved`.
  std::string masks = "replayed";
  /// `fused` or `materialised`.
  std::string attention = "fused";
  /// Whether the graph is sized as kernels see it: `off`, `on`.
  std::string fuse = "off";
  /// Load of the fullest rank of experts over the mean.
  double imbalance = 1;
  int64_t microBatches = 0;
  /// Tensors to list, the largest first.
  int64_t list = 0;
  /// The table: tokens to train on, devices, how many of them.
  double tokens = 0;
  std::vector<std::string> devices = {"h100"};
  std::vector<int64_t> counts;
};

/// Adds them as a group of their own to `tarn plan`.
void addMeshOptions(CLI::App *plan, MeshOptions &options);

} // namespace tarn::cli

#endif // TOOLS_TARN_MESHOPTIONS_H
