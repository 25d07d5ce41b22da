//===- Polish.cpp - small changes to a plan -------------------------------===//

#include "passes/Plan/Schedule/Room.h"
#include "passes/Plan/Schedule/Search.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <set>

using namespace tarn::schedule;

static void moveTask(std::vector<int> &order, int from, int to) {
  auto at = order.begin();
  if (from < to)
    std::rotate(at + from, at + from + 1, at + to + 1);
  else
    std::rotate(at + to, at + from, at + from + 1);
}

/// Where the task at `from` may go: after all that it waits for, before all
/// that wait for it.
static std::pair<int, int>
roomOf(const Graph &graph, const std::vector<int> &order, int from, int reach) {
  const Task &task = graph.tasks[size_t(order[size_t(from)])];
  int low = from, high = from;
  auto has = [](const std::vector<int> &list, int value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  auto waits = [&](const Task &later, const Task &earlier) {
    return std::any_of(later.reads.begin(), later.reads.end(),
                       [&](int value) { return has(earlier.makes, value); });
  };
  while (low > 0 && from - low < reach &&
         !waits(task, graph.tasks[size_t(order[size_t(low - 1)])]))
    --low;
  while (high + 1 < int(order.size()) && high - from < reach &&
         !waits(graph.tasks[size_t(order[size_t(high + 1)])], task))
    ++high;
  return {low, high};
}

/// Fewer bytes above the target, then fewer seconds, then fewer bytes.
static bool isBetter(const Rung &x, const Rung &y, int64_t target,
                     int64_t hostBytes) {
  if ((x.hostPeak > hostBytes) != (y.hostPeak > hostBytes))
    return x.hostPeak <= hostBytes;
  int64_t a = std::max(x.peak, target), b = std::max(y.peak, target);
  if (a != b)
    return a < b;
  return x.seconds < y.seconds || (x.seconds == y.seconds && x.peak <= y.peak);
}

bool Search::giveBack(Rung &rung, int64_t target, const std::set<int> &values) {
  bool changed = false;
  // Of the plan as it is; made again where that changes.
  std::optional<Room> room;
  if (!values.empty())
    room.emplace(graph, rung.plan, player.play(rung.plan));
  for (int value : values) {
    if (isSpent())
      return false;
    // Counted as a trial: what a search tries doesn't hang on what it skips.
    if (rung.hostPeak <= graph.link.hostBytes &&
        !room->isFor(value, std::max(rung.peak, target))) {
      left -= int64_t(room->runs());
      continue;
    }
    Plan trial = rung.plan;
    trial.cuts.eraseIf([&](const Cut &cut) { return cut.value == value; });
    std::erase_if(trial.parks,
                  [&](const Park &park) { return park.value == value; });
    Rung measured = measure(trial);
    if (isBetter(measured, rung, target, graph.link.hostBytes) &&
        (measured.seconds < rung.seconds || measured.peak < rung.peak)) {
      rung = std::move(measured);
      changed = true;
      room.emplace(graph, rung.plan, player.last());
    }
  }
  return changed;
}

void Search::restore(Rung &rung, int64_t target) {
  std::set<int> values;
  do {
    values.clear();
    for (const Cut &cut : rung.plan.cuts)
      values.insert(cut.value);
    for (const Park &park : rung.plan.parks)
      values.insert(park.value);
  } while (giveBack(rung, target, values));
}

/// Annealing: a toggle or a move at a time; a worse plan is taken now and then.
void Search::anneal(Rung &rung, int64_t target, unsigned seed, int64_t effort) {
  std::minstd_rand random(seed);
  auto below = [&](size_t n) {
    return size_t(random() % std::max<size_t>(n, 1));
  };
  // Tasks that touch each value: a cut elsewhere does what one there does,
  // unless the value is made again in between.
  std::vector<std::vector<int>> touches(graph.values.size());
  std::vector<int> droppable, parkable;
  size_t tasks = graph.tasks.size();
  bool hasForms =
      std::any_of(graph.tasks.begin(), graph.tasks.end(),
                  [](const Task &task) { return !task.forms.empty(); });
  for (size_t t = 0; t != tasks; ++t) {
    for (int value : graph.tasks[t].makes)
      touches[size_t(value)].push_back(int(t));
    for (int value : graph.tasks[t].reads)
      touches[size_t(value)].push_back(int(t));
  }
  for (size_t v = 0; v != graph.values.size(); ++v) {
    if (graph.mayDrop(int(v)))
      droppable.push_back(int(v));
    if (graph.mayPark(int(v)))
      parkable.push_back(int(v));
  }
  double total = std::max(graph.totalSeconds(), 1e-12);
  auto worth = [&](const Rung &x) {
    return x.seconds / total +
           4 * double(std::max(x.peak, target) - target) / double(target);
  };
  Rung now = rung;
  int fullest = 0; ///< the task at the fullest moment
  int64_t stop = left - effort;
  while (left > stop) {
    // Parts of the step's seconds.
    double heat = 0.01 * double(left - stop) / double(effort);
    std::vector<Cut> toggled, hurried;
    int from = -1, to = -1;
    std::vector<Park> parked;
    // Two kinds more where something may be parked.
    size_t kind = below(parkable.empty() ? 10 : 13);
    if (kind >= 10) {
      parked = now.plan.parks;
      // One goes, or one comes, or both.
      if (kind != 11 && !parked.empty())
        now.plan.parks.erase(now.plan.parks.begin() +
                             std::ptrdiff_t(below(parked.size())));
      if (kind != 10 || parked.empty()) {
        int value = parkable[below(parkable.size())];
        const std::vector<int> &at = touches[size_t(value)];
        int away = at[below(at.size())];
        int fetch = below(2) ? away : int(below(tasks));
        now.plan.parks.push_back({value, away, fetch});
      }
    } else if (kind == 9 || droppable.empty()) {
      from = int(below(tasks));
      auto [low, high] = roomOf(graph, now.plan.order, from, 64);
      to = low + int(below(size_t(high - low + 1)));
      if (to == from && droppable.empty()) {
        --left;
        continue;
      }
      moveTask(now.plan.order, from, to);
    } else {
      if (kind == 8 || (kind == 3 && hasForms)) { // early, or not
        Cut cut;
        if (below(2) && !now.plan.early.empty()) {
          cut = now.plan.early[below(now.plan.early.size())];
        } else {
          cut.value = droppable[below(droppable.size())];
          cut.task = int(below(tasks));
          // Right before a reader, or anywhere.
          if (hasForms && below(2)) {
            const std::vector<int> &list = touches[size_t(cut.value)];
            auto &order = now.plan.order;
            auto reader =
                std::find(order.begin(), order.end(), list[below(list.size())]);
            if (reader != order.begin())
              cut.task = *std::prev(reader);
          }
        }
        now.plan.early.toggle(cut);
        hurried.push_back(cut);
      }
      auto toggle = [&](Cut cut) {
        now.plan.cuts.toggle(cut);
        toggled.push_back(cut);
      };
      // All cuts of one value go; or one cut; or none.
      if (!now.plan.cuts.empty() && kind >= 4) {
        Cut gone = now.plan.cuts[below(now.plan.cuts.size())];
        std::vector<Cut> all{gone};
        if (kind >= 6) {
          all.clear();
          for (const Cut &cut : now.plan.cuts)
            if (cut.value == gone.value)
              all.push_back(cut);
        }
        for (Cut cut : all)
          toggle(cut);
      }
      // One or two come: where the value is touched, at the fullest moment, or
      // anywhere.
      size_t coming = kind % 2 ? 1 + below(2) : kind < 4;
      for (size_t m = 0; m != coming; ++m) {
        Cut cut;
        cut.value = droppable[below(droppable.size())];
        const std::vector<int> &at = touches[size_t(cut.value)];
        size_t where = below(8);
        cut.task = where < 5   ? at[below(at.size())]
                   : where < 6 ? fullest
                               : int(below(tasks));
        toggle(cut);
      }
    }
    const Timeline &t = play(now.plan);
    Rung trial = rungOf({}, t);
    double change = t.ended ? worth(trial) - worth(now) : 1e9;
    if (change <= 0 ||
        double(random() % 1000003) / 1000003 < std::exp(-change / heat)) {
      trial.plan = std::move(now.plan);
      now = std::move(trial);
      fullest = t.fullest < 0
                    ? 0
                    : now.plan.order[size_t(t.stepOf[size_t(t.fullest)])];
      if (isBetter(now, rung, target, graph.link.hostBytes))
        rung = now;
      continue;
    }
    if (kind >= 10)
      now.plan.parks = std::move(parked);
    for (Cut cut : hurried)
      now.plan.early.toggle(cut);
    while (!toggled.empty()) {
      now.plan.cuts.toggle(toggled.back());
      toggled.pop_back();
    }
    if (from >= 0)
      moveTask(now.plan.order, to, from);
  }
}

void Search::prune(Rung &rung) {
  player.prune(rung.plan);
  // A copy out that nobody needs takes its place and time.
  if (rung.hostPeak > 0)
    rung = measure(rung.plan);
}

void Search::polish(Rung &rung, int64_t target, unsigned turn) {
  target = std::max<int64_t>(target, 1);
  prune(rung);
  restore(rung, target);
  constexpr unsigned seeds = 4;
  int64_t part = std::max<int64_t>(left / seeds, 1);
  for (unsigned seed = 1; seed <= seeds; ++seed)
    anneal(rung, target, seeds * turn + seed, part);
  prune(rung);
}
