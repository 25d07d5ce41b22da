//===- Descend.cpp - cuts where the memory is fullest ---------------------===//

#include "passes/Plan/Schedule/Crossing.h"
#include "passes/Plan/Schedule/Search.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace tarn::schedule;

Rung Search::measure(const Plan &plan) {
  const Timeline &timeline = play(plan);
  return {plan, timeline.peak, timeline.seconds,
          int(timeline.runs.size()) - int(graph.tasks.size())};
}

const Timeline &Search::play(const Plan &plan) {
  const Timeline &timeline = player.play(plan);
  left -= int64_t(timeline.runs.size());
  return timeline;
}

/// What lives across a step is chosen anew.
void Search::cutAt(Plan &plan, int step, double price) {
  Moment moment = momentAfter(graph, plan.order, step);
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
  plan.cuts.eraseIf([&](const Cut &cut) { return cut.task == at; });
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (moment.isMade[v] && graph.mayDrop(int(v)) && !isLive[v] &&
        !isOwn(int(v)))
      plan.cuts.insert({at, int(v)});
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
      best = {plan, timeline.peak, timeline.seconds,
              int(timeline.runs.size() - graph.tasks.size())};
    int step = timeline.stepOf[size_t(timeline.fullest)];
    if (!done.insert(step).second)
      break;
    cutAt(plan, step, price);
  }
  return best;
}

bool Search::relieve(Plan &plan, int64_t target) {
  double total = graph.totalSeconds();
  int64_t all = 0;
  for (const Value &value : graph.values)
    all += value.bytes;
  double unit = std::max(total, 1e-9) / double(std::max<int64_t>(all, 1));
  int64_t before = INT64_MAX;
  for (int round = 0; round != 4 * int(plan.order.size()) + 8; ++round) {
    const Timeline &timeline = play(plan);
    if (timeline.ended && timeline.peak <= target)
      return true;
    if (!timeline.ended || isSpent())
      return false;
    int step = timeline.stepOf[size_t(timeline.fullest)];
    auto bytesAt = [&](const Timeline &t) {
      if (!t.ended)
        return int64_t(INT64_MAX);
      int64_t most = 0;
      for (size_t r = 0; r != t.runs.size(); ++r)
        if (t.stepOf[r] == step)
          most = std::max(most, t.bytes[r]);
      return most;
    };
    before = bytesAt(timeline);
    // The lowest price at which this step fits.
    double low = unit * 1e-4, high = unit * 1e5;
    Plan best = plan;
    int64_t bestBytes = before;
    for (int i = 0; i != 18; ++i) {
      double price = std::sqrt(low * high);
      Plan trial = plan;
      cutAt(trial, step, price);
      int64_t bytes = bytesAt(play(trial));
      if (bytes < bestBytes && bestBytes > target) {
        best = trial;
        bestBytes = bytes;
      } else if (bytes <= target) {
        best = trial;
        bestBytes = bytes;
      }
      (bytes <= target ? high : low) = price;
    }
    if (bestBytes >= before)
      return false;
    plan = std::move(best);
    player.prune(plan);
  }
  return false;
}

