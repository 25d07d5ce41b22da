//===- Shrink.cpp - what frees most for its time goes first ---------------===//

#include "passes/Plan/Schedule/Search.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace tarn::schedule;

namespace {

/// Ways not to keep a value while it is idle.
struct Option {
  double worth;          ///< bytes above the target that go, by seconds
  double freed;          ///< these bytes, summed up over steps
  std::vector<Cut> cuts; ///< the value's, and of what it is made from
  std::vector<int> from; ///< values that it is made from, that live anyway
  /// The best first.
  bool operator<(const Option &other) const {
    return std::pair(other.worth, cuts) < std::pair(worth, other.cuts);
  }
};

/// What may be dropped in a timeline.
class Options {
public:
  Options(const Graph &graph, const Plan &plan, const Timeline &timeline,
          int64_t target);
  std::vector<Option> list(const std::set<Cut> &useless);
  /// Bytes above the target, summed up over steps.
  double excess() const { return total; }

private:
  /// The life in which a value is there for run `run`, or the last one before;
  /// null: it takes no bytes.
  const Life *lifeAt(int value, int run) const;
  void add(int value, int from, int to, std::vector<Option> &options);
  Cut cutBehind(int run, int value) const {
    return {plan.order[size_t(timeline.stepOf[size_t(run)])], value};
  }
  /// Steps above the target between two others.
  int above(int from, int to) const {
    return to > from + 1 ? many[size_t(to)] - many[size_t(from) + 1] : 0;
  }

  const Graph &graph;
  const Plan &plan;
  const Timeline &timeline;
  int64_t target;
  double total = 0, tiny;
  std::vector<int> many; ///< steps above the target before each run
  std::vector<std::vector<int>> livesOf;
  std::vector<char> isParked;
  /// Of what is looked at: when it was seen last, and lists.
  int stamp = 0;
  std::vector<int> seenRead, seenTask, missing, reads;
};

} // namespace

/// Bytes above the target, summed up over steps: of each step the most, so that
/// making something again is no excess of its own.
static double excessOf(const Timeline &timeline, int64_t target) {
  if (!timeline.ended)
    return INFINITY;
  double sum = 0;
  for (size_t r = 0; r != timeline.runs.size();) {
    int64_t most = target;
    for (int step = timeline.stepOf[r];
         r != timeline.runs.size() && timeline.stepOf[r] == step; ++r)
      most = std::max(most, timeline.bytes[r]);
    sum += double(most - target);
  }
  return sum;
}

Options::Options(const Graph &graph, const Plan &plan, const Timeline &timeline,
                 int64_t target)
    : graph(graph), plan(plan), timeline(timeline), target(target),
      total(excessOf(timeline, target)), tiny(1e-7 * graph.totalSeconds()),
      many(1, 0), livesOf(graph.values.size()),
      isParked(graph.values.size(), 0), seenRead(graph.values.size(), 0),
      seenTask(graph.tasks.size(), 0) {
  for (size_t r = 0, counted = -1; r != timeline.runs.size(); ++r) {
    bool isNew =
        timeline.bytes[r] > target && counted != size_t(timeline.stepOf[r]);
    if (isNew)
      counted = size_t(timeline.stepOf[r]);
    many.push_back(many.back() + isNew);
  }
  for (size_t i = 0; i != timeline.lives.size(); ++i)
    livesOf[size_t(timeline.lives[i].value)].push_back(int(i));
  for (const Park &park : plan.parks)
    isParked[size_t(park.value)] = 1;
}

const Life *Options::lifeAt(int value, int run) const {
  const Life *found = nullptr;
  for (int i : livesOf[size_t(value)]) {
    const Life &life = timeline.lives[size_t(i)];
    if (life.first < run && (!found || life.last > found->last))
      found = &life;
  }
  return found;
}

/// Between the runs `from` and `to` a value is idle. What makes it again reads
/// others; those that would live longer for it are made again as well, as far
/// as that is of use.
void Options::add(int value, int from, int to, std::vector<Option> &options) {
  constexpr int mostDepth = 8;
  constexpr double leastPart = 1e-4; ///< less than that is not worth a trial
  double bytes = double(graph.values[size_t(value)].bytes) * above(from, to);
  double seconds = 0, worth = 0, freed = 0;
  // Bytes of what is made again on the way, and of the step before.
  double level = 0, passing = 0;
  const double room = double(target - timeline.bytes[size_t(to)]);
  size_t cuts = 0, kept = 0; ///< of the best
  Option option{0, 0, {cutBehind(from, value)}, {}};
  ++stamp;
  missing.assign(1, value);
  for (int depth = 0; depth != mostDepth && !missing.empty(); ++depth) {
    reads.clear();
    auto read = [&](const std::vector<int> &list) {
      for (int each : list)
        if (std::exchange(seenRead[size_t(each)], stamp) != stamp)
          reads.push_back(each);
    };
    for (int each : missing) {
      const Task &reader = graph.tasks[size_t(timeline.runs[size_t(to)])];
      int now = timeline.forms[size_t(to)];
      int form = depth == 0 ? reader.formWithout(each, now) : -1;
      if (form >= 0) {
        seconds += reader.secondsOf(form) - reader.secondsOf(now);
        read(reader.readsOf(form));
        continue;
      }
      int maker = graph.values[size_t(each)].maker;
      if (std::exchange(seenTask[size_t(maker)], stamp) == stamp)
        continue;
      seconds += graph.tasks[size_t(maker)].seconds;
      read(graph.tasks[size_t(maker)].reads);
    }
    double time = std::max(seconds, 0.0) + tiny;
    if (bytes <= worth * time)
      break; // nor deeper
    missing.clear();
    double longer = 0, before = std::exchange(level, 0);
    bool mayGo = true;
    size_t here = option.cuts.size();
    for (int each : reads) {
      const Life *life = lifeAt(each, to);
      if (!life || life->last >= to || isParked[size_t(each)]) {
        option.from.push_back(each);
        continue;
      }
      missing.push_back(each);
      level += double(graph.values[size_t(each)].bytes);
      longer += double(graph.values[size_t(each)].bytes) *
                above(std::max(life->last, from), to);
      mayGo &= graph.mayDrop(each);
      option.cuts.push_back(cutBehind(life->last, each));
    }
    passing = std::max(passing, before + level);
    longer += std::max(passing - room, 0.0);
    if (bytes - longer > worth * time) {
      freed = bytes - longer;
      worth = freed / time;
      cuts = here;
      kept = option.from.size();
    }
    if (!mayGo)
      break;
  }
  if (worth <= 0 || freed < total * leastPart)
    return;
  option.worth = worth;
  option.freed = freed;
  option.cuts.resize(cuts);
  option.from.resize(kept);
  options.push_back(std::move(option));
}

std::vector<Option> Options::list(const std::set<Cut> &useless) {
  std::vector<Option> options;
  std::vector<int> touched(graph.values.size(), -1);
  for (size_t r = 0; r != timeline.runs.size(); ++r) {
    const Task &task = graph.tasks[size_t(timeline.runs[r])];
    for (int value : task.readsOf(timeline.forms[r])) {
      int from = std::exchange(touched[size_t(value)], int(r));
      if (from >= 0 && above(from, int(r)) > 0 && graph.mayDrop(value) &&
          !isParked[size_t(value)] &&
          timeline.stepOf[size_t(from)] != timeline.stepOf[r] &&
          !useless.count(cutBehind(from, value)))
        add(value, from, int(r), options);
    }
    for (int value : task.makes)
      touched[size_t(value)] = int(r);
  }
  std::sort(options.begin(), options.end());
  return options;
}

Rung Search::shrink(const Plan &from, int64_t target) {
  Rung now = measure(from);
  std::set<Cut> useless;
  constexpr size_t atMost = 16;
  size_t atOnce = atMost;
  for (bool isBetter = true; isBetter && now.peak > target && !isSpent();) {
    const Timeline &timeline = play(now.plan);
    Options around(graph, now.plan, timeline, target);
    double excess = around.excess();
    std::vector<Option> options = around.list(useless);
    left -= 2 * int64_t(timeline.runs.size()); // about as much work
    isBetter = false;
    constexpr size_t mostTrials = 48;
    options.resize(std::min(options.size(), mostTrials * atMost));
    for (size_t at = 0; at < std::min(options.size(), mostTrials) &&
                        !isBetter && !isSpent();) {
      // The best, and others that have nothing to do with each other.
      Plan trial = now.plan;
      std::set<int> gone, needed;
      double hoped = 0;
      size_t count = 0;
      for (size_t i = at; i != options.size() && count != atOnce; ++i) {
        const Option &option = options[i];
        bool isFree = true;
        for (const Cut &cut : option.cuts)
          isFree &= !needed.count(cut.value) && !gone.count(cut.value);
        for (int value : option.from)
          isFree &= !gone.count(value);
        if (count && (!isFree || hoped + option.freed > excess / 2))
          continue;
        if (option.worth < options[at].worth / 4)
          break;
        for (const Cut &cut : option.cuts) {
          trial.cuts.insert(cut);
          gone.insert(cut.value);
        }
        needed.insert(option.from.begin(), option.from.end());
        hoped += option.freed;
        ++count;
      }
      const Timeline &played = play(trial);
      double freed = excess - excessOf(played, target);
      if (freed > 0 && (count == 1 || freed > 0.5 * hoped)) {
        now = rungOf(trial, played);
        atOnce = std::min(2 * atOnce, atMost);
        isBetter = true;
      } else if (count == 1) {
        useless.insert(options[at++].cuts.front());
      } else {
        atOnce = std::max<size_t>(count / 4, 1);
      }
    }
  }
  // What went before may do for what went later.
  std::set<int> values;
  for (const Cut &cut : now.plan.cuts)
    if (!std::binary_search(from.cuts.begin(), from.cuts.end(), cut))
      values.insert(cut.value);
  giveBack(now, target, values);
  return now;
}
