//===- Timeline.h - what a plan comes to ------------------------*- C++ -*-===//
//
// A plan is an order of the tasks and a set of cuts. A cut (task, value) says
// that the value is not kept beyond the first run of the task: whoever reads it
// later has it made again, right before, from what is there (and what is not
// there is made again too). What is made again stays until its next cut. Every
// schedule that makes values again when they are read is a plan in this sense
// (the zeros of the matrix S of Checkmate, arXiv 1910.02653).
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_TIMELINE_H
#define PASSES_PLAN_SCHEDULE_TIMELINE_H

#include "passes/Plan/Schedule/Graph.h"

#include <algorithm>
#include <compare>

namespace tarn::schedule {

/// A value that is not kept beyond the first run of a task.
struct Cut {
  int task, value;
  auto operator<=>(const Cut &) const = default;
};

/// Cuts in order, each once.
class Cuts {
public:
  auto begin() const { return cuts.begin(); }
  auto end() const { return cuts.end(); }
  size_t size() const { return cuts.size(); }
  bool empty() const { return cuts.empty(); }
  const Cut &operator[](size_t i) const { return cuts[i]; }
  /// From the first of a task on.
  auto from(int task) const {
    return std::lower_bound(cuts.begin(), cuts.end(), Cut{task, -1});
  }
  void insert(Cut cut);
  /// Adds it, or takes it away if it is there.
  void toggle(Cut cut);
  /// Takes those away for which `drop` holds; how many.
  template <typename F> size_t eraseIf(F drop) {
    return std::erase_if(cuts, drop);
  }

private:
  std::vector<Cut> cuts;
};

struct Plan {
  /// Tasks in the order of their first runs.
  std::vector<int> order;
  Cuts cuts;
  /// Pairs like cuts, to the contrary: the value is made again right behind the
  /// task, though nobody reads it yet; while what it is made from is there.
  Cuts early;
};

/// One making of a value: it lives from run `first` to run `last`.
struct Life {
  int value, first, last;
  /// The life whose bytes it takes over at `first`, or -1.
  int over = -1;
};

/// A plan played through.
struct Timeline {
  std::vector<int> runs;   ///< the task of each run
  std::vector<int> stepOf; ///< the place in the order that it runs for
  std::vector<Life> lives; ///< given values, then what each run makes
  /// The life that each read of each run reads, run after run.
  std::vector<int> sources;
  std::vector<int64_t> bytes; ///< that live during each run
  double seconds = 0;
  int64_t peak = 0;
  int fullest = -1; ///< the first run at the peak
  /// Whether it ended: a plan may make things again without measure, or when it
  /// is too late for that.
  bool ended = true;
};

/// Plays plans through, one after the other, in the same memory.
class Player {
public:
  explicit Player(const Graph &graph);
  /// Valid until the next play. Runs at most `limit` tasks.
  const Timeline &play(const Plan &plan, size_t limit = 0);
  /// Takes away the cuts that nothing was made again for.
  void prune(Plan &plan);

private:
  bool run(int task, int step, size_t limit);
  const Timeline &abandon();

  const Graph &graph;
  Timeline timeline;
  std::vector<int> lifeOf; ///< of each value, or -1
  /// Of each value the cut that took it last, as a place in the plan's cuts,
  /// and for each cut whether something was made again for it.
  std::vector<char> isRetired; ///< by task
  std::vector<int> takenBy;
  std::vector<char> isUsed;
  struct Frame {
    int task;
    unsigned read;
  };
  std::vector<Frame> stack;
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_TIMELINE_H
