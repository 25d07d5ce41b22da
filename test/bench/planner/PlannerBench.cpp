//===- PlannerBench.cpp - how fast and how well schedules are planned -----===//
//
//   tarn-bench-planner [LAYERS...]
//
// Training steps of transformers of 12, 96 and 1,000 layers, without host
// memory and with a link that carries a third of what is made in the time of a
// step: seconds of the whole ladder, and at some budgets how far the plan is
// from its lower bound.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Schedule/Ladder.h"
#include "passes/Plan/Schedule/Repeats.h"
#include "test/passes/Plan/Schedule/Graphs.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace tarn::schedule;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static void measure(int layers, bool withHost) {
  Graph graph = transformer(layers);
  int64_t made = 0;
  for (const Value &value : graph.values)
    made += value.bytes;
  if (withHost)
    graph.link.outSeconds = graph.link.backSeconds =
        3 * graph.totalSeconds() / double(made);
  double begin = now();
  int64_t played = 0;
  std::vector<Rung> rungs = climb(graph, 1, &played);
  double climbed = now();
  std::printf("| %5d | %4s | %6zu | %7.3f | %6.1f | %5zu |", layers,
              withHost ? "host" : "-", graph.values.size(), climbed - begin,
              double(played) / 1e6, rungs.size());
  for (int percent : {60, 40, 20}) {
    int64_t bytes = rungs.front().peak * percent / 100;
    const Rung *rung = nullptr;
    for (const Rung &each : rungs)
      if (!rung && each.peak <= bytes)
        rung = &each;
    if (!rung) {
      std::printf("      - |");
      continue;
    }
    double bound = leastSeconds(graph, bytes).seconds;
    std::printf(" %5.2f%% |", 100 * (rung->seconds / bound - 1));
  }
  std::printf(" %7.3f |", now() - climbed);
  for (const Repeat &repeat : findRepeats(graph))
    std::printf(" %d x %d", repeat.count, repeat.tasks);
  std::printf(" |\n");
  std::fflush(stdout);
}

int main(int argc, char **argv) {
  std::vector<int> sizes;
  for (int i = 1; i < argc; ++i)
    sizes.push_back(std::atoi(argv[i]));
  if (sizes.empty())
    sizes = {12, 96, 1000};
  for (int layers : sizes)
    if (layers < 1) {
      std::fprintf(stderr, "usage: tarn-bench-planner [LAYERS...]\n");
      return 2;
    }
  std::printf("| layers | link | values | seconds | played, millions | rungs | "
              "gap at 60%% | at 40%% | at 20%% | bounds, seconds | repeats |\n"
              "|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int layers : sizes)
    for (bool withHost : {false, true})
      measure(layers, withHost);
  return 0;
}
