//===- Timeline.h - what a plan comes to ------------------------*- C++ -*-===//
//
// A plan is an order of the tasks and a set of cuts. A cut (task, value) says
// that the value is not kept beyond the first run of the task: whoever reads it
// later has it made again, right before, from what is there (and what is not
// there is made again too). What is made again stays until its next cut. Every
// schedule that makes values again when they are read is a plan in this sense
// (the zeros of the matrix S of Checkmate, arXiv 1910.02653). A task with a
// form that makes such a value itself runs in that form, and the value stays
// away.
//
// A park is a cut of a value that waits in host memory: who reads it later has
// it copied back instead of made again. The copy out starts as soon as the
// value is made, and the place is free behind the run where the plan waits for
// it; the copy back may start before it is read. Copies of a direction are made
// one after the other, and a wait for one that is late takes time.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_TIMELINE_H
#define PASSES_PLAN_SCHEDULE_TIMELINE_H

#include "passes/Plan/Schedule/Graph.h"

#include <algorithm>
#include <compare>
#include <utility>

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
  /// All cuts of a task become those of `values`, which rise.
  void replace(int task, const std::vector<int> &values);
  /// Adds it, or takes it away if it is there.
  void toggle(Cut cut);
  bool operator==(const Cuts &) const = default;
  /// Takes those away for which `drop` holds; how many.
  template <typename F> size_t eraseIf(F drop) {
    return std::erase_if(cuts, drop);
  }

private:
  std::vector<Cut> cuts;
};

/// A value that waits in host memory.
struct Park {
  int value;
  /// Behind the first run of this task the copy out has been made.
  int away;
  /// Before what runs for the first run of this task, the copy back starts; or
  /// right before who reads it, if that is earlier.
  int fetch;
  auto operator<=>(const Park &) const = default;
};

struct Plan {
  /// Tasks in the order of their first runs. One that is missing runs when
  /// somebody reads what it makes, if ever.
  std::vector<int> order;
  Cuts cuts;
  /// Pairs like cuts, to the contrary: the value is made again right behind the
  /// task, though nobody reads it yet; while what it is made from is there.
  Cuts early;
  std::vector<Park> parks;
  bool operator==(const Plan &) const = default;
};

/// One making of a value: it lives from run `first` to run `last`.
struct Life {
  int value = -1, first = 0, last = -1;
  /// The life whose bytes it takes over at `first`, or -1.
  int over = -1;
  /// The copy from host memory that makes it, or -1: a run does.
  int copy = -1;
  /// A copy out may read it to its end: nothing is written over it.
  bool isHeld = false;
};

/// A copy to host memory or back. A moment `n` is right before run `n`; there,
/// copies out start first, then those are waited for that are due, then copies
/// back start, then those are waited for.
struct Copy {
  int value;
  int life; ///< that it reads (out) or fills (back)
  bool isOut;
  int start, wait; ///< moments
  int park;        ///< of the plan's, that it is for; -1: a cut's
};

/// A copy in host memory, from the moment that it starts to the last wait for
/// a copy back; both included.
struct HostLife {
  int value, first, last;
};

/// A plan played through.
struct Timeline {
  std::vector<int> runs;   ///< the task of each run
  std::vector<int> forms;  ///< the form that it runs in; -1: as it is
  std::vector<int> stepOf; ///< the place in the order that it runs for
  /// Given values; then, run after run, what copies back bring from the moment
  /// before it on, and what it makes.
  std::vector<Life> lives;
  /// The life that each read of each run reads, run after run.
  std::vector<int> sources;
  std::vector<int> firstSource; ///< of each run, in the sources
  std::vector<int64_t> bytes;   ///< that live during each run
  std::vector<Copy> copies;     ///< by start, as they queue up
  std::vector<HostLife> hosted; ///< in the order of their starts
  int64_t hostPeak = 0;         ///< bytes of host memory
  int64_t parkedBytes = 0;      ///< of all copies out
  double seconds = 0;
  double stall = 0; ///< of these, what copies cost: late ones and the toll
  int64_t peak = 0;
  int fullest = -1; ///< the first run at the peak
  /// Whether it ended: a plan may make things again without measure, or when it
  /// is too late for that.
  bool ended = true;
};

/// The same without first runs that nobody reads the results of: who would have
/// read them makes them itself. The order then lacks their tasks. Not slower,
/// and not larger.
Plan withoutUnread(const Graph &graph, const Plan &plan);

/// Plays plans through, one after the other, in the same memory.
class Player {
public:
  /// `arena`: without lives and sources of what has no bytes. Orders then keep
  /// every maker before its readers.
  enum class Detail { all, arena };
  explicit Player(const Graph &graph, Detail detail = Detail::all);
  /// Valid until the next play. Runs at most `limit` tasks.
  const Timeline &play(const Plan &plan, size_t limit = 0);
  /// What the last play came to.
  const Timeline &last() const { return timeline; }
  /// Takes away the cuts that nothing was made again for, and the parks that
  /// nothing was copied back for.
  void prune(Plan &plan);

private:
  /// A task in one of its forms, as it is needed at each run.
  struct Kernel {
    double seconds;
    int64_t workspace;
    int firstRead, endRead; ///< places in `reads`
    bool hasShares;
  };
  struct Frame {
    int task, form;
    int read, endRead; ///< places in `reads`
  };
  /// A run whose results may take over bytes of what it reads: its first result
  /// in the lives, and its first read in the sources.
  struct Sharing {
    int run;
    size_t firstLife, firstSource;
  };
  Frame frameOf(int task);
  /// The place of a kernel in `kernels`.
  size_t slotOf(int task, int form) const {
    return size_t(form < 0 ? task : firstForm[size_t(task)] + form);
  }
  const Kernel &kernelOf(int task, int form) const {
    return kernels[slotOf(task, form)];
  }
  void begin(const Plan &plan);
  bool run(int task, int step, size_t limit);
  void launch(int task, int form, int step);
  void takeOver();
  const Timeline &abandon();
  void sendAway(const Plan &plan, int task);
  void fetchFor(const Plan &plan, int task);
  void fetch(int value);
  void countBytes();
  void finishCopies();

  const Graph &graph;
  /// What tasks, then their forms, read, and what tasks make, one after the
  /// other: most of a search is spent playing. Of each read, the form that does
  /// without it besides; or -1.
  std::vector<Kernel> kernels;
  std::vector<int> firstForm, reads, formWithout, firstMade, makes;
  std::vector<int> given, results;
  std::vector<char> hasForms, hasRetires;    ///< by task
  std::vector<char> isDroppable, isParkable; ///< by value
  Timeline timeline;
  std::vector<int> lifeOf; ///< of each value, or -1
  /// Of each value the cut that took it last, as a place in the plan's cuts,
  /// and for each cut whether something was made again for it.
  std::vector<char> isRetired; ///< by task
  std::vector<int> takenBy, firstCut;
  std::vector<char> isUsed;
  /// Of each value: the park that took it last, and the copy out if there is
  /// one; of each task the first park that goes or comes there, and of each
  /// park the next one.
  std::vector<int> parkedBy, sentBy, firstAway, nextAway, firstFetch, nextFetch;
  std::vector<char> isParkUsed;
  std::vector<int> taken;
  std::vector<std::pair<int, int64_t>> workspaces; ///< by run
  std::vector<Sharing> shared;
  /// Of each moment and direction the first copy that is waited for, and of
  /// each copy the next one.
  std::vector<int> firstWait, nextWait;
  std::vector<double> done; ///< of each copy
  std::vector<int> hostOf;  ///< of each value its host life, or -1
  std::vector<int64_t> change;
  std::vector<Frame> stack;
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_TIMELINE_H
