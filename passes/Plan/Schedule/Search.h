//===- Search.h - better plans, trial by trial ------------------*- C++ -*-===//

#ifndef PASSES_PLAN_SCHEDULE_SEARCH_H
#define PASSES_PLAN_SCHEDULE_SEARCH_H

#include "passes/Plan/Schedule/Timeline.h"

#include <set>

namespace tarn::schedule {

/// A plan and what it comes to.
struct Rung {
  Plan plan;
  int64_t peak = 0; ///< bytes that live at the fullest moment
  double seconds = 0;
  int repeats = 0;         ///< runs beyond the first of each task
  int64_t hostPeak = 0;    ///< bytes of host memory
  int64_t parkedBytes = 0; ///< that are copied there
  double stall = 0;        ///< of the seconds, what copies cost
};

/// One search: plays plans while its effort lasts.
class Search {
public:
  /// `runs` tasks may be played, over all trials. Counted, never timed: plans
  /// are the same on every machine.
  Search(const Graph &graph, int64_t runs)
      : graph(graph), player(graph, Player::Detail::arena), given(runs),
        left(runs) {
    int64_t bytes = 1;
    for (const Value &value : graph.values)
      bytes += value.bytes;
    unit = std::max(graph.totalSeconds(), 1e-9) / double(bytes);
  }

  Rung measure(const Plan &plan);
  bool isSpent() const { return left <= 0; }
  int64_t spent() const { return given - left; }

  /// Chooses what lives across the fullest moment, at one price for all
  /// moments, again and again; the smallest plan on the way.
  Rung descend(const Rung &from, double price, int rounds);
  /// The same, with the lowest price for each moment that brings it down to
  /// `target` bytes. A price that one moment asks for is then tried for all:
  /// what lives at one moment is in the way of the others.
  Rung relieve(const Plan &base, int64_t target);
  /// The plan with values parked in host memory, as many as the link carries
  /// beside the tasks if it were `speed` times as fast: first those that take
  /// longest to make again for their bytes. Above 1, tasks wait for copies, and
  /// bytes are free the sooner; infinite: nothing stays beside its readers.
  Plan park(const Plan &base, double speed, bool isAlone);
  /// No more than brings the fullest moments down to `target` bytes, as far as
  /// that goes: what is idle longest first, be the link in time or not. What is
  /// made again from what is always there in less time than the link takes is
  /// dropped instead, unless `isAll`.
  Plan parkFor(const Plan &base, int64_t target, bool isAll);
  /// Copies go out and come back just in time for a link that is `speed` times
  /// as fast; parks that leave no bytes free go.
  void settle(Plan &plan, double speed);
  /// The same for the link as it is, but at no moment more than `target` bytes
  /// where waiting for copies can help it.
  void settleFor(Plan &plan, int64_t target);
  /// One value after the other is not kept where it is idle, with what would
  /// live longer for it: what takes most off the bytes above `target`, over the
  /// whole step, for the seconds that it takes to make it again.
  Rung shrink(const Plan &from, int64_t target);
  /// Small changes, kept while they help: fewer bytes above the target, then
  /// fewer seconds. Another turn tries others.
  void polish(Rung &rung, int64_t target, unsigned turn = 0);

private:
  /// The time that a parked value is away.
  struct Trip {
    size_t park;  ///< in the plan
    int from, to; ///< steps that touch it, before and behind
    int out;      ///< in the timeline's copies; -1: it was copied out before
  };
  std::vector<Trip> tripsOf(const Plan &plan, const Timeline &timeline) const;
  const Timeline &play(const Plan &plan);
  Rung rungOf(const Plan &plan, const Timeline &timeline) const;
  class Border;
  /// Returns the price that was paid; 0 if nothing helps.
  double relieveAt(Plan &plan, int step, int64_t target, double floor);
  Rung relieveFrom(const Plan &base, int64_t target, double floor,
                   double &nextFloor);
  void prune(Rung &rung);
  /// Those of `values` that need not be dropped, or parked, after all; whether
  /// there are any.
  bool giveBack(Rung &rung, int64_t target, const std::set<int> &values);
  /// The same for all values, again and again.
  void restore(Rung &rung, int64_t target);
  void anneal(Rung &rung, int64_t target, unsigned seed, int64_t effort);

  const Graph &graph;
  Player player;
  int64_t given, left;
  double unit; ///< a sensible price: seconds of everything by its bytes
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_SEARCH_H
