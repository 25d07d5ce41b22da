//===- Descend.cpp - cuts where the memory is fullest ---------------------===//

#include "passes/Plan/Schedule/Crossing.h"
#include "passes/Plan/Schedule/Search.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

using namespace tarn::schedule;

Rung Search::measure(const Plan &plan) {
  const Timeline &timeline = play(plan);
  return rungOf(plan, timeline);
}

Rung Search::rungOf(const Plan &plan, const Timeline &timeline) const {
  return {plan,
          timeline.peak,
          timeline.seconds,
          int(timeline.runs.size()) - int(graph.tasks.size()),
          timeline.hostPeak,
          timeline.parkedBytes,
          timeline.stall};
}

const Timeline &Search::play(const Plan &plan) {
  const Timeline &timeline = player.play(plan);
  left -= int64_t(timeline.runs.size());
  return timeline;
}

/// Tasks that run again after a step, and nothing that they make lives then:
/// they would have to run again in any case.
static std::vector<char> repeatsAfter(const Graph &graph,
                                      const Timeline &timeline, int step) {
  std::vector<char> hasRun(graph.tasks.size(), 0), again(hasRun);
  int last = -1;
  for (size_t r = 0; r != timeline.runs.size(); ++r) {
    size_t task = size_t(timeline.runs[r]);
    if (timeline.stepOf[r] > step) {
      again[task] |= hasRun[task];
    } else {
      hasRun[task] = 1;
      last = int(r);
    }
  }
  for (const Life &life : timeline.lives) {
    int maker = graph.values[size_t(life.value)].maker;
    if (maker >= 0 && life.first <= last && life.last > last)
      again[size_t(maker)] = 0;
  }
  return again;
}

/// What lives across a step is chosen anew.
void Search::cutAt(Plan &plan, int step, double price,
                   const std::vector<char> &runsAgain) {
  Moment moment = momentAfter(graph, plan.order, step);
  moment.runsAgain = runsAgain;
  // What waits in host memory is there for nothing.
  std::vector<char> isParked(graph.values.size(), 0);
  for (const Park &park : plan.parks)
    isParked[size_t(park.value)] = 1;
  if (!plan.parks.empty())
    moment.isThere = isParked;
  int at = plan.order[size_t(step)];
  const Task &task = graph.tasks[size_t(at)];
  auto isOwn = [&](int value) {
    return std::count(task.reads.begin(), task.reads.end(), value) ||
           std::count(task.makes.begin(), task.makes.end(), value);
  };
  std::erase_if(moment.wanted, isOwn);
  Crossing crossing = cross(graph, moment, price, /*favour=*/0.05);
  left -= 8 * int64_t(graph.tasks.size()); // about as much work
  std::vector<char> isLive(graph.values.size(), 0);
  for (int value : crossing.live)
    isLive[size_t(value)] = 1;
  std::vector<int> dropped;
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (moment.isMade[v] && graph.mayDrop(int(v)) && !isLive[v] &&
        !isOwn(int(v)) && !isParked[v])
      dropped.push_back(int(v));
  plan.cuts.replace(at, dropped);
}

Rung Search::descend(const Rung &from, double price, int rounds) {
  Rung best = from;
  Plan plan = from.plan;
  std::set<int> done;
  for (int round = 0; round != rounds && !isSpent(); ++round) {
    const Timeline &timeline = play(plan);
    if (!timeline.ended)
      break;
    if (timeline.peak < best.peak)
      best = rungOf(plan, timeline);
    int step = timeline.stepOf[size_t(timeline.fullest)];
    if (!done.insert(step).second)
      break;
    cutAt(plan, step, price, repeatsAfter(graph, timeline, step));
  }
  return best;
}

/// The largest number of bytes that live during a step.
static int64_t bytesAt(const Timeline &timeline, int step) {
  if (!timeline.ended)
    return INT64_MAX;
  int64_t most = 0;
  for (size_t r = 0; r != timeline.runs.size(); ++r)
    if (timeline.stepOf[r] == step)
      most = std::max(most, timeline.bytes[r]);
  return most;
}

double Search::relieveAt(Plan &plan, int step, int64_t target, double floor) {
  const Timeline &timeline = play(plan);
  int64_t least = bytesAt(timeline, step);
  std::vector<char> again = repeatsAfter(graph, timeline, step);
  Plan best;
  double bestPrice = 0;
  double low = std::max(floor, unit * 1e-4), high = unit * 1e4;
  // The floor itself, then halves of what is above it.
  for (int i = 0; i != 14; ++i) {
    double price = i == 0 ? low : std::sqrt(low * high);
    Plan trial = plan;
    cutAt(trial, step, price, again);
    int64_t bytes = bytesAt(play(trial), step);
    bool fits = bytes <= target;
    if (bytes < least || fits) {
      best = std::move(trial);
      bestPrice = price;
      least = std::min(least, std::max(bytes, target));
    }
    if (i == 0 && fits)
      break;
    if (i > 0)
      (fits ? high : low) = price;
  }
  if (bestPrice > 0) {
    plan = std::move(best);
    player.prune(plan);
  }
  return bestPrice;
}

Rung Search::relieveFrom(const Plan &base, int64_t target, double floor,
                         double &nextFloor) {
  Rung best = measure(base);
  Plan plan = base;
  nextFloor = 0;
  for (int round = 0; round != 64 && !isSpent(); ++round) {
    const Timeline &timeline = play(plan);
    if (!timeline.ended)
      break;
    if (timeline.peak < best.peak)
      best = rungOf(plan, timeline);
    if (timeline.peak <= target)
      break;
    int step = timeline.stepOf[size_t(timeline.fullest)];
    double price = relieveAt(plan, step, target, floor);
    if (price == 0)
      break;
    if (price > floor * 1.01 && (nextFloor == 0 || price < nextFloor))
      nextFloor = price;
  }
  return best;
}

Rung Search::relieve(const Plan &base, int64_t target) {
  std::optional<Rung> best;
  double floor = 0;
  for (int restart = 0; restart != 6 && !isSpent(); ++restart) {
    double next = 0;
    Rung rung = relieveFrom(base, target, floor, next);
    auto worth = [&](const Rung &r) {
      return std::pair(std::max(r.peak, target), r.seconds);
    };
    if (!best || worth(rung) < worth(*best))
      best = std::move(rung);
    if (next == 0)
      break;
    floor = next;
  }
  return best ? *best : measure(base);
}
