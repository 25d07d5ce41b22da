//===- Graphs.h - graphs to plan, and oracles -------------------*- C++ -*-===//

#ifndef TEST_PASSES_PLAN_SCHEDULE_GRAPHS_H
#define TEST_PASSES_PLAN_SCHEDULE_GRAPHS_H

#include "passes/Plan/Schedule/Timeline.h"

namespace tarn::schedule {

/// A graph of at most `mostValues` values, of all that tasks can have: several
/// results, workspace, values written over values, tasks that run once, results
/// that live to the end.
Graph randomGraph(unsigned seed, int mostValues);

/// A way to host memory for a graph with whole seconds: slow, or as fast as the
/// tasks.
Link randomLink(unsigned seed);

/// The same graph with tasks that can make some of what they read themselves,
/// from what its makers read.
Graph withForms(Graph graph, unsigned seed);

/// The training step of a transformer: ten tasks a layer and their backward
/// tasks.
Graph transformer(int layers);

/// The lowest peak of all schedules, by search over the sets of living values.
/// For graphs of a dozen values.
int64_t bruteForcePeak(const Graph &graph);

/// Replays a timeline value by value and copy by copy, with nothing but the
/// graph: empty, or what is wrong with it.
std::string replay(const Graph &graph, const Timeline &timeline);

/// An instance with solved budgets.
struct Instance {
  std::string name;
  Graph graph;
  std::vector<std::pair<int64_t, double>> solved; ///< bytes, least seconds
};
/// All files of the folder `checkmate`; solve_checkmate.py makes them.
std::vector<Instance> solvedInstances();

} // namespace tarn::schedule

#endif // TEST_PASSES_PLAN_SCHEDULE_GRAPHS_H
