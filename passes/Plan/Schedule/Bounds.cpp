//===- Bounds.cpp - what no schedule can beat -----------------------------===//

#include "passes/Plan/Schedule/Crossing.h"
#include "passes/Plan/Schedule/Ladder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tarn::schedule;

int64_t tarn::schedule::leastBytes(const Graph &graph) {
  int64_t most = 0;
  for (const Task &task : graph.tasks) {
    std::vector<int> values = task.reads;
    values.insert(values.end(), task.makes.begin(), task.makes.end());
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    int64_t bytes = task.workspace;
    for (int value : values)
      bytes += graph.values[size_t(value)].bytes;
    // Each made value may take the place of one read value.
    std::vector<int> taken;
    for (int made : task.makes)
      for (auto [read, into] : task.shares)
        if (into == made &&
            graph.values[size_t(read)].bytes == graph.values[size_t(made)].bytes &&
            !std::count(taken.begin(), taken.end(), read)) {
          taken.push_back(read);
          bytes -= graph.values[size_t(made)].bytes;
          break;
        }
    most = std::max(most, bytes);
  }
  return most;
}

