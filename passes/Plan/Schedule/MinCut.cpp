//===- MinCut.cpp ---------------------------------------------------------===//

#include "passes/Plan/Schedule/MinCut.h"

#include <algorithm>

using namespace tarn::schedule;

int Network::addEdge(int from, int to, int64_t capacity) {
  int edge = int(edges.size());
  edges.push_back({to, heads[size_t(from)]});
  left.push_back(capacity);
  heads[size_t(from)] = edge;
  edges.push_back({from, heads[size_t(to)]});
  left.push_back(0);
  heads[size_t(to)] = edge + 1;
  return edge;
}

bool Network::findLevels() {
  level.assign(heads.size(), -1);
  level[source] = 0;
  queue.assign(1, source);
  for (size_t i = 0; i != queue.size(); ++i) {
    size_t node = size_t(queue[i]);
    if (level[sink] >= 0 && level[node] >= level[sink])
      return true; // what is further away leads nowhere
    for (int e = heads[node]; e >= 0; e = edges[size_t(e)].next) {
      size_t to = size_t(edges[size_t(e)].to);
      if (left[size_t(e)] > 0 && level[to] < 0) {
        level[to] = level[node] + 1;
        queue.push_back(int(to));
      }
    }
  }
  return level[sink] >= 0;
}

/// Along paths of rising levels, until there are no more.
void Network::block() {
  at = heads;
  path.clear();
  size_t node = source;
  while (true) {
    if (node == sink) {
      int64_t flow = unlimited;
      for (int e : path)
        flow = std::min(flow, left[size_t(e)]);
      size_t full = path.size();
      for (size_t i = path.size(); i-- > 0;) {
        size_t e = size_t(path[i]);
        left[e] -= flow;
        left[e ^ 1] += flow;
        if (left[e] == 0)
          full = i;
      }
      // On from where the path is full.
      node = size_t(edges[size_t(path[full] ^ 1)].to);
      path.resize(full);
      continue;
    }
    int &e = at[node];
    while (e >= 0 && (left[size_t(e)] == 0 ||
                      level[size_t(edges[size_t(e)].to)] != level[node] + 1))
      e = edges[size_t(e)].next;
    if (e >= 0) {
      path.push_back(e);
      node = size_t(edges[size_t(e)].to);
      continue;
    }
    if (path.empty())
      return;
    // A dead end: back, and past the edge that led here.
    size_t last = size_t(path.back());
    path.pop_back();
    node = size_t(edges[last ^ 1].to);
    at[node] = edges[last].next;
  }
}

void Network::solve() {
  while (findLevels())
    block();
}
