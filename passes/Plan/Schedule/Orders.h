//===- Orders.h - orders to start from --------------------------*- C++ -*-===//

#ifndef PASSES_PLAN_SCHEDULE_ORDERS_H
#define PASSES_PLAN_SCHEDULE_ORDERS_H

#include "passes/Plan/Schedule/Graph.h"

namespace tarn::schedule {

/// The graph's own.
std::vector<int> givenOrder(const Graph &graph);

/// The graph's own, but what leaves less alive than it finds runs at once:
/// optimizer updates as soon as their gradient is there.
std::vector<int> eagerOrder(const Graph &graph);

/// At each turn the task that leaves the least alive.
std::vector<int> leanOrder(const Graph &graph);

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_ORDERS_H
