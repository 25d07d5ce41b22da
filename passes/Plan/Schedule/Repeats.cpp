//===- Repeats.cpp --------------------------------------------------------===//

#include "passes/Plan/Schedule/Repeats.h"

#include <map>
#include <utility>

using namespace tarn::schedule;

/// Of each task a number that it shares with all that are like it.
static std::vector<int> kindsOf(const Graph &graph) {
  using Figures = std::pair<double, std::vector<int64_t>>;
  std::map<Figures, int> known;
  std::vector<int> kinds;
  for (const Task &task : graph.tasks) {
    std::vector<int64_t> bytes{task.workspace, int64_t(task.reads.size())};
    for (const std::vector<int> *list : {&task.reads, &task.makes})
      for (int value : *list)
        bytes.push_back(graph.values[size_t(value)].bytes);
    kinds.push_back(
        known.try_emplace({task.seconds, std::move(bytes)}, int(known.size()))
            .first->second);
  }
  return kinds;
}

std::vector<Repeat> tarn::schedule::findRepeats(const Graph &graph) {
  // A task's next of the same kind is a period further, unless a period holds
  // more than one of the kind: then one of the next few is.
  constexpr int mostInPeriod = 16;
  std::vector<int> kinds = kindsOf(graph);
  int tasks = int(kinds.size());
  std::vector<int> next(kinds.size(), -1), latest(kinds.size(), -1);
  for (int t = tasks; t-- > 0;)
    next[size_t(t)] = std::exchange(latest[size_t(kinds[size_t(t)])], t);
  std::vector<Repeat> repeats;
  for (int t = 0; t < tasks;) {
    Repeat best;
    int other = next[size_t(t)];
    for (int i = 0; i != mostInPeriod && other >= 0;
         ++i, other = next[size_t(other)]) {
      int period = other - t, end = t;
      while (end + period < tasks &&
             kinds[size_t(end)] == kinds[size_t(end + period)])
        ++end;
      Repeat found{t, period, (end - t) / period + 1};
      if (period > 1 && found.count > 1 && found.covered() > best.covered())
        best = found;
    }
    if (best.count)
      repeats.push_back(best);
    t += best.count ? best.covered() : 1;
  }
  return repeats;
}
