//===- Crossing.cpp -------------------------------------------------------===//

#include "passes/Plan/Schedule/Crossing.h"

#include <algorithm>
#include <cmath>

using namespace tarn::schedule;

/// Values that all steps after `step` that read them can make themselves.
static void findPrologues(const Graph &graph, const std::vector<int> &order,
                          int step, Moment &moment) {
  if (std::none_of(graph.tasks.begin(), graph.tasks.end(),
                   [](const Task &task) { return !task.forms.empty(); }))
    return;
  moment.prologues.resize(graph.values.size());
  std::vector<char> isImpossible(graph.values.size(), 0);
  for (size_t i = size_t(step) + 1; i < order.size(); ++i) {
    const Task &task = graph.tasks[size_t(order[i])];
    for (int value : task.reads) {
      int form = task.formWithout(value);
      Prologues &all = moment.prologues[size_t(value)];
      if (form < 0) {
        isImpossible[size_t(value)] = 1;
        continue;
      }
      all.exist = true;
      all.seconds += task.secondsOf(form) - task.seconds;
      for (int read : task.readsOf(form))
        if (!std::count(task.reads.begin(), task.reads.end(), read))
          all.reads.push_back(read);
    }
  }
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (isImpossible[v] || graph.values[v].isResult || !moment.isMade[v])
      moment.prologues[v].exist = false;
}

Moment tarn::schedule::momentAfter(const Graph &graph,
                                   const std::vector<int> &order, int step) {
  Moment moment;
  moment.isMade.assign(graph.values.size(), 0);
  std::vector<char> isWanted(graph.values.size(), 0);
  for (size_t v = 0; v != graph.values.size(); ++v)
    moment.isMade[v] = graph.values[v].maker < 0;
  for (size_t i = 0; i != order.size(); ++i) {
    const Task &task = graph.tasks[size_t(order[i])];
    if (int(i) <= step) {
      for (int value : task.makes) {
        moment.isMade[size_t(value)] = 1;
        isWanted[size_t(value)] = graph.values[size_t(value)].isResult;
      }
      continue;
    }
    for (int value : task.reads)
      if (moment.isMade[size_t(value)])
        isWanted[size_t(value)] = 1;
  }
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (isWanted[v])
      moment.wanted.push_back(int(v));
  findPrologues(graph, order, step, moment);
  return moment;
}

/// At least 1, so that of equals the one with less is taken.
int64_t Crossings::scaled(double seconds) const {
  return std::max<int64_t>(1, std::llround(seconds * scale));
}

double Crossings::costOf(int task) const {
  if (!moment.runsAgain.empty() && moment.runsAgain[size_t(task)])
    return 0;
  return graph.tasks[size_t(task)].leastSeconds() *
         (1 + favour * double(task) / double(graph.tasks.size()));
}

Crossings::Crossings(const Graph &graph, const Moment &moment, double mostPrice,
                     double favour)
    : graph(graph), moment(moment), favour(favour),
      nodeOf(graph.values.size(), -1), prologue(nodeOf),
      again(graph.tasks.size(), -1) {
  // Whole numbers for exact cuts: the largest sum stays below 2^57.
  double most = (1 + favour) * graph.totalSeconds();
  for (const Value &value : graph.values)
    most += mostPrice * double(value.bytes);
  scale = std::ldexp(1.0, 57) / std::max(most, 1e-300);

  // On the source's side: a value that is wanted, a task that runs again.
  std::vector<int> work;
  auto want = [&](int value) {
    int &node = nodeOf[size_t(value)];
    if (node < 0) {
      node = network.addNode();
      work.push_back(value);
    }
    return node;
  };
  auto costsNothing = [&](int value) {
    return graph.values[size_t(value)].bytes == 0 ||
           (!moment.isThere.empty() && moment.isThere[size_t(value)]);
  };
  for (int value : moment.wanted)
    if (!costsNothing(value))
      network.addEdge(Network::source, want(value), Network::unlimited);
  while (!work.empty()) {
    int value = work.back();
    work.pop_back();
    seen.push_back(value);
    const Value &v = graph.values[size_t(value)];
    int node = nodeOf[size_t(value)];
    auto keepFor = [&](int to) {
      keepEdges.push_back({network.addEdge(node, to, 0), value});
    };
    if (!graph.mayDrop(value)) {
      keepFor(Network::sink);
      continue;
    }
    if (!moment.prologues.empty() && moment.prologues[size_t(value)].exist) {
      // Its readers make it themselves, and nothing runs again.
      const Prologues &all = moment.prologues[size_t(value)];
      int made = prologue[size_t(value)] = network.addNode();
      keepFor(made);
      network.addEdge(made, Network::sink, scaled(std::max(all.seconds, 0.0)));
      for (int read : all.reads)
        if (!costsNothing(read))
          network.addEdge(made, want(read), Network::unlimited);
      continue;
    }
    int &task = again[size_t(v.maker)];
    bool isNew = task < 0;
    if (isNew)
      task = network.addNode();
    int taskNode = task;
    if (moment.isMade[size_t(value)])
      keepFor(taskNode);
    else
      network.addEdge(node, taskNode, Network::unlimited);
    if (!isNew)
      continue;
    network.addEdge(taskNode, Network::sink, scaled(costOf(v.maker)));
    for (int read : graph.tasks[size_t(v.maker)].reads)
      if (!costsNothing(read))
        network.addEdge(taskNode, want(read), Network::unlimited);
  }
  kept = network.flow();
}

Crossing Crossings::at(double price) {
  network.setFlow(kept);
  for (auto [edge, value] : keepEdges) {
    double bytes = double(graph.values[size_t(value)].bytes);
    int64_t before = keptPrice > 0 ? scaled(keptPrice * bytes) : 0;
    network.raise(edge, scaled(price * bytes) - before);
  }
  lastPrice = price;
  network.solve();

  Crossing crossing;
  for (int value : seen) {
    int maker = graph.values[size_t(value)].maker;
    bool isWanted = network.isOnSourceSide(nodeOf[size_t(value)]);
    bool isAgain = maker >= 0 && again[size_t(maker)] >= 0 &&
                   network.isOnSourceSide(again[size_t(maker)]);
    if (int made = prologue[size_t(value)]; made >= 0) {
      isAgain = network.isOnSourceSide(made);
      double seconds = std::max(moment.prologues[size_t(value)].seconds, 0.0);
      crossing.seconds += isAgain ? seconds : 0;
      crossing.cost += isAgain ? seconds : 0;
    }
    if (isWanted && (!isAgain || !graph.mayDrop(value))) {
      crossing.live.push_back(value);
      crossing.bytes += graph.values[size_t(value)].bytes;
    }
  }
  for (size_t t = 0; t != again.size(); ++t)
    if (again[t] >= 0 && network.isOnSourceSide(again[t])) {
      crossing.seconds += graph.tasks[t].leastSeconds();
      crossing.cost += costOf(int(t));
    }
  std::sort(crossing.live.begin(), crossing.live.end());
  return crossing;
}

Crossing tarn::schedule::cross(const Graph &graph, const Moment &moment,
                               double price, double favour) {
  return Crossings(graph, moment, price, favour).at(price);
}
