//===- Bounds.cpp - what no schedule can beat -----------------------------===//

#include "passes/Plan/Schedule/Crossing.h"
#include "passes/Plan/Schedule/Ladder.h"
#include "passes/Plan/Schedule/Reach.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tarn::schedule;

/// What a task holds while it runs in a form.
static int64_t bytesOf(const Graph &graph, const Task &task, int form) {
  std::vector<int> values = task.readsOf(form);
  values.insert(values.end(), task.makes.begin(), task.makes.end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  int64_t bytes = task.workspaceOf(form);
  for (int value : values)
    bytes += graph.values[size_t(value)].bytes;
  // Each made value may take the place of one read value.
  std::vector<int> taken;
  for (int made : task.makes)
    for (auto [read, into] : task.sharesOf(form))
      if (into == made &&
          graph.values[size_t(read)].bytes ==
              graph.values[size_t(made)].bytes &&
          !std::count(taken.begin(), taken.end(), read)) {
        taken.push_back(read);
        bytes -= graph.values[size_t(made)].bytes;
        break;
      }
  return bytes;
}

/// By task: whether it may never run, because whoever reads what it makes
/// (there is somebody) can make that itself, or may never run either.
static std::vector<char> mayBeMissing(const Graph &graph,
                                      const Readers &readers) {
  std::vector<char> missing(graph.tasks.size(), 0);
  for (size_t t = graph.tasks.size(); t-- > 0;) {
    bool isRead =
        std::any_of(graph.tasks[t].makes.begin(), graph.tasks[t].makes.end(),
                    [&](int value) { return !readers[size_t(value)].empty(); });
    missing[t] =
        isRead &&
        std::all_of(
            graph.tasks[t].makes.begin(), graph.tasks[t].makes.end(),
            [&](int value) {
              const std::vector<int> &all = readers[size_t(value)];
              return !graph.values[size_t(value)].isResult &&
                     std::all_of(all.begin(), all.end(), [&](int reader) {
                       return missing[size_t(reader)] ||
                              graph.tasks[size_t(reader)].mayDoWithout(value);
                     });
            });
  }
  return missing;
}

int64_t tarn::schedule::leastBytes(const Graph &graph) {
  int64_t most = 0;
  std::vector<char> missing = mayBeMissing(graph, readersOf(graph));
  for (size_t t = 0; t != graph.tasks.size(); ++t) {
    if (missing[t])
      continue;
    const Task &task = graph.tasks[t];
    int64_t bytes = INT64_MAX;
    for (int form = -1; form != int(task.forms.size()); ++form)
      bytes = std::min(bytes, bytesOf(graph, task, form));
    most = std::max(most, bytes);
  }
  return most;
}

/// Of any form.
static int64_t leastWorkspace(const Task &task) {
  int64_t bytes = task.workspace;
  for (const Form &form : task.forms)
    bytes = std::min(bytes, form.workspace);
  return bytes;
}

/// What making a value in its readers' prologues takes at least, from no more
/// than what making it again by its own task takes, too.
static std::vector<Prologues>
boundPrologues(const Graph &graph, const std::vector<char> &mayRunLater) {
  std::vector<Prologues> all(graph.values.size());
  for (size_t t = 0; t != graph.tasks.size(); ++t) {
    const Task &task = graph.tasks[t];
    for (const Form &form : task.forms)
      for (int value : form.without) {
        int maker = graph.values[size_t(value)].maker;
        if (!mayRunLater[t] || maker < 0)
          continue;
        const Task &making = graph.tasks[size_t(maker)];
        Prologues &own = all[size_t(value)];
        // A task that makes more may run for that, and this costs nothing then.
        double seconds = making.makes.size() > 1 ? 0 : making.leastSeconds();
        seconds = std::min(seconds, task.forms.size() == 1
                                        ? form.seconds - task.leastSeconds()
                                        : 0.0);
        own.seconds = own.exist ? std::min(own.seconds, seconds) : seconds;
        std::vector<int> reads;
        for (int read : form.reads)
          if (std::count(making.reads.begin(), making.reads.end(), read) &&
              (!own.exist ||
               std::count(own.reads.begin(), own.reads.end(), read)))
            reads.push_back(read);
        own.reads = std::move(reads);
        own.exist = true;
      }
  }
  return all;
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
/// `least` is what each task takes in any case.
static double boundAt(const Graph &graph, const Readers &readers,
                      const std::vector<double> &least, int at, int64_t bytes) {
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
  int64_t room = bytes - leastWorkspace(task);
  moment.isThere.assign(graph.values.size(), 0);
  for (const std::vector<int> *list : {&task.reads, &task.makes})
    for (int value : *list)
      moment.isThere[size_t(value)] = 1;
  for (auto [read, made] : task.shares)
    moment.isThere[size_t(read)] = 0;
  for (const Form &form : task.forms) {
    for (int value : form.without)
      moment.isThere[size_t(value)] = 0;
    for (auto [read, made] : form.shares)
      moment.isThere[size_t(read)] = 0;
  }
  std::vector<char> others(graph.tasks.size());
  for (size_t t = 0; t != others.size(); ++t)
    others[t] = !isBefore[t] || int(t) == at || graph.tasks[t].mayRepeat;
  moment.prologues = boundPrologues(graph, others);
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (moment.isThere[v])
      room -= graph.values[v].bytes;
  double total = std::accumulate(least.begin(), least.end(), 0.0), best = total,
         unit = std::max(total, 1e-12) / double(std::max<int64_t>(all, 1));
  // The best of `bound(over, again, price)` over prices up to `most`: concave
  // in the price, where `slope` falls.
  auto search = [&](double most, auto bound, auto slope) {
    double low = unit * 1e-5, high = std::min(unit * 1e5, most);
    for (int i = 0; i != 24 && low < high; ++i) {
      double price = i ? std::sqrt(low * high) : high;
      Crossing crossing = cross(graph, moment, price);
      double over = double(crossing.bytes) - double(room);
      best = std::max(best, bound(over, crossing.seconds, price));
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
    early -= isBehind[t] || int(t) == at ? least[t] : 0;
    late -= isBefore[t] ? least[t] : 0;
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
                                       const Readers &readers,
                                       const std::vector<char> &missing,
                                       size_t count) {
  std::vector<int64_t> bytes = bytesInEveryOrder(graph, readers);
  std::vector<int> moments;
  for (size_t t = 0; t != graph.tasks.size(); ++t)
    if (!missing[t])
      moments.push_back(int(t));
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
  std::vector<char> missing = mayBeMissing(graph, readers);
  std::vector<double> least(tasks, 0);
  for (size_t t = 0; t != tasks; ++t)
    least[t] = missing[t] ? 0 : graph.tasks[t].leastSeconds();
  std::vector<int> moments = fullestMoments(graph, readers, missing,
                                            tasks > 4000   ? 4
                                            : tasks > 1000 ? 12
                                                           : 32);
  bound.moments = int(moments.size());
  bound.seconds = std::accumulate(least.begin(), least.end(), 0.0);
  for (int moment : moments)
    bound.seconds =
        std::max(bound.seconds, boundAt(graph, readers, least, moment, bytes));
  return bound;
}
