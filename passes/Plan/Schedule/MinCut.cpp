//===- MinCut.cpp ---------------------------------------------------------===//

#include "passes/Plan/Schedule/MinCut.h"

#include <algorithm>

using namespace tarn::schedule;

void Network::addEdge(int from, int to, int64_t capacity) {
  edges.push_back({to, heads[size_t(from)], capacity});
  heads[size_t(from)] = int(edges.size()) - 1;
  edges.push_back({from, heads[size_t(to)], 0});
  heads[size_t(to)] = int(edges.size()) - 1;
}

bool Network::findLevels() {
  level.assign(heads.size(), -1);
  level[source] = 0;
  queue.assign(1, source);
  for (size_t i = 0; i != queue.size(); ++i)
    for (int e = heads[size_t(queue[i])]; e >= 0; e = edges[size_t(e)].next) {
      const Edge &edge = edges[size_t(e)];
      if (edge.left > 0 && level[size_t(edge.to)] < 0) {
        level[size_t(edge.to)] = level[size_t(queue[i])] + 1;
        queue.push_back(edge.to);
      }
    }
  return level[sink] >= 0;
}

/// Along one path of rising levels; `path` holds its edges.
int64_t Network::push() {
  path.clear();
  int node = source;
  while (node != sink) {
    int &e = at[size_t(node)];
    while (e >= 0 &&
           (edges[size_t(e)].left == 0 ||
            level[size_t(edges[size_t(e)].to)] != level[size_t(node)] + 1))
      e = edges[size_t(e)].next;
    if (e >= 0) {
      path.push_back(e);
      node = edges[size_t(e)].to;
      continue;
    }
    if (path.empty())
      return 0;
    // A dead end: back, and past the edge that led here.
    int last = path.back();
    path.pop_back();
    node = edges[size_t(last ^ 1)].to;
    at[size_t(node)] = edges[size_t(last)].next;
  }
  int64_t flow = unlimited;
  for (int e : path)
    flow = std::min(flow, edges[size_t(e)].left);
  for (int e : path) {
    edges[size_t(e)].left -= flow;
    edges[size_t(e ^ 1)].left += flow;
  }
  return flow;
}

int64_t Network::solve() {
  int64_t total = 0;
  while (findLevels()) {
    at = heads;
    while (int64_t flow = push()) {
      total += flow;
      if (total >= unlimited)
        return unlimited;
    }
  }
  return total;
}
