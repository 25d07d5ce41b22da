//===- Graph.h - what is to be scheduled ------------------------*- C++ -*-===//
//
// A training step as the planner sees it: tasks that read and make values.
// Plain numbers, no MLIR: random graphs, stored instances and models are all
// planned by the same code.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_GRAPH_H
#define PASSES_PLAN_SCHEDULE_GRAPH_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tarn::schedule {

/// What a task makes. Values that lie outside of the arena have 0 bytes.
struct Value {
  int64_t bytes = 0;
  /// The task that makes it; -1: it is there from the start.
  int maker = -1;
  /// Lives to the end.
  bool isResult = false;
  /// Whether other values have bytes in it: it stays where it is.
  bool isShared = false;
};

/// Another kernel for a task: it makes some of the values that the task reads
/// in its own prologue, from others.
struct Form {
  /// What it does not read, in order.
  std::vector<int> without;
  double seconds = 0;
  int64_t workspace = 0;
  std::vector<int> reads;
  std::vector<std::pair<int, int>> shares;
};

/// A kernel.
struct Task {
  double seconds = 0;
  /// Bytes that it needs while it runs, beside what it reads and makes.
  int64_t workspace = 0;
  /// Whether it may run more than once: the same bits each time.
  bool mayRepeat = true;
  std::vector<int> reads, makes;
  /// Pairs (read, made): the made value may be written over the read one.
  std::vector<std::pair<int, int>> shares;
  /// Tasks that may not run once this one has: it writes over what they read.
  std::vector<int> retires;
  /// It runs in one of these where what that one makes itself is not there.
  std::vector<Form> forms = {};

  /// What form `form` reads, and what may lie over it; -1 = the task as it is.
  const std::vector<int> &readsOf(int form) const {
    return form < 0 ? reads : forms[size_t(form)].reads;
  }
  const std::vector<std::pair<int, int>> &sharesOf(int form) const {
    return form < 0 ? shares : forms[size_t(form)].shares;
  }
  double secondsOf(int form) const {
    return form < 0 ? seconds : forms[size_t(form)].seconds;
  }
  int64_t workspaceOf(int form) const {
    return form < 0 ? workspace : forms[size_t(form)].workspace;
  }
  /// Whether some form makes `value` itself.
  bool mayDoWithout(int value) const;
  /// In its fastest form.
  double leastSeconds() const;
  /// The form that does without `value` besides what `form` does without; -1 if
  /// there is none.
  int formWithout(int value, int form = -1) const;
};

/// The way to host memory and back: two queues of copies, one a direction,
/// beside the tasks.
struct Link {
  /// Seconds for each byte. There is no way where one of them is 0.
  double outSeconds = 0, backSeconds = 0;
  /// Of each copy.
  double latency = 0;
  /// Seconds that the tasks lose for each byte on its way, to the memory's
  /// bandwidth and to who copies.
  double toll = 0;
  /// Host memory that values may take.
  int64_t hostBytes = INT64_MAX;

  bool exists() const {
    return outSeconds > 0 && backSeconds > 0 && hostBytes > 0;
  }
};

/// Tasks in an order in which they can run.
struct Graph {
  std::vector<Task> tasks;
  std::vector<Value> values;
  Link link;

  /// Empty, or what is wrong with it.
  std::string check() const;
  /// Adds a task and sets itself as the maker of what it makes.
  int addTask(Task task);
  int addValue(int64_t bytes) {
    values.push_back({bytes, -1, false});
    return int(values.size()) - 1;
  }
  /// Whether a value may be dropped and made again.
  bool mayDrop(int value) const {
    const Value &v = values[size_t(value)];
    return v.maker >= 0 && v.bytes > 0 && tasks[size_t(v.maker)].mayRepeat;
  }
  /// Whether a value may wait in host memory.
  bool mayPark(int value) const {
    const Value &v = values[size_t(value)];
    return link.exists() && v.maker >= 0 && v.bytes > 0 && !v.isResult &&
           !v.isShared;
  }
  double totalSeconds() const;
};

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_GRAPH_H
