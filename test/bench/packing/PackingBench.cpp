//===- PackingBench.cpp - how well and how fast offsets are packed --------===//
//
//   tarn-bench-packing [--nodes N] [ARTIFACT...]
//
// A table of problems: minimalloc's instances where they are found
// ($TARN_MINIMALLOC), problems cut from a full rectangle, the lifetimes of
// synthetic training steps, and the arenas of the artifacts given. `greedy` and
// `packed` are arena bytes over max-live; an instance of the first two kinds is
// packed into its known capacity, the others into the least that is found.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/ArenaPacking.h"
#include "passes/Plan/Packing/Greedy.h"
#include "passes/Plan/Packing/Pack.h"
#include "runtime/Artifact.h"
#include "runtime/Manifest.h"
#include "test/passes/Plan/Packing/Problems.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace tarn;
using namespace tarn::packing;
using namespace tarn::packing::test;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// One line of the table.
static void print(const std::string &name, size_t buffers, int64_t live,
                  int64_t greedy, const char *packed, uint64_t nodes,
                  double seconds) {
  std::printf("| %-24s | %6zu | %13lld | %6.3f | %6s | %9llu | %9.4f |\n",
              name.c_str(), buffers, (long long)live,
              double(greedy) / double(live), packed, (unsigned long long)nodes,
              seconds);
  std::fflush(stdout);
}

/// What the first greedy order, by size, reaches.
static int64_t greedyBySize(const std::vector<Buffer> &buffers) {
  return packGreedy(buffers, INT64_MAX, 0).bytes;
}

/// Packs into `capacity`, or into the least where it is 0. Returns the seconds.
static double measure(const std::string &name,
                      const std::vector<Buffer> &buffers, int64_t capacity,
                      const Limits &limits) {
  double begin = now();
  Packing packing = capacity ? packInto(buffers, capacity, limits)
                             : packSmallest(buffers, limits);
  double seconds = now() - begin;
  char text[32] = "-";
  int64_t live = makeSections(buffers).mostLive();
  if (packing.outcome == Outcome::packed) {
    std::string fault = faultOf(buffers, packing.offsets, packing.bytes);
    if (!fault.empty()) {
      std::fprintf(stderr, "error: %s: %s\n", name.c_str(), fault.c_str());
      std::exit(1);
    }
    std::snprintf(text, sizeof text, "%.3f",
                  double(packing.bytes) / double(live));
  }
  print(name, buffers.size(), live, greedyBySize(buffers), text, packing.nodes,
        seconds);
  return seconds;
}

/// Activations made in order and used again in reverse order, with gradients
/// that live for a few steps.
static std::vector<Buffer> trainingStep(unsigned count) {
  std::mt19937_64 random(1);
  int64_t forward = count / 2;
  std::vector<Buffer> buffers;
  for (int64_t k = 0; k != forward; ++k) {
    int64_t share = k % 8 == 3 || k % 8 == 4 ? 4 : k % 8 == 1 ? 3 : 1;
    int64_t back = 2 * forward - 1 - k;
    buffers.push_back({k, back + 1, share * 4096, 1, -1});
    buffers.push_back(
        {back, back + 2 + int64_t(below(random, 3)), share * 4096, 1, -1});
  }
  return buffers;
}

/// The arena of each function of an artifact, packed again as the plan does.
static int measureArtifact(const char *path) {
  auto artifact = rt::Artifact::read(path);
  if (!artifact.ok()) {
    std::fprintf(stderr, "error: %s\n", artifact.status().message().c_str());
    return 1;
  }
  auto manifest = rt::parseManifest(std::string(artifact->section("manifest")));
  if (!manifest.ok()) {
    std::fprintf(stderr, "error: %s\n", manifest.status().message().c_str());
    return 1;
  }
  for (const rt::Function &function : manifest->targets.front().functions) {
    std::vector<PackedValue> values;
    for (const rt::PlanValue &value : function.values)
      if (value.space == rt::Space::Arena && value.turns == 1) {
        PackedValue &packed = values.emplace_back();
        packed.bytes = value.bytes;
        packed.first = value.first;
        packed.last = value.last;
      }
    if (values.empty())
      continue;
    std::vector<Buffer> buffers;
    for (const PackedValue &value : values)
      buffers.push_back(
          {value.first, value.last + 1, (value.bytes + 63) / 64 * 64, 64, -1});
    double begin = now();
    int64_t bytes = packArena(values);
    double seconds = now() - begin;
    char text[32];
    std::snprintf(text, sizeof text, "%.3f",
                  double(bytes) / double(maxLive(values)));
    print(manifest->model + " " + function.name, values.size(), maxLive(values),
          greedyBySize(buffers), text, 0, seconds);
  }
  return 0;
}

int main(int argc, char **argv) {
  Limits limits;
  std::vector<const char *> artifacts;
  for (int i = 1; i != argc; ++i)
    if (!std::strcmp(argv[i], "--nodes") && i + 1 != argc)
      limits.nodes = std::strtoull(argv[++i], nullptr, 10);
    else
      artifacts.push_back(argv[i]);
  std::printf("| instance                 | buffers | max-live | greedy | "
              "packed | nodes | seconds |\n|---|---|---|---|---|---|---|\n");
  if (std::string folder = minimallocFolder(); !folder.empty()) {
    double sum = 0;
    for (const char *name : {"A", "B", "C", "D", "E"})
      sum += measure(std::string("minimalloc ") + name,
                     readInstance(folder + "/" + name + ".1048576.csv"),
                     1'048'576, limits);
    std::printf("| A to E together |  |  |  |  |  | %.2f |\n", sum);
  }
  for (bool pinwheels : {false, true})
    for (unsigned pieces : {60, 120, 200, 300}) {
      std::mt19937_64 random(pieces);
      std::vector<Buffer> buffers =
          cutRectangle(random, 1 << 20, 1024, pieces, pinwheels);
      Limits few = limits;
      few.nodes = std::min<uint64_t>(limits.nodes, 4'000'000);
      measure((pinwheels ? "pinwheels " : "guillotine ") +
                  std::to_string(buffers.size()),
              buffers, 1 << 20, few);
    }
  for (unsigned count : {200, 2'000, 20'000})
    measure("training step " + std::to_string(count), trainingStep(count), 0,
            limits);
  for (const char *path : artifacts)
    if (int code = measureArtifact(path))
      return code;
  return 0;
}
