//===- MinCut.h - maximum flow and minimum cut ------------------*- C++ -*-===//
//
// Dinic's algorithm (1970) on a network with a source and a sink.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_MINCUT_H
#define PASSES_PLAN_SCHEDULE_MINCUT_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tarn::schedule {

class Network {
public:
  static constexpr int64_t unlimited = int64_t(1) << 60;
  static constexpr int source = 0, sink = 1;

  Network() : heads(2, -1) {}
  int addNode() {
    heads.push_back(-1);
    return int(heads.size()) - 1;
  }
  void addEdge(int from, int to, int64_t capacity);
  /// The capacity of the least cut; `isOnSourceSide` tells the cut afterwards.
  int64_t solve();
  bool isOnSourceSide(int node) const { return level[size_t(node)] >= 0; }

private:
  bool findLevels();
  int64_t push();

  struct Edge {
    int to, next;
    int64_t left;
  };
  std::vector<Edge> edges;
  std::vector<int> heads, level, at, path, queue;
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_MINCUT_H
