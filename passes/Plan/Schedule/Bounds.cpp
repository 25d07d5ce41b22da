//===- Bounds.cpp - what no schedule can beat -----------------------------===//

#include "passes/Plan/Schedule/Crossing.h"
#include "passes/Plan/Schedule/Ladder.h"

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

/// What is reached from a task through values, downwards or upwards.
static std::vector<char> reach(const Graph &graph,
                               const std::vector<std::vector<int>> &readers,
                               int from, bool down) {
  std::vector<char> seen(graph.tasks.size(), 0);
  std::vector<int> work{from};
  auto visit = [&](int task) {
    if (task >= 0 && !seen[size_t(task)]) {
      seen[size_t(task)] = 1;
      work.push_back(task);
    }
  };
  while (!work.empty()) {
    const Task &task = graph.tasks[size_t(work.back())];
    work.pop_back();
    if (down)
      for (int value : task.makes)
        for (int reader : readers[size_t(value)])
          visit(reader);
    else
      for (int value : task.reads)
        visit(graph.values[size_t(value)].maker);
  }
  return seen;
}

/// The bound of one moment on the seconds of a schedule: the first run of a
/// task. Whatever those before it in every order made for those behind it in
/// every order lives then, is made again, or is in host memory. What is there
/// has gone out before and comes back behind the moment: in S seconds that is
/// at most S / (out + back) bytes, so with a price for a byte
///   S >= total + made again + price * (bytes - room - S / (out + back)).
static double boundAt(const Graph &graph,
                      const std::vector<std::vector<int>> &readers, int at,
                      int64_t bytes) {
  std::vector<char> before = reach(graph, readers, at, false),
                    behind = reach(graph, readers, at, true);
  before[size_t(at)] = 1;
  Moment moment;
  moment.isMade.assign(graph.values.size(), 1);
  std::vector<char> isWanted(graph.values.size(), 0);
  int64_t all = 0;
  for (size_t v = 0; v != graph.values.size(); ++v) {
    const Value &value = graph.values[v];
    all += value.bytes;
    if (value.maker < 0 || !before[size_t(value.maker)])
      continue;
    isWanted[v] = value.isResult;
    for (int reader : readers[v])
      isWanted[v] |= behind[size_t(reader)];
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
  const Link &link = graph.link;
  double total = graph.totalSeconds(), best = total;
  double carried = link.exists() ? 1 / (link.outSeconds + link.backSeconds) : 0;
  double host = link.exists() ? double(link.hostBytes) : 0;
  double unit =
      std::max(graph.totalSeconds(), 1e-12) / double(std::max<int64_t>(all, 1));
  // Concave in the price; its slope is the bytes above the room.
  double low = unit * 1e-5, high = unit * 1e5;
  for (int i = 0; i != 24; ++i) {
    double price = std::sqrt(low * high);
    Crossing crossing = cross(graph, moment, price);
    double over = double(crossing.bytes) - double(room),
           least = total + crossing.seconds + price * over;
    best =
        std::max({best, least / (1 + price * carried), least - price * host});
    (over > std::min(host, carried * best) ? low : high) = price;
  }
  return best;
}

double tarn::schedule::leastSeconds(const Graph &graph, int64_t bytes) {
  std::vector<std::vector<int>> readers(graph.values.size());
  for (size_t t = 0; t != graph.tasks.size(); ++t)
    for (int value : graph.tasks[t].reads)
      readers[size_t(value)].push_back(int(t));
  // The fullest steps of the graph's own order, none too near to another.
  Player player(graph);
  std::vector<int> order(graph.tasks.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<int64_t> live = player.play({order, {}, {}, {}}).bytes;
  std::vector<int> fullest = order;
  std::sort(fullest.begin(), fullest.end(), [&](int x, int y) {
    return std::pair(-live[size_t(x)], x) < std::pair(-live[size_t(y)], y);
  });
  size_t count = graph.tasks.size() > 4000 ? 1 : 4;
  int apart = std::max<int>(1, int(graph.tasks.size()) / 40);
  std::vector<int> moments;
  for (int task : fullest) {
    if (moments.size() == count)
      break;
    if (std::none_of(moments.begin(), moments.end(),
                     [&](int other) { return std::abs(other - task) < apart; }))
      moments.push_back(task);
  }
  double least = graph.totalSeconds();
  for (int moment : moments)
    least = std::max(least, boundAt(graph, readers, moment, bytes));
  return least;
}
