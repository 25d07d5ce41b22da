//===- Reach.cpp - which tasks come before or behind others ---------------===//

#include "passes/Plan/Schedule/Reach.h"

#include <bit>

using namespace tarn::schedule;

Readers tarn::schedule::readersOf(const Graph &graph) {
  Readers readers(graph.values.size());
  for (size_t t = 0; t != graph.tasks.size(); ++t)
    for (int value : graph.tasks[t].reads)
      readers[size_t(value)].push_back(int(t));
  return readers;
}

/// All that `next` leads to from a task; itself only if it is met again.
template <typename F>
static std::vector<char> reach(const Graph &graph, int from, F next) {
  std::vector<char> seen(graph.tasks.size(), 0);
  std::vector<int> work{from};
  auto visit = [&](int task) {
    if (task >= 0 && !seen[size_t(task)]) {
      seen[size_t(task)] = 1;
      work.push_back(task);
    }
  };
  while (!work.empty()) {
    int task = work.back();
    work.pop_back();
    next(graph.tasks[size_t(task)], visit);
  }
  return seen;
}

std::vector<char> tarn::schedule::before(const Graph &graph, int task) {
  return reach(graph, task, [&](const Task &later, auto visit) {
    for (int value : later.reads)
      if (!later.mayDoWithout(value))
        visit(graph.values[size_t(value)].maker);
  });
}

std::vector<char> tarn::schedule::behind(const Graph &graph,
                                         const Readers &readers, int task) {
  return reach(graph, task, [&](const Task &earlier, auto visit) {
    for (int value : earlier.makes)
      for (int reader : readers[size_t(value)])
        if (!graph.tasks[size_t(reader)].mayDoWithout(value))
          visit(reader);
  });
}

namespace {

/// Tasks, a bit each.
class TaskSet {
public:
  explicit TaskSet(size_t tasks) : words((tasks + 63) / 64) {}
  void add(size_t task) { words[task / 64] |= uint64_t(1) << (task % 64); }
  void add(const TaskSet &other) {
    for (size_t w = 0; w != words.size(); ++w)
      words[w] |= other.words[w];
  }
  void clear() { words.assign(words.size(), 0); }
  /// Calls for each task that is in both.
  template <typename F> void forBoth(const TaskSet &other, F call) const {
    for (size_t w = 0; w != words.size(); ++w)
      for (uint64_t left = words[w] & other.words[w]; left; left &= left - 1)
        call(w * 64 + size_t(std::countr_zero(left)));
  }

private:
  std::vector<uint64_t> words;
};

} // namespace

std::vector<int64_t> tarn::schedule::bytesInEveryOrder(const Graph &graph,
                                                       const Readers &readers) {
  // Of each task: itself and all before it, or behind it.
  size_t tasks = graph.tasks.size();
  std::vector<TaskSet> before(tasks, TaskSet(tasks)), behind(before);
  for (size_t t = 0; t != tasks; ++t) {
    before[t].add(t);
    for (int value : graph.tasks[t].reads)
      if (int maker = graph.values[size_t(value)].maker; maker >= 0)
        before[t].add(before[size_t(maker)]);
  }
  for (size_t t = tasks; t-- != 0;) {
    behind[t].add(t);
    for (int value : graph.tasks[t].makes)
      for (int reader : readers[size_t(value)])
        behind[t].add(behind[size_t(reader)]);
  }
  std::vector<int64_t> bytes(tasks, 0);
  for (size_t t = 0; t != tasks; ++t)
    bytes[t] = graph.tasks[t].workspace;
  TaskSet wanted(tasks);
  for (size_t v = 0; v != graph.values.size(); ++v) {
    const Value &value = graph.values[v];
    if (value.maker < 0 || value.bytes == 0)
      continue;
    wanted.clear();
    wanted.add(size_t(value.maker));
    for (int reader : readers[v])
      wanted.add(before[size_t(reader)]);
    wanted.forBoth(behind[size_t(value.maker)],
                   [&](size_t task) { bytes[task] += value.bytes; });
  }
  return bytes;
}
