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
  /// Returns the edge's number.
  int addEdge(int from, int to, int64_t capacity);
  /// Also between two solutions: the flow so far stays.
  void raise(int edge, int64_t more) { left[size_t(edge)] += more; }
  /// The least cut; `isOnSourceSide` tells it afterwards: the smallest such
  /// side, however the network came to its flow.
  void solve();
  bool isOnSourceSide(int node) const { return level[size_t(node)] >= 0; }

  /// What is left of capacities: to go back to an earlier flow.
  const std::vector<int64_t> &flow() const { return left; }
  void setFlow(const std::vector<int64_t> &flow) { left = flow; }

private:
  bool findLevels();
  void block();

  struct Edge {
    int to, next;
  };
  std::vector<Edge> edges;
  std::vector<int64_t> left;
  std::vector<int> heads, level, at, path, queue;
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_MINCUT_H
