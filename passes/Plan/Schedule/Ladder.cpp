//===- Ladder.cpp ---------------------------------------------------------===//

#include "passes/Plan/Schedule/Ladder.h"
#include "passes/Plan/Schedule/Orders.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

using namespace tarn::schedule;

/// What the parts of a climb may spend, in tasks played: so often all tasks,
/// but no more than at most.
struct Effort {
  int64_t times, most;
  int64_t of(const Graph &graph) const {
    return std::min(most, times * int64_t(graph.tasks.size()));
  }
};
constexpr Effort forPrices{4000, 12'000'000}, forMoments{5000, 4'000'000},
    forParks{4000, 6'000'000}, forShrinking{8000, 6'000'000},
    forTargets{2500, 8'000'000};

/// Whether small changes find nearly everything.
static bool isTiny(const Graph &graph) { return graph.tasks.size() <= 64; }

/// No rung that is both slower and larger than another, the fastest first; none
/// that takes too much of the host, and none that cannot run.
static std::vector<Rung> frontier(std::vector<Rung> rungs, int64_t hostBytes) {
  std::erase_if(rungs, [&](const Rung &rung) {
    return rung.hostPeak > hostBytes || rung.peak == INT64_MAX;
  });
  std::sort(rungs.begin(), rungs.end(), [](const Rung &x, const Rung &y) {
    return std::pair(x.seconds, x.peak) < std::pair(y.seconds, y.peak);
  });
  std::vector<Rung> best;
  for (Rung &rung : rungs)
    if (best.empty() || rung.peak < best.back().peak)
      best.push_back(std::move(rung));
  return best;
}

Rung tarn::schedule::keepAll(const Graph &graph) {
  Search search(graph, INT64_MAX);
  Rung best = search.measure({eagerOrder(graph), {}, {}, {}});
  for (const std::vector<int> &order : {givenOrder(graph), leanOrder(graph)}) {
    Rung rung = search.measure({order, {}, {}, {}});
    if (rung.peak < best.peak)
      best = std::move(rung);
  }
  return best;
}

namespace {

/// Cuts for values that their later readers make themselves, where that takes
/// at most `price` seconds a byte: behind the last reader that cannot.
static Plan withPrologues(const Graph &graph, Plan plan, double price) {
  std::vector<int> last(graph.values.size(), -1); ///< places in the order
  std::vector<double> seconds(graph.values.size(), 0);
  std::vector<char> isMade(graph.values.size(), 0);
  for (size_t i = plan.order.size(); i-- > 0;) {
    const Task &task = graph.tasks[size_t(plan.order[i])];
    for (int value : task.reads) {
      size_t v = size_t(value);
      int form = task.formWithout(value);
      if (last[v] >= 0)
        continue;
      double more = form < 0 ? INFINITY : task.secondsOf(form) - task.seconds;
      if (seconds[v] + more > price * double(graph.values[v].bytes))
        last[v] = int(i);
      else {
        seconds[v] += more;
        isMade[v] = 1;
      }
    }
    for (int value : task.makes)
      if (last[size_t(value)] < 0)
        last[size_t(value)] = int(i);
  }
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (isMade[v] && graph.mayDrop(int(v)) && !graph.values[v].isResult)
      plan.cuts.insert({plan.order[size_t(last[v])], int(v)});
  return plan;
}

class Climb {
public:
  Climb(const Graph &graph, double polish)
      : graph(graph), polish(polish),
        least(std::max<int64_t>(leastBytes(graph), 1)), plain(keepAll(graph)),
        rungs{plain} {}

  /// All that is made in prologues at no cost, and at any.
  void addPrologues();
  /// One price after the other, where the ladder has its widest gaps.
  void samplePrices();
  /// Values in host memory, a few and many, and prices for what stays.
  void parkValues();
  /// In even steps, each from what the step above came to: no more is parked,
  /// and no more dropped, than it takes.
  void stepDown();
  /// As much in host memory as can be, from several orders.
  void parkSmallest();
  /// In even steps, with a price for each moment.
  void relieveTargets();
  /// In even steps, from the fastest plan known that fits.
  void polishTargets();
  void polishFor(int64_t target, unsigned turn, int64_t effort);
  /// As small as can be, from several orders.
  void polishSmallest();
  std::vector<Rung> take(int64_t *effort) {
    if (effort)
      *effort = played;
    return frontier(std::move(rungs), graph.link.hostBytes);
  }

private:
  /// Takes samples of the prices `most` times, from a plan whose copies suit a
  /// link of `speed`: between the least and the largest, or (wide) first one a
  /// decade. What keeps least need not be smallest, as making all of it again
  /// at once takes memory too; the ends alone may not show that.
  void sample(Search &search, const Rung &base, size_t most, double finest,
              double speed, bool isWide = false);
  const Rung &smallest() const {
    return *std::min_element(
        rungs.begin(), rungs.end(),
        [](const Rung &x, const Rung &y) { return x.peak < y.peak; });
  }

  const Graph &graph;
  double polish;
  int64_t least;
  /// Everything kept: without what prologues make for nothing, which may be in
  /// the way of a small plan.
  const Rung plain;
  std::vector<Rung> rungs;
  int64_t played = 0;
};

} // namespace

void Climb::addPrologues() {
  if (std::none_of(graph.tasks.begin(), graph.tasks.end(),
                   [](const Task &task) { return !task.forms.empty(); }))
    return;
  Search search(graph, INT64_MAX);
  for (double price : {0.0, 1e300}) {
    Rung rung = search.measure(withPrologues(graph, rungs.front().plan, price));
    if (price == 0 && rung.seconds <= rungs.front().seconds &&
        rung.peak <= rungs.front().peak)
      rungs.front() = rung;
    rungs.push_back(std::move(rung));
  }
}

void Climb::sample(Search &search, const Rung &base, size_t most, double finest,
                   double speed, bool isWide) {
  int64_t all = 0;
  for (const Value &value : graph.values)
    all += value.bytes;
  double unit =
      std::max(graph.totalSeconds(), 1e-9) / double(std::max<int64_t>(all, 1));
  std::map<double, Rung> byPrice;
  int rounds = graph.tasks.size() > 4000 ? 6 : 12;
  auto sample = [&](double price) {
    Rung rung = search.descend(base, price, rounds);
    if (!rung.plan.parks.empty()) {
      search.settle(rung.plan, speed);
      rung = search.measure(rung.plan);
    }
    byPrice.emplace(price, std::move(rung));
  };
  for (int decade = -4; decade <= 5; decade += isWide ? 1 : 9)
    sample(unit * std::pow(10.0, decade));
  while (byPrice.size() < most && !search.isSpent()) {
    auto widest = byPrice.end();
    int64_t gap = 0, lowest = INT64_MAX;
    for (auto it = byPrice.begin(); std::next(it) != byPrice.end(); ++it) {
      lowest = std::min(lowest, it->second.peak);
      int64_t here = lowest - std::next(it)->second.peak;
      if (here > gap && std::next(it)->first > it->first * finest) {
        gap = here;
        widest = it;
      }
    }
    if (widest == byPrice.end())
      break;
    sample(std::sqrt(widest->first * std::next(widest)->first));
  }
  for (auto &[price, rung] : byPrice)
    rungs.push_back(std::move(rung));
}

void Climb::samplePrices() {
  Search search(graph, forPrices.of(graph));
  const Rung base = rungs.front();
  sample(search, base, 96, 1.0002, 1, /*isWide=*/true);
  played += search.spent();
  rungs = frontier(std::move(rungs), graph.link.hostBytes);
}

void Climb::parkValues() {
  if (!graph.link.exists())
    return;
  Search search(graph, forParks.of(graph));
  const Rung base = rungs.front();
  constexpr double always = std::numeric_limits<double>::infinity();
  for (double speed : {0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0,
                       3.0, 5.0, 8.0, 16.0, always}) {
    for (bool isAlone : {true, false}) {
      Rung parked = search.measure(search.park(base.plan, speed, isAlone));
      if (speed >= 0.4)
        sample(search, parked, 16, 1.05, speed);
      rungs.push_back(std::move(parked));
    }
  }
  played += search.spent();
}

void Climb::stepDown() {
  Search parking(graph, forParks.of(graph));
  Search shrinking(graph, forShrinking.of(graph));
  // From what parks nothing, from what parks as the link has time, and on from
  // what the target above needs.
  Rung leanest = rungs.front();
  for (const Rung &rung : rungs)
    if (rung.plan.parks.empty() && rung.peak < leanest.peak)
      leanest = rung;
  rungs = frontier(std::move(rungs), graph.link.hostBytes);
  const std::vector<Rung> bases = rungs; // the fastest first, ever smaller
  Rung parked = bases.front(), shrunk = parked;
  constexpr int count = 24;
  int64_t high = parked.peak;
  for (int i = 1; i <= count; ++i) {
    int64_t target = high - int64_t(double(high - least) * i / count);
    if (target >= high)
      continue;
    auto isAbove = [&](const Rung &each) { return each.peak > target; };
    auto distinct = [&](std::initializer_list<const Rung *> all) {
      std::vector<Plan> plans;
      for (const Rung *each : all)
        if (isAbove(*each) &&
            std::find(plans.begin(), plans.end(), each->plan) == plans.end())
          plans.push_back(each->plan);
      return plans;
    };
    auto next = [&](std::vector<Rung> found, const Rung &none) {
      auto worth = [&](const Rung &rung) {
        return std::pair(std::max(rung.peak, target), rung.seconds);
      };
      std::erase_if(found, [&](const Rung &rung) {
        return rung.hostPeak > graph.link.hostBytes;
      });
      rungs.insert(rungs.end(), found.begin(), found.end());
      auto best = std::min_element(
          found.begin(), found.end(),
          [&](const Rung &x, const Rung &y) { return worth(x) < worth(y); });
      return best == found.end() ? none : *best;
    };
    auto above = std::find_if(bases.rbegin(), bases.rend(), isAbove);
    if (graph.link.exists() && !parking.isSpent()) {
      std::vector<Rung> found;
      for (const Plan &plan : distinct(
               {&bases.front(), &plain, &leanest, &*above, &parked, &shrunk}))
        for (bool isAll : {false, true})
          found.push_back(
              parking.measure(parking.parkFor(plan, target, isAll)));
      parked = next(std::move(found), parked);
    }
    // Where one price for all moments is cheap, it will do.
    bool isCheap = std::any_of(bases.begin(), bases.end(), [&](const Rung &r) {
      return r.peak <= target && r.seconds <= 1.02 * bases.front().seconds;
    });
    if (!isTiny(graph) && !isCheap && !shrinking.isSpent()) {
      std::vector<Rung> found;
      rungs = frontier(std::move(rungs), graph.link.hostBytes);
      // None, where what is found is both faster and smaller than all before.
      auto nearest = std::find_if(rungs.rbegin(), rungs.rend(), isAbove);
      for (const Plan &plan :
           distinct({&*above, &shrunk, &parked,
                     nearest == rungs.rend() ? &shrunk : &*nearest}))
        found.push_back(shrinking.shrink(plan, target));
      shrunk = next(std::move(found), shrunk);
    }
  }
  played += parking.spent() + shrinking.spent();
}

void Climb::parkSmallest() {
  if (!graph.link.exists())
    return;
  Search search(graph, forParks.of(graph) / 4);
  constexpr double always = std::numeric_limits<double>::infinity();
  for (const std::vector<int> &order :
       {givenOrder(graph), eagerOrder(graph), leanOrder(graph)})
    for (double price : {0.0, 1e300}) {
      Plan plan = withPrologues(graph, {order, {}, {}, {}}, price);
      for (bool isAll : {false, true})
        rungs.push_back(search.measure(search.parkFor(plan, least, isAll)));
      for (bool isAlone : {true, false})
        rungs.push_back(search.measure(search.park(plan, always, isAlone)));
    }
  played += search.spent();
}

void Climb::relieveTargets() {
  Search search(graph, forMoments.of(graph));
  const Rung base = rungs.front();
  constexpr int count = 24;
  // One price for all moments does well until little is kept: from below.
  for (int i = count; i > 0 && !search.isSpent(); --i)
    rungs.push_back(search.relieve(
        base.plan, base.peak - int64_t(double(base.peak - least) * i / count)));
  played += search.spent();
}

void Climb::polishTargets() {
  // Of use where a trial is cheap.
  int64_t tasks = int64_t(graph.tasks.size());
  if (tasks > 2000)
    return;
  int count = int(std::clamp<int64_t>(6000 / tasks, 24, 128));
  int64_t high = 0, large = 0, grain = 0;
  for (const Rung &rung : rungs)
    high = std::max(high, rung.peak);
  // Peaks are sums of sizes: a target between two of them is as good as the
  // lower one. Small values do not count.
  for (const Value &value : graph.values)
    large = std::max(large, value.bytes);
  for (const Value &value : graph.values)
    if (value.bytes > large / 50)
      grain = std::gcd(grain, value.bytes);
  grain = std::max<int64_t>(grain, 1);
  // Trials are cheap in small graphs, where one wrong value shows.
  int64_t effort = isTiny(graph) ? 13 * forTargets.most : forTargets.of(graph);
  std::vector<int64_t> targets;
  for (int i = 0; i <= count; ++i) {
    int64_t target = high - int64_t(double(high - least) * i / count);
    target = (target + grain - 1) / grain * grain;
    if (targets.empty() || targets.back() != target)
      targets.push_back(target);
  }
  int64_t each = int64_t(
      polish * double(std::min(effort / int64_t(targets.size()),
                               (isTiny(graph) ? 48000 : 16000) * tasks)));
  // The second time what was found for other targets is there to start from.
  for (unsigned turn : {0u, 1u})
    for (int64_t target : targets)
      polishFor(target, turn, each / 2);
}

void Climb::polishFor(int64_t target, unsigned turn, int64_t effort) {
  const Rung *start = nullptr;
  for (const Rung &rung : rungs)
    if (rung.peak <= target && (!start || rung.seconds < start->seconds))
      start = &rung;
  std::vector<Rung> starts{start ? *start : smallest()};
  if (isTiny(graph)) {
    // As little as can be gained is tried for.
    if (start) {
      double gap = start->seconds / leastSeconds(graph, target).seconds - 1;
      effort = int64_t(double(effort) * std::min(1.0, 50 * gap));
      if (effort < int64_t(graph.tasks.size()))
        return;
    }
    Search search(graph, effort);
    starts.push_back(search.relieve(rungs.front().plan, target));
    played += search.spent();
  }
  for (Rung &rung : starts) {
    Search search(graph, effort / int64_t(starts.size()));
    search.polish(rung, target, turn);
    played += search.spent();
    rungs.push_back(std::move(rung));
  }
}

void Climb::polishSmallest() {
  if (graph.tasks.size() > 2000 || smallest().peak <= least)
    return;
  int64_t tasks = int64_t(graph.tasks.size());
  int64_t each =
      int64_t(polish * double(std::min(forTargets.most / 8,
                                       tasks * (tasks <= 300 ? 8000 : 2000))));
  std::vector<Rung> starts{smallest()};
  Search search(graph, INT64_MAX);
  for (const std::vector<int> &order :
       {givenOrder(graph), eagerOrder(graph), leanOrder(graph)})
    starts.push_back(search.measure({order, {}, {}, {}}));
  for (Rung &start : starts) {
    Search search(graph, each);
    search.polish(start, least);
    played += search.spent();
    rungs.push_back(std::move(start));
  }
}

std::vector<Rung> tarn::schedule::climb(const Graph &graph, double polish,
                                        int64_t *played) {
  if (graph.tasks.empty())
    return {Rung{}};
  Climb climb(graph, polish);
  climb.addPrologues();
  climb.samplePrices();
  climb.parkValues();
  climb.stepDown();
  climb.parkSmallest();
  climb.relieveTargets();
  climb.polishTargets();
  climb.polishSmallest();
  return climb.take(played);
}
