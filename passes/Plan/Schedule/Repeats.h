//===- Repeats.h - stretches of tasks that are alike ------------*- C++ -*-===//

#ifndef PASSES_PLAN_SCHEDULE_REPEATS_H
#define PASSES_PLAN_SCHEDULE_REPEATS_H

#include "passes/Plan/Schedule/Graph.h"

namespace tarn::schedule {

/// The same tasks again and again, as the layers of a model are: `count` times
/// `tasks` tasks from task `first` on.
struct Repeat {
  int first = 0, tasks = 0, count = 0;
  int covered() const { return tasks * count; }
};

/// Repeats of at least two tasks, at least twice, in the graph's order; none
/// overlaps another. Tasks are alike if they take the same time, and read and
/// make values of the same bytes.
std::vector<Repeat> findRepeats(const Graph &graph);

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_REPEATS_H
