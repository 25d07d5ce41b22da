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

/// A step of a plan, across which is chosen anew what lives.
class Search::Border {
public:
  Border(const Graph &graph, const Plan &plan, int step,
         std::vector<char> runsAgain, double mostPrice)
      : graph(graph), task(plan.order[size_t(step)]),
        isFixed(graph.values.size(), 0),
        moment(momentOf(plan, step, std::move(runsAgain))),
        crossings(graph, moment, mostPrice, /*favour=*/0.05) {}

  /// With the cuts of the cheapest choice, which is returned.
  Crossing cut(Plan &plan, double price) {
    std::vector<char> isLive(graph.values.size(), 0);
    Crossing crossing = crossings.at(price);
    for (int value : crossing.live)
      isLive[size_t(value)] = 1;
    std::vector<int> dropped;
    for (size_t v = 0; v != graph.values.size(); ++v)
      if (moment.isMade[v] && !isLive[v] && !isFixed[v] &&
          graph.mayDrop(int(v)))
        dropped.push_back(int(v));
    plan.cuts.replace(task, dropped);
    return crossing;
  }
  /// The prices to come are not below the last one.
  void keep() { crossings.keep(); }

private:
  Moment momentOf(const Plan &plan, int step, std::vector<char> runsAgain) {
    Moment here = momentAfter(graph, plan.order, step);
    here.runsAgain = std::move(runsAgain);
    // What waits in host memory is there for nothing.
    for (const Park &park : plan.parks)
      isFixed[size_t(park.value)] = 1;
    if (!plan.parks.empty())
      here.isThere = isFixed;
    std::vector<char> isOwn(graph.values.size(), 0);
    for (const std::vector<int> *list :
         {&graph.tasks[size_t(task)].reads, &graph.tasks[size_t(task)].makes})
      for (int value : *list)
        isOwn[size_t(value)] = isFixed[size_t(value)] = 1;
    std::erase_if(here.wanted, [&](int value) { return isOwn[size_t(value)]; });
    return here;
  }

  const Graph &graph;
  int task;
  std::vector<char> isFixed; ///< by value: of the task itself, or parked
  Moment moment;
  Crossings crossings;
};

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
    Border(graph, plan, step, repeatsAfter(graph, timeline, step), price)
        .cut(plan, price);
    left -= 8 * int64_t(graph.tasks.size()); // about as much work
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
  double low = std::max(floor, unit * 1e-4), high = unit * 1e4;
  Border border(graph, plan, step, repeatsAfter(graph, timeline, step), high);
  left -= 4 * int64_t(graph.tasks.size()); // about as much work
  Plan best;
  double bestPrice = 0;
  bool fits = false;
  auto tryAt = [&](double price) {
    Plan trial = plan;
    Crossing crossing = border.cut(trial, price);
    left -= 2 * int64_t(graph.tasks.size());
    int64_t bytes = bytesAt(play(trial), step);
    fits = bytes <= target;
    if (bytes < least || fits) {
      best = std::move(trial);
      bestPrice = price;
      least = std::min(least, std::max(bytes, target));
    }
    if (!fits)
      border.keep();
    return crossing;
  };
  Crossing below = tryAt(low);
  if (!fits) {
    Crossing above = tryAt(high);
    // Between two choices lies the price at which both are as good; there may
    // be others that are better there.
    for (int i = 0; i != 12 && fits; ++i) {
      if (above.bytes >= below.bytes)
        break;
      double price =
          (above.cost - below.cost) / double(below.bytes - above.bytes);
      price = std::clamp(price * (1 + 1e-9), low, high);
      Crossing between = tryAt(price);
      bool isNew = between.bytes != below.bytes && between.bytes != above.bytes;
      (fits ? high : low) = price;
      (fits ? above : below) = std::move(between);
      if (!isNew)
        break;
      fits = true;
    }
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
