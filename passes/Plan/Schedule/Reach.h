//===- Reach.h - which tasks come before or behind others -------*- C++ -*-===//

#ifndef PASSES_PLAN_SCHEDULE_REACH_H
#define PASSES_PLAN_SCHEDULE_REACH_H

#include "passes/Plan/Schedule/Graph.h"

namespace tarn::schedule {

/// Of each value the tasks that read it, in order.
using Readers = std::vector<std::vector<int>>;
Readers readersOf(const Graph &graph);

/// By task: whether it runs before `task` in every order, whatever forms run.
std::vector<char> before(const Graph &graph, int task);
/// By task: whether its first run is behind that of `task` in every order.
std::vector<char> behind(const Graph &graph, const Readers &readers, int task);

/// The bytes that live during the first run of each task in every order, if
/// nothing is made again; less than that where it is not known what comes
/// first.
std::vector<int64_t> bytesInEveryOrder(const Graph &graph,
                                       const Readers &readers);

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_REACH_H
