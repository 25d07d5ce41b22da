//===- Layers.cpp - the layers that repeat in a graph ---------------------===//

#include "compiler/Sizing/Layers.h"

#include "dialects/Tarn/TarnOps.h"

#include "llvm/ADT/Hashing.h"

using namespace mlir;
using namespace tarn;

namespace {

/// The ops between two places where one value is handed on.
struct Segment {
  size_t begin, end; ///< places in the forward pass
  Value in;          ///< what is handed into it; null for the first
  llvm::hash_code hash{0};
  bool works = false; ///< has a product with a weight
};

/// Blocks of `period` segments, equal to each other.
struct Run {
  size_t begin = 0, period = 0, blocks = 0;
};

class LayerFinder {
public:
  explicit LayerFinder(const StepGraph &step) : step(step) {}
  Layers find();

private:
  void cut();
  void findRuns(size_t begin, size_t end);
  Run bestRun(size_t begin, size_t end);

  const StepGraph &step;
  std::vector<Segment> segments;
  std::vector<Run> runs;
};

} // namespace

/// Values that hold what the network has computed so far: what comes from data
/// alone (masks, positions) may go everywhere, and so may single numbers.
static bool isStream(const StepGraph &step, Value value) {
  Origins from = step.originsOf(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return from.parameter && from.input && type && type.getRank() > 0;
}

/// Whether an op, or the kernel that it is, multiplies matrices.
static bool hasProduct(Operation *op) {
  return op->walk([](graph::ProductOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

void LayerFinder::cut() {
  const std::vector<Operation *> &ops = step.forward;
  DenseMap<Operation *, size_t> place;
  for (auto [i, op] : llvm::enumerate(ops))
    place[op] = i;
  // Streams that live behind each op: +1 where made, -1 behind the last use.
  std::vector<int64_t> change(ops.size() + 1, 0);
  std::vector<Value> made(ops.size());
  for (auto [i, op] : llvm::enumerate(ops))
    for (Value result : op->getResults()) {
      if (!isStream(step, result))
        continue;
      size_t last = i;
      for (Operation *user : result.getUsers())
        if (auto found = place.find(user); found != place.end())
          last = std::max(last, found->second);
      if (last == i)
        continue;
      ++change[i];
      --change[last];
      made[i] = result;
    }
  int64_t live = 0;
  size_t begin = 0;
  Value in;
  for (auto [i, op] : llvm::enumerate(ops)) {
    live += change[i];
    // Handed on: what the op makes is all that lives from here on.
    if (live != 1 || !made[i])
      continue;
    segments.push_back({begin, i + 1, in, llvm::hash_code(0), false});
    begin = i + 1;
    in = made[i];
  }
  segments.push_back({begin, ops.size(), in, llvm::hash_code(0), false});
  for (Segment &segment : segments)
    for (size_t i = segment.begin; i != segment.end; ++i) {
      Operation *op = ops[i];
      // What all layers share (masks, rotary angles) is made by the first one.
      if (op->getNumResults() > 0 &&
          !step.originsOf(op->getResult(0)).parameter)
        continue;
      segment.hash = llvm::hash_combine(segment.hash, op->getName());
      for (Type type : op->getResultTypes())
        segment.hash = llvm::hash_combine(segment.hash, type);
      for (Value operand : op->getOperands()) {
        segment.hash = llvm::hash_combine(segment.hash, operand.getType());
        segment.works |= step.isWeight(operand) && hasProduct(op);
      }
    }
}

Run LayerFinder::bestRun(size_t begin, size_t end) {
  Run best;
  size_t covered = 0, n = end - begin;
  // No layer has more stretches than this.
  for (size_t period = 1; period <= std::min<size_t>(n / 2, 256); ++period) {
    size_t equal = 0;
    for (size_t i = begin; i + period <= end; ++i) {
      bool more =
          i + period < end && segments[i].hash == segments[i + period].hash;
      if (more) {
        ++equal;
        continue;
      }
      size_t start = i - equal, blocks = (equal + period) / period;
      equal = 0;
      bool works = false;
      for (size_t k = start; k != start + period; ++k)
        works |= segments[k].works;
      size_t ops =
          segments[start + blocks * period - 1].end - segments[start].begin;
      if (blocks >= 2 && works && ops > covered) {
        covered = ops;
        best = {start, period, blocks};
      }
    }
  }
  return best;
}

/// The run that covers most, then what is before and behind it.
void LayerFinder::findRuns(size_t begin, size_t end) {
  if (end - begin < 2)
    return;
  Run run = bestRun(begin, end);
  if (run.blocks == 0)
    return;
  findRuns(begin, run.begin);
  runs.push_back(run);
  findRuns(run.begin + run.blocks * run.period, end);
}

Layers LayerFinder::find() {
  Layers layers;
  cut();
  findRuns(0, segments.size());
  layers.layerOf.assign(step.forward.size(), -1);
  int64_t next = 0;
  size_t at = 0;
  auto fill = [&](size_t from, size_t to, int64_t layer) {
    for (size_t s = from; s != to; ++s)
      for (size_t i = segments[s].begin; i != segments[s].end; ++i)
        layers.layerOf[i] = layer;
  };
  for (const Run &run : runs) {
    // What lies between two runs belongs to the layer before it.
    fill(at, run.begin, next - 1);
    for (size_t block = 0; block != run.blocks; ++block) {
      size_t first = run.begin + block * run.period;
      fill(first, first + run.period, next);
      if (segments[first].in)
        layers.inputOf[segments[first].in] = next;
      ++next;
    }
    at = run.begin + run.blocks * run.period;
  }
  fill(at, segments.size(), next);
  if (next > 0 && at < segments.size())
    layers.inputOf[segments[at].in] = next;
  layers.count = next;
  return layers;
}

Layers tarn::findLayers(const StepGraph &step) {
  return LayerFinder(step).find();
}
