//===- Steps.h - the steps of a played plan ---------------------*- C++ -*-===//
//
// When steps run, what lives then, and which of a range of them is the fullest.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_STEPS_H
#define PASSES_PLAN_SCHEDULE_STEPS_H

#include "passes/Plan/Schedule/Timeline.h"

#include <algorithm>
#include <limits>

namespace tarn::schedule {

/// When the steps of a played plan run, and their bytes.
struct Clock {
  std::vector<double> start, end;
  std::vector<int64_t> bytes;

  Clock(const Graph &graph, const Timeline &timeline, size_t steps)
      : start(steps), end(steps), bytes(steps) {
    double now = 0;
    size_t run = 0;
    for (size_t step = 0; step != steps; ++step) {
      start[step] = now;
      for (;
           run != timeline.runs.size() && size_t(timeline.stepOf[run]) == step;
           ++run) {
        now += graph.tasks[size_t(timeline.runs[run])].secondsOf(
            timeline.forms[run]);
        bytes[step] = std::max(bytes[step], timeline.bytes[run]);
      }
      end[step] = now;
    }
  }
};

/// The largest of a range of steps.
class Fullest {
public:
  explicit Fullest(const std::vector<int64_t> &bytes) : bytes(bytes) {
    levels.emplace_back(bytes.size());
    for (size_t i = 0; i != bytes.size(); ++i)
      levels[0][i] = int(i);
    for (size_t width = 1; 2 * width <= bytes.size(); width *= 2) {
      const std::vector<int> &below = levels.back();
      std::vector<int> level(bytes.size() - 2 * width + 1);
      for (size_t i = 0; i != level.size(); ++i)
        level[i] = larger(below[i], below[i + width]);
      levels.push_back(std::move(level));
    }
  }
  /// From `low` to `high`, both included.
  int of(int low, int high) const {
    size_t level = 0;
    while ((size_t(2) << level) <= size_t(high - low + 1))
      ++level;
    return larger(levels[level][size_t(low)],
                  levels[level][size_t(high) + 1 - (size_t(1) << level)]);
  }

private:
  int larger(int x, int y) const {
    return bytes[size_t(y)] > bytes[size_t(x)] ? y : x;
  }
  const std::vector<int64_t> &bytes;
  std::vector<std::vector<int>> levels;
};

/// The bytes of steps, of which ranges shrink, and the first fullest one.
class Levels {
public:
  explicit Levels(const std::vector<int64_t> &bytes) {
    while (width < bytes.size())
      width *= 2;
    most.assign(2 * width, std::numeric_limits<int64_t>::min() / 2);
    change.assign(width, 0);
    std::copy(bytes.begin(), bytes.end(), most.begin() + ptrdiff_t(width));
    for (size_t node = width; node-- > 1;)
      most[node] = std::max(most[2 * node], most[2 * node + 1]);
  }
  int64_t highest() const { return most[1]; }
  int fullest() const {
    size_t node = 1;
    while (node < width) {
      bool isLeft = most[2 * node] >= most[2 * node + 1];
      node = 2 * node + !isLeft;
    }
    return int(node - width);
  }
  /// The steps from `low` to `high`, without `high`.
  void add(int low, int high, int64_t bytes) {
    add(1, 0, width, size_t(low), size_t(high), bytes);
  }

private:
  /// Of a node for the steps from `begin` to `end`.
  void add(size_t node, size_t begin, size_t end, size_t low, size_t high,
           int64_t bytes) {
    if (high <= begin || end <= low)
      return;
    if (low <= begin && end <= high) {
      most[node] += bytes;
      if (node < width)
        change[node] += bytes;
      return;
    }
    size_t middle = (begin + end) / 2;
    add(2 * node, begin, middle, low, high, bytes);
    add(2 * node + 1, middle, end, low, high, bytes);
    most[node] = std::max(most[2 * node], most[2 * node + 1]) + change[node];
  }

  size_t width = 1;
  std::vector<int64_t> most; ///< of a subtree, without changes above it
  std::vector<int64_t> change;
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_STEPS_H
