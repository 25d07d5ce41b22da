//===- Bounds.cpp - what no schedule can beat -----------------------------===//

#include "passes/Plan/Schedule/Crossing.h"
#include "passes/Plan/Schedule/Ladder.h"
#include "passes/Plan/Schedule/Reach.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tarn::schedule;

int64_t tarn::schedule::leastBytes(const Graph &graph) {
  int64_t most = 0;
  for (const Task &task : graph.tasks) {
    std::vector<int> values = task.reads;
    values.insert(values.end(), task.makes.begin(), task.makes.end());
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    int64_t bytes = task.workspace;
    for (int value : values)
      bytes += graph.values[size_t(value)].bytes;
    // Each made value may take the place of one read value.
    std::vector<int> taken;
    for (int made : task.makes)
      for (auto [read, into] : task.shares)
        if (into == made &&
            graph.values[size_t(read)].bytes ==
                graph.values[size_t(made)].bytes &&
            !std::count(taken.begin(), taken.end(), read)) {
          taken.push_back(read);
          bytes -= graph.values[size_t(made)].bytes;
          break;
        }
    most = std::max(most, bytes);
  }
  return most;
}

/// The bound of one moment on the seconds of a schedule: the first run of a
/// task. Whatever those before it in every order made for those behind it in
/// every order lives then, is made again behind the moment, or is away: in host
/// memory. With A seconds before the moment and B from it on
///   A + B >= total + again + toll * away
///   A >= out * away         B >= behind + again + toll / 2 * away
///   A >= before             B >= back * away
/// and what lives and is away is at least what the cut says for a price. Each
/// sum of parts theta and 1 - theta of these is a bound.
static double boundAt(const Graph &graph, const Readers &readers, int at,
                      int64_t bytes) {
  std::vector<char> isBefore = before(graph, at),
                    isBehind = behind(graph, readers, at);
  isBefore[size_t(at)] = 1;
  Moment moment;
  moment.isMade.assign(graph.values.size(), 1);
  std::vector<char> isWanted(graph.values.size(), 0);
  int64_t all = 0;
  for (size_t v = 0; v != graph.values.size(); ++v) {
    const Value &value = graph.values[v];
    all += value.bytes;
    if (value.maker < 0 || !isBefore[size_t(value.maker)])
      continue;
    isWanted[v] = value.isResult;
    for (int reader : readers[v])
      isWanted[v] |= isBehind[size_t(reader)];
    if (isWanted[v])
      moment.wanted.push_back(int(v));
  }
  // The task's own values live too; one that is written over may not.
  const Task &task = graph.tasks[size_t(at)];
  int64_t room = bytes - task.workspace;
  moment.isThere.assign(graph.values.size(), 0);
  for (const std::vector<int> *list : {&task.reads, &task.makes})
    for (int value : *list)
      moment.isThere[size_t(value)] = 1;
  for (auto [read, made] : task.shares)
    moment.isThere[size_t(read)] = 0;
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (moment.isThere[v])
      room -= graph.values[v].bytes;
  double total = graph.totalSeconds(), best = total,
         unit = std::max(total, 1e-12) / double(std::max<int64_t>(all, 1));
  // The best of `least(over, again, price)` over prices up to `most`: concave
  // in the price, where `slope` falls.
  auto search = [&](double most, auto least, auto slope) {
    double low = unit * 1e-5, high = std::min(unit * 1e5, most);
    for (int i = 0; i != 24 && low < high; ++i) {
      double price = i ? std::sqrt(low * high) : high;
      Crossing crossing = cross(graph, moment, price);
      double over = double(crossing.bytes) - double(room);
      best = std::max(best, least(over, crossing.seconds, price));
      bool rises = slope(over, crossing.seconds, price) > 0;
      if (!i && rises)
        break; // to its end
      (rises ? low : high) = price;
    }
  };
  const Link &link = graph.link;
  if (!link.exists()) {
    search(
        INFINITY,
        [&](double over, double again, double price) {
          return total + again + price * over;
        },
        [](double over, double, double) { return over; });
    return best;
  }
  double host = double(link.hostBytes);
  if (link.hostBytes != INT64_MAX)
    search(
        INFINITY,
        [&](double over, double again, double price) {
          return total + again + price * (over - host);
        },
        [&](double over, double, double) { return over - host; });
  // What may be done while copies go out: all that need not be behind.
  double early = total, late = total;
  for (size_t t = 0; t != graph.tasks.size(); ++t) {
    early -= isBehind[t] || int(t) == at ? graph.tasks[t].seconds : 0;
    late -= isBefore[t] ? graph.tasks[t].seconds : 0;
  }
  // Of a byte that is away: what it costs in any case, and where a part `theta`
  // of the bound is that of the queue.
  double toll = 2 * link.toll, out = link.outSeconds + link.toll,
         back = link.backSeconds;
  auto thetaOf = [&](double price, double full) {
    return price <= toll ? 0 : (price - toll) / (full - toll);
  };
  if (out > toll)
    search(
        out,
        [&](double over, double again, double price) {
          return total + again + price * over - thetaOf(price, out) * early;
        },
        [&](double over, double, double price) {
          return price <= toll ? over : over - early / (out - toll);
        });
  if (back >
      toll) // the price counts for a part 1 - theta of what is again made
    search(
        INFINITY,
        [&](double over, double again, double price) {
          // price * (1 - theta) = toll * (1 - theta) + back * theta
          double theta =
              price <= toll ? 0 : (price - toll) / (price - toll + back);
          return total + (1 - theta) * (again + price * over) - theta * late;
        },
        [&](double over, double again, double price) {
          return price <= toll ? over : (back - toll) * over - late - again;
        });
  return best;
}

/// The moments at which most lives in any case: their bounds are the highest.
static std::vector<int> fullestMoments(const Graph &graph,
                                       const Readers &readers, size_t count) {
  std::vector<int64_t> bytes = bytesInEveryOrder(graph, readers);
  std::vector<int> moments(graph.tasks.size());
  std::iota(moments.begin(), moments.end(), 0);
  count = std::min(count, moments.size());
  std::partial_sort(moments.begin(), moments.begin() + ptrdiff_t(count),
                    moments.end(), [&](int x, int y) {
                      return std::pair(-bytes[size_t(x)], x) <
                             std::pair(-bytes[size_t(y)], y);
                    });
  moments.resize(count);
  return moments;
}

SecondsBound tarn::schedule::leastSeconds(const Graph &graph, int64_t bytes) {
  Readers readers = readersOf(graph);
  size_t tasks = graph.tasks.size();
  SecondsBound bound;
  std::vector<int> moments = fullestMoments(graph, readers,
                                            tasks > 4000   ? 4
                                            : tasks > 1000 ? 12
                                                           : 32);
  bound.moments = int(moments.size());
  bound.seconds = graph.totalSeconds();
  for (int moment : moments)
    bound.seconds =
        std::max(bound.seconds, boundAt(graph, readers, moment, bytes));
  return bound;
}
