//===- Room.h - where a value that is dropped would lie ---------*- C++ -*-===//
//
// A value that is dropped or parked after all has to live where it does not,
// and what was made again for it goes. At moments where that plainly takes more
// bytes than there are, no plan need be played to know.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_ROOM_H
#define PASSES_PLAN_SCHEDULE_ROOM_H

#include "passes/Plan/Schedule/Timeline.h"

#include <span>

namespace tarn::schedule {

class Room {
public:
  Room(const Graph &graph, const Plan &plan, const Timeline &timeline);
  /// Whether the value may be kept to its last reader within `limit` bytes at
  /// each moment: false only if it may not be.
  bool isFor(int value, int64_t limit);
  /// Runs of the plan.
  size_t runs() const { return mains.size(); }

private:
  /// Whether a run makes it: it is not there from the start, and not copied.
  bool isMade(const Life &life) const;
  std::span<const int> livesOf(size_t value) const;
  std::span<const int> readsOf(size_t life) const;
  /// Whether a result of the run may lie where the life does.
  bool mayOverwrite(int run, size_t life) const;
  /// The bytes of a life at moments from `first` on count no longer.
  void release(int first, const Life &life);
  /// What run `run` read for the value alone, and what it made.
  void releaseReads(int run);

  const Graph &graph;
  std::vector<Life> lives;
  std::vector<int> tasks, forms, steps, sources, firstSource;
  std::vector<int64_t> bytes;
  std::vector<char> mains;          ///< by run: whether it is its step's own
  std::vector<int> ofValue, ofLife; ///< lives by value, runs by life read
  std::vector<int> firstOfValue, firstOfLife;
  std::vector<int> made; ///< lives that runs make, by run
  std::vector<int> firstMade;
  std::vector<char> isChain;     ///< by run: it is there for the value alone
  std::vector<int> chain;        ///< these runs
  std::vector<int64_t> released; ///< bytes, as changes from run to run
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_ROOM_H
