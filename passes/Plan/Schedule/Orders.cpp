//===- Orders.cpp ---------------------------------------------------------===//

#include "passes/Plan/Schedule/Orders.h"

#include <algorithm>
#include <numeric>
#include <set>

using namespace tarn::schedule;

std::vector<int> tarn::schedule::givenOrder(const Graph &graph) {
  std::vector<int> order(graph.tasks.size());
  std::iota(order.begin(), order.end(), 0);
  return order;
}

namespace {

/// Runs tasks one by one and knows what each would leave alive.
class Running {
public:
  explicit Running(const Graph &graph);
  bool isReady(int task) const { return waits[size_t(task)] == 0; }
  /// Bytes that live after the task, less those before.
  int64_t growth(int task) const;
  /// Whether a task leaves next to nothing for what it reads: a sum of squares,
  /// a maximum. What it reads is then free to go, or to wait elsewhere.
  bool isSummary(int task) const;
  /// Returns the tasks whose growth or readiness may have changed.
  const std::vector<int> &run(int task);

private:
  const Graph &graph;
  std::vector<std::vector<int>> readers; ///< of each value, once each
  std::vector<int> waits;                ///< of each task: makers still to run
  std::vector<int> toRead;               ///< of each value: readers to come
  std::vector<int> touched;
};

} // namespace

static std::vector<int> unique(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Running::Running(const Graph &graph) : graph(graph) {
  readers.resize(graph.values.size());
  waits.resize(graph.tasks.size());
  toRead.resize(graph.values.size());
  for (size_t t = 0; t != graph.tasks.size(); ++t)
    for (int value : unique(graph.tasks[t].reads)) {
      readers[size_t(value)].push_back(int(t));
      ++toRead[size_t(value)];
      waits[t] += graph.values[size_t(value)].maker >= 0;
    }
}

int64_t Running::growth(int task) const {
  int64_t bytes = 0;
  const Task &t = graph.tasks[size_t(task)];
  for (int value : t.makes)
    if (toRead[size_t(value)] || graph.values[size_t(value)].isResult)
      bytes += graph.values[size_t(value)].bytes;
  for (int value : unique(t.reads))
    if (toRead[size_t(value)] == 1 && !graph.values[size_t(value)].isResult)
      bytes -= graph.values[size_t(value)].bytes;
  return bytes;
}

bool Running::isSummary(int task) const {
  constexpr int64_t little = 64;
  int64_t read = 0;
  for (int value : unique(graph.tasks[size_t(task)].reads))
    read += graph.values[size_t(value)].bytes;
  return growth(task) <= read / little;
}

const std::vector<int> &Running::run(int task) {
  touched.clear();
  const Task &t = graph.tasks[size_t(task)];
  waits[size_t(task)] = -1;
  for (int value : t.makes)
    for (int reader : readers[size_t(value)]) {
      --waits[size_t(reader)];
      touched.push_back(reader);
    }
  for (int value : unique(t.reads))
    if (--toRead[size_t(value)] == 1)
      for (int reader : readers[size_t(value)])
        if (waits[size_t(reader)] >= 0)
          touched.push_back(reader);
  return touched;
}

std::vector<int> tarn::schedule::eagerOrder(const Graph &graph) {
  Running running(graph);
  std::vector<int> order;
  std::vector<char> done(graph.tasks.size(), 0);
  std::vector<int> work;
  auto run = [&](int task) {
    done[size_t(task)] = 1;
    order.push_back(task);
    std::vector<int> touched = running.run(task);
    std::sort(touched.rbegin(), touched.rend());
    work.insert(work.end(), touched.begin(), touched.end());
  };
  for (size_t t = 0; t != graph.tasks.size(); ++t) {
    if (!done[t])
      run(int(t));
    while (!work.empty()) {
      int next = work.back();
      work.pop_back();
      if (!done[size_t(next)] && running.isReady(next) &&
          (running.growth(next) <= 0 || running.isSummary(next)))
        run(next);
    }
  }
  return order;
}

std::vector<int> tarn::schedule::leanOrder(const Graph &graph) {
  Running running(graph);
  std::vector<int> order;
  std::set<std::pair<int64_t, int>> ready;
  std::vector<int64_t> key(graph.tasks.size());
  auto add = [&](int task) {
    if (!running.isReady(task))
      return;
    ready.erase({key[size_t(task)], task});
    key[size_t(task)] = running.growth(task);
    ready.insert({key[size_t(task)], task});
  };
  for (size_t t = 0; t != graph.tasks.size(); ++t)
    add(int(t));
  while (!ready.empty()) {
    int task = ready.begin()->second;
    ready.erase(ready.begin());
    order.push_back(task);
    for (int next : running.run(task))
      add(next);
  }
  return order;
}
