//===- Ladder.h - plans for less and less memory ----------------*- C++ -*-===//

#ifndef PASSES_PLAN_SCHEDULE_LADDER_H
#define PASSES_PLAN_SCHEDULE_LADDER_H

#include "passes/Plan/Schedule/Search.h"

namespace tarn::schedule {

/// Everything kept, in the order that keeps least alive.
Rung keepAll(const Graph &graph);

/// Plans from the fastest to the smallest, none both slower and larger than
/// another. They do not depend on a budget: the fastest that fits into a budget
/// is never slower for a larger one.
/// `polish`: how much of the usual effort goes into small changes. `played`:
/// set to the effort, in tasks played.
std::vector<Rung> climb(const Graph &graph, double polish = 1,
                        int64_t *played = nullptr);

/// No schedule has a lower peak.
int64_t leastBytes(const Graph &graph);

/// No schedule with at most `bytes` takes fewer seconds. Lagrangian bounds of
/// single moments (see Crossing.h), the best of `moments`.
struct SecondsBound {
  double seconds = 0;
  int moments = 0;
};
SecondsBound leastSeconds(const Graph &graph, int64_t bytes);

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_LADDER_H
