//===- Parking.cpp - what waits in host memory, and when it moves ---------===//
//
// Values that nobody reads for long go to host memory where the link has time
// for them. Each direction is a queue; a value takes its time there as early as
// it can on the way out, and as late as it can on the way back.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Schedule/Search.h"
#include "passes/Plan/Schedule/Steps.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

using namespace tarn::schedule;

namespace {

/// The time of a queue that nothing has been given yet.
class FreeTime {
public:
  /// When work that may begin at `from` ends, as early as can be.
  double endOf(double from, double seconds) const {
    auto gap = first(from);
    for (;; ++gap) {
      double begin = std::max(from, gap->first);
      if (gap->second - begin >= seconds)
        return begin + seconds;
      seconds -= gap->second - begin;
    }
  }
  void take(double from, double seconds) {
    for (auto gap = first(from); seconds > 0;) {
      auto [low, high] = *gap;
      double begin = std::max(from, low), end = high;
      if (high - begin >= seconds)
        end = begin + std::exchange(seconds, 0);
      else
        seconds -= high - begin;
      gap = gaps.erase(gap);
      if (begin > low)
        gaps.emplace(low, begin);
      if (end < high)
        gaps.emplace(end, high);
    }
  }

private:
  /// The first gap that ends behind `from`; the last has no end.
  std::map<double, double>::const_iterator first(double from) const {
    auto gap = gaps.upper_bound(from);
    return gap != gaps.begin() && std::prev(gap)->second > from ? std::prev(gap)
                                                                : gap;
  }

  std::map<double, double> gaps{{-std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::infinity()}};
};

/// A value, and a time that nobody reads it.
struct Idle {
  int value = -1;
  int from = -1, to = -1; ///< steps that touch it, before and behind
  int fullest = -1;       ///< the step between that has most bytes
  double seconds = -1;    ///< how long
  double worth = 0;       ///< seconds that a byte saves
};

} // namespace

/// Seconds of a copy over a link that is `speed` times as fast.
static double copySeconds(const Graph &graph, int value, bool isOut,
                          double speed) {
  const Link &link = graph.link;
  double bytes = double(graph.values[size_t(value)].bytes);
  return (link.latency + bytes * (isOut ? link.outSeconds : link.backSeconds)) /
         speed;
}

/// Tasks that would have to run again to make a value at a step, from what
/// lives then beside it; at most some, because what takes so many is worth its
/// bytes.
static std::vector<int> makersOf(const Graph &graph, const Timeline &timeline,
                                 const std::vector<Life> &lifeOf, int value,
                                 int step) {
  constexpr size_t most = 64;
  auto lives = [&](int v) {
    const Life &life = lifeOf[size_t(v)];
    return life.last >= 0 && timeline.stepOf[size_t(life.first)] <= step &&
           step <= timeline.stepOf[size_t(life.last)];
  };
  std::vector<int> tasks{graph.values[size_t(value)].maker};
  for (size_t i = 0; i != tasks.size() && tasks.size() < most; ++i)
    for (int read : graph.tasks[size_t(tasks[i])].reads) {
      int maker = graph.values[size_t(read)].maker;
      if (maker >= 0 && graph.values[size_t(read)].bytes > 0 && !lives(read) &&
          !std::count(tasks.begin(), tasks.end(), maker))
        tasks.push_back(maker);
    }
  return tasks;
}

/// What values save where they are not made again: what makes several of them
/// counts in parts.
static void setWorth(const Graph &graph, const Timeline &timeline, bool isAlone,
                     std::vector<Idle> &found) {
  std::vector<Life> lifeOf(graph.values.size());
  for (const Life &life : timeline.lives) {
    Life &all = lifeOf[size_t(life.value)];
    if (all.value != life.value || all.last < life.last)
      all = life;
  }
  std::vector<int> shared(graph.tasks.size(), 0);
  std::vector<std::vector<int>> makers;
  for (const Idle &idle : found) {
    makers.push_back(
        isAlone ? std::vector<int>{graph.values[size_t(idle.value)].maker}
                : makersOf(graph, timeline, lifeOf, idle.value, idle.fullest));
    for (int task : makers.back())
      ++shared[size_t(task)];
  }
  for (size_t i = 0; i != found.size(); ++i) {
    Idle &idle = found[i];
    double seconds = 0;
    for (int task : makers[i])
      seconds += graph.tasks[size_t(task)].seconds / shared[size_t(task)];
    idle.worth = graph.mayDrop(idle.value)
                     ? seconds / double(graph.values[size_t(idle.value)].bytes)
                     : std::numeric_limits<double>::infinity();
  }
  std::sort(found.begin(), found.end(), [](const Idle &x, const Idle &y) {
    return std::pair(-x.worth, x.value) < std::pair(-y.worth, y.value);
  });
}

/// What might be parked: times that a value lives and nobody reads it, be it
/// read by a first run or by one that makes something again. Of each value the
/// longest, and others of at least so many seconds.
static std::vector<Idle> findIdle(const Graph &graph, const Timeline &timeline,
                                  const Clock &clock, double least) {
  Fullest fullest(clock.bytes);
  std::vector<Idle> longest(graph.values.size()), found;
  // Of each life the last step that touched it, or -1.
  std::vector<int> touched(timeline.lives.size(), -1);
  auto touch = [&](size_t life, int to) {
    int value = timeline.lives[life].value,
        from = std::exchange(touched[life], to);
    if (from < 0 || to <= from + 1 || !graph.mayPark(value))
      return;
    Idle idle{value, from, to, fullest.of(from + 1, to - 1),
              clock.start[size_t(to)] - clock.end[size_t(from)]};
    if (idle.seconds > longest[size_t(value)].seconds)
      std::swap(idle, longest[size_t(value)]);
    if (idle.value >= 0 && idle.seconds >= least)
      found.push_back(idle);
  };
  for (size_t l = 0; l != timeline.lives.size(); ++l) {
    const Life &life = timeline.lives[l];
    if (graph.values[size_t(life.value)].maker >= 0 && life.copy < 0)
      touched[l] = timeline.stepOf[size_t(life.first)];
  }
  size_t source = 0;
  for (size_t r = 0; r != timeline.runs.size(); ++r)
    for (int read :
         graph.tasks[size_t(timeline.runs[r])].readsOf(timeline.forms[r]))
      if (graph.values[size_t(read)].bytes > 0)
        touch(size_t(timeline.sources[source++]), timeline.stepOf[r]);
  std::copy_if(longest.begin(), longest.end(), std::back_inserter(found),
               [](const Idle &idle) { return idle.value >= 0; });
  return found;
}

Plan Search::park(const Plan &base, double speed, bool isAlone) {
  Plan plan = base;
  const Timeline &timeline = play(base);
  if (!graph.link.exists() || !timeline.ended)
    return plan;
  Clock clock(graph, timeline, base.order.size());
  FreeTime out, back; // the way back runs backwards in time
  std::vector<char> isParked(graph.values.size(), 0);
  std::vector<Idle> found =
      findIdle(graph, timeline, clock, std::numeric_limits<double>::infinity());
  setWorth(graph, timeline, isAlone, found);
  for (const Idle &idle : found) {
    double away = copySeconds(graph, idle.value, true, speed),
           home = copySeconds(graph, idle.value, false, speed);
    double from = clock.end[size_t(idle.from)],
           to = -clock.start[size_t(idle.to)];
    if (out.endOf(from, away) > clock.start[size_t(idle.fullest)] ||
        -back.endOf(to, home) < clock.end[size_t(idle.fullest)])
      continue;
    out.take(from, away);
    back.take(to, home);
    isParked[size_t(idle.value)] = 1;
    plan.parks.push_back({idle.value, base.order[size_t(idle.from)],
                          base.order[size_t(idle.from)]});
  }
  plan.cuts.eraseIf(
      [&](const Cut &cut) { return isParked[size_t(cut.value)]; });
  settle(plan, speed);
  return plan;
}

/// Of each task the step from whose end on it may not run; what is written over
/// is no longer there.
static std::vector<int> lastSteps(const Graph &graph, const Plan &plan) {
  std::vector<int> last(graph.tasks.size(), int(plan.order.size()));
  for (size_t step = plan.order.size(); step-- > 0;)
    for (int task : graph.tasks[size_t(plan.order[step])].retires)
      last[size_t(task)] = int(step);
  return last;
}

/// Whether a value is made again at a step, from what is always there, in less
/// time than the link takes.
static bool isCheaplyMade(const Graph &graph, int value, int step,
                          const std::vector<int> &lastStep) {
  if (!graph.mayDrop(value))
    return false;
  int task = graph.values[size_t(value)].maker;
  const Task &maker = graph.tasks[size_t(task)];
  return step <= lastStep[size_t(task)] &&
         maker.seconds <= copySeconds(graph, value, true, 1) +
                              copySeconds(graph, value, false, 1) &&
         std::all_of(maker.reads.begin(), maker.reads.end(), [&](int read) {
           return graph.values[size_t(read)].bytes == 0;
         });
}

Plan Search::parkFor(const Plan &base, int64_t target, bool isAll) {
  Plan plan = base;
  if (!graph.link.exists())
    return plan;
  const Timeline &before = play(plan);
  if (!before.ended)
    return plan;
  std::vector<char> isParked(graph.values.size(), 0);
  for (const Trip &trip : tripsOf(plan, before)) {
    Park &park = plan.parks[trip.park];
    isParked[size_t(park.value)] = 1;
    park.away = park.fetch = plan.order[size_t(trip.from)];
  }
  const Timeline &timeline = play(plan);
  if (!timeline.ended)
    return base;
  Clock clock(graph, timeline, plan.order.size());
  constexpr double tiny = 1.0 / 256; // of the step
  std::vector<Idle> found =
      findIdle(graph, timeline, clock, tiny * clock.end.back());
  std::sort(found.begin(), found.end(), [](const Idle &x, const Idle &y) {
    return std::tuple(-x.seconds, x.value, x.from) <
           std::tuple(-y.seconds, y.value, y.from);
  });
  std::vector<int> lastStep = lastSteps(graph, plan);
  Levels levels(clock.bytes);
  std::vector<char> isTaken(found.size(), 0);
  while (levels.highest() > target) {
    int step = levels.fullest();
    size_t i = 0;
    while (i != found.size() &&
           (isTaken[i] || step <= found[i].from || found[i].to <= step))
      ++i;
    // Where nothing helps the fullest step, other steps need no help.
    if (i == found.size())
      break;
    const Idle &idle = found[i];
    isTaken[i] = 1;
    levels.add(idle.from + 1, idle.to, -graph.values[size_t(idle.value)].bytes);
    int from = plan.order[size_t(idle.from)];
    if (!isAll && !isParked[size_t(idle.value)] &&
        isCheaplyMade(graph, idle.value, idle.to, lastStep)) {
      plan.cuts.insert({from, idle.value});
    } else {
      isParked[size_t(idle.value)] = 1;
      plan.parks.push_back({idle.value, from, from});
    }
  }
  plan.cuts.eraseIf(
      [&](const Cut &cut) { return isParked[size_t(cut.value)]; });
  settleFor(plan, target);
  return plan;
}

std::vector<Search::Trip> Search::tripsOf(const Plan &plan,
                                          const Timeline &timeline) const {
  std::vector<int> lastRead(timeline.lives.size(), -1);
  size_t source = 0;
  for (size_t r = 0; r != timeline.runs.size(); ++r)
    for (int read :
         graph.tasks[size_t(timeline.runs[r])].readsOf(timeline.forms[r]))
      if (graph.values[size_t(read)].bytes > 0)
        lastRead[size_t(timeline.sources[source++])] = int(r);
  // Of each value its life so far, and the copy out that ended it.
  std::vector<int> lifeOf(graph.values.size(), -1), outOf(lifeOf);
  std::vector<Trip> trips;
  std::vector<char> isDone(plan.parks.size(), 0);
  for (size_t c = 0; c != timeline.copies.size(); ++c) {
    const Copy &copy = timeline.copies[c];
    size_t value = size_t(copy.value);
    if (copy.isOut) {
      outOf[value] = int(c);
    } else if (copy.park >= 0 && !isDone[size_t(copy.park)]) {
      isDone[size_t(copy.park)] = 1;
      size_t before = size_t(lifeOf[value]);
      int last = std::max(timeline.lives[before].first, lastRead[before]);
      trips.push_back({size_t(copy.park), timeline.stepOf[size_t(last)],
                       timeline.stepOf[size_t(copy.wait)],
                       std::exchange(outOf[value], -1)});
    }
    lifeOf[value] = copy.life;
  }
  return trips;
}

void Search::settle(Plan &plan, double speed) {
  player.prune(plan);
  const Timeline &timeline = play(plan);
  if (!timeline.ended || plan.parks.empty())
    return;
  size_t steps = plan.order.size();
  Clock clock(graph, timeline, steps);
  std::vector<Trip> trips = tripsOf(plan, timeline);
  auto endOfRun = [&](int run) {
    return clock.end[size_t(timeline.stepOf[size_t(run)])];
  };
  std::vector<int> awayStep(plan.parks.size(), -1);
  std::vector<char> isGone(plan.parks.size(), 0);
  std::sort(trips.begin(), trips.end(),
            [](const Trip &x, const Trip &y) { return x.out < y.out; });
  double queue = 0;
  for (const Trip &trip : trips) {
    Park &park = plan.parks[trip.park];
    if (trip.out < 0) {
      awayStep[trip.park] = trip.from;
      park.away = plan.order[size_t(trip.from)];
      continue;
    }
    int made = timeline.copies[size_t(trip.out)].start - 1;
    double done = std::max(queue, endOfRun(made)) +
                  copySeconds(graph, park.value, true, speed);
    int step = int(std::lower_bound(clock.end.begin() + trip.from,
                                    clock.end.end(), done * (1 - 1e-12)) -
                   clock.end.begin());
    if (step >= trip.to) {
      isGone[trip.park] = 1;
      continue;
    }
    queue = done;
    awayStep[trip.park] = step;
    park.away = plan.order[size_t(step)];
  }
  std::sort(trips.begin(), trips.end(), [](const Trip &x, const Trip &y) {
    return std::pair(-x.to, x.out) < std::pair(-y.to, y.out);
  });
  queue = std::numeric_limits<double>::infinity();
  for (const Trip &trip : trips) {
    Park &park = plan.parks[trip.park];
    if (isGone[trip.park])
      continue;
    if (std::isinf(speed)) { // when it is read
      park.fetch = park.away;
      continue;
    }
    queue = std::min(queue, clock.start[size_t(trip.to)]) -
            copySeconds(graph, park.value, false, speed);
    int step = int(std::upper_bound(clock.start.begin(),
                                    clock.start.begin() + trip.to + 1, queue) -
                   clock.start.begin()) -
               1;
    step = std::max(step, awayStep[trip.park] + 1);
    park.fetch = plan.order[size_t(step)];
  }
  size_t p = 0;
  std::erase_if(plan.parks, [&](const Park &) { return isGone[p++]; });
}

void Search::settleFor(Plan &plan, int64_t target) {
  player.prune(plan);
  const Timeline &timeline = play(plan);
  if (!timeline.ended || plan.parks.empty())
    return;
  Clock clock(graph, timeline, plan.order.size());
  std::vector<int64_t> &bytes = clock.bytes;
  std::vector<Trip> trips = tripsOf(plan, timeline);
  std::vector<int> away(plan.parks.size(), -1);
  std::sort(trips.begin(), trips.end(),
            [](const Trip &x, const Trip &y) { return x.out < y.out; });
  // Each direction is a queue: a wait for one copy is a wait for all before it.
  // Where there is no room for all that is still to move, it goes to those that
  // move last on the way out, and first on the way back.
  std::vector<double> moved(trips.size());
  double queue = 0;
  for (size_t i = 0; i != trips.size(); ++i)
    if (trips[i].out >= 0)
      moved[i] = queue =
          std::max(queue, clock.end[size_t(trips[i].from)]) +
          copySeconds(graph, plan.parks[trips[i].park].value, true, 1);
  // The value stays until the link has taken it, where that may be.
  for (size_t i = trips.size(); i-- > 0;) {
    const Trip &trip = trips[i];
    Park &park = plan.parks[trip.park];
    int64_t size = graph.values[size_t(park.value)].bytes;
    int step = trip.from;
    while (step + 1 != trip.to && clock.end[size_t(step)] < moved[i] &&
           bytes[size_t(step) + 1] + size <= target)
      bytes[size_t(++step)] += size;
    away[trip.park] = step;
    park.away = park.fetch = plan.order[size_t(step)];
  }
  // It comes back as late as the link lets it, and as early as may be where
  // that is too early.
  std::sort(trips.begin(), trips.end(), [](const Trip &x, const Trip &y) {
    return std::pair(-x.to, x.out) < std::pair(-y.to, y.out);
  });
  queue = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i != trips.size(); ++i)
    moved[i] = queue =
        std::min(queue, clock.start[size_t(trips[i].to)]) -
        copySeconds(graph, plan.parks[trips[i].park].value, false, 1);
  for (size_t i = trips.size(); i-- > 0;) {
    const Trip &trip = trips[i];
    Park &park = plan.parks[trip.park];
    int64_t size = graph.values[size_t(park.value)].bytes;
    int step = trip.to;
    while (step - 1 > away[trip.park] && clock.start[size_t(step)] > moved[i] &&
           bytes[size_t(step) - 1] + size <= target)
      bytes[size_t(--step)] += size;
    if (step != trip.to)
      park.fetch = plan.order[size_t(step)];
  }
}
