//===- Sizing.cpp - the memory of one rank --------------------------------===//

#include "compiler/Sizing/Sizing.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"

#include "llvm/ADT/SetVector.h"

#include <cmath>

using namespace mlir;
using namespace tarn;

static int bytesOf(Value value) {
  return int((graph::tensorType(value).getElementTypeBitWidth() + 7) / 8);
}

static double elementsOf(Value value) {
  return double(graph::tensorType(value).getNumElements());
}

std::unique_ptr<Sizing> Sizing::read(ModuleOp module) {
  FailureOr<StepGraph> step = StepGraph::read(module);
  if (failed(step))
    return nullptr;
  std::unique_ptr<Sizing> sizing(new Sizing(std::move(*step)));
  StepGraph &graph = sizing->step;
  auto isWeight = [&](Value value) { return graph.isWeight(value); };
  sizing->classes.addFunction(graph.work, isWeight);
  if (graph.work != graph.apply) {
    sizing->classes.addFunction(graph.apply, isWeight);
    for (const SizedParameter &parameter : graph.parameters)
      sizing->classes.tie(parameter.value, parameter.stored);
  }
  sizing->found = findLayers(graph);
  sizing->ways = std::make_unique<Parallelism>(graph, sizing->classes);

  for (auto [i, op] : llvm::enumerate(graph.forward))
    sizing->layerOf[op] = sizing->found.layerOf[i];
  for (const SizedParameter &parameter : graph.parameters) {
    sizing->readers.push_back(sizing->readersOf(parameter.value));
    if (sizing->readers.back().empty())
      sizing->readers.back().insert(-1);
  }
  return sizing;
}

llvm::SmallSetVector<int64_t, 2> Sizing::readersOf(Value weight) const {
  llvm::SmallSetVector<int64_t, 2> layers;
  SmallVector<Value> open = {weight};
  DenseSet<Value> seen;
  while (!open.empty()) {
    Value value = open.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    for (Operation *user : value.getUsers()) {
      auto at = layerOf.find(user);
      if (at == layerOf.end())
        continue;
      if (user->getNumResults() > 0 && step.isWeight(user->getResult(0)))
        llvm::append_range(open, user->getResults());
      else
        layers.insert(at->second);
    }
  }
  return layers;
}

namespace {
/// Which layers the stages of a pipeline run. Stages that have one more than
/// others come late, where fewer micro-batches are under way, but the last one,
/// which has the loss, is never among them.
class Stages {
public:
  Stages(int64_t count, int64_t layers)
      : layers(layers), each(layers / count), longer(layers % count),
        count(count) {}
  int64_t firstLayer(int64_t stage) const {
    int64_t behind = stage - (count - 1 - longer);
    return stage * each + std::clamp<int64_t>(behind, 0, longer);
  }
  int64_t endLayer(int64_t stage) const { return firstLayer(stage + 1); }
  /// The stage that a layer runs on; what is before the first layer is on the
  /// first stage, what is behind the last on the last.
  int64_t of(int64_t layer) const {
    if (count == 1 || layer < 0)
      return 0;
    if (layer >= layers)
      return count - 1;
    int64_t stage = layer / (each + 1);
    while (layer >= endLayer(stage))
      ++stage;
    return stage;
  }

private:
  int64_t layers, each, longer, count;
};
} // namespace

FailureOr<RankMemory> Sizing::size(const SizeOptions &options) {
  const Mesh &mesh = options.shard.mesh;
  const Recipe &recipe = options.recipe;
  if (failed(ways->check(options.shard)))
    return failure();
  if (mesh.pp > 1) {
    if (found.count == 0)
      return emitError(step.work.getLoc())
             << "pp=" << mesh.pp
             << " has nothing to split: the model has no layers that repeat";
    if (found.count < mesh.pp) {
      InFlightDiagnostic error = emitError(step.work.getLoc())
                                 << "pp=" << mesh.pp << " is more than the "
                                 << found.count << " layers of the model";
      for (auto [parameter, layer] : llvm::zip(step.parameters, readers))
        if (layer.contains(0)) {
          error.attachNote(step.placeOf(parameter.value))
              << "the first layer begins with `" << parameter.name << "`";
          break;
        }
      return error;
    }
  }
  RankMemory memory;
  memory.layers = found.count;
  memory.padded = ways->padded(options.shard);
  Stages stages(mesh.pp, found.count);
  memory.stages.resize(mesh.pp);
  for (auto [i, stage] : llvm::enumerate(memory.stages)) {
    stage.stage = int64_t(i);
    stage.firstLayer = stages.firstLayer(int64_t(i));
    stage.endLayer = stages.endLayer(int64_t(i));
    // One forward, one backward: a stage has as many micro-batches under way
    // as stages follow it, and itself.
    stage.inFlight = mesh.pp - int64_t(i);
    int64_t microBatches =
        options.microBatches ? options.microBatches : step.accumulate;
    if (microBatches > 0)
      stage.inFlight = std::min(stage.inFlight, microBatches);
  }

  // Parameters, gradients, optimizer state. ZeRO cuts flat buffers: the ranks'
  // parts are equal up to the last element.
  struct Flat {
    double weights = 0, gradients = 0, optimizer = 0;
  };
  // By stage, and by how many ranks hold the same.
  std::vector<std::map<int64_t, Flat>> flats(mesh.pp);
  std::map<int64_t, double> layerWeights, layerGradients;
  for (auto [parameter, layersOf] : llvm::zip(step.parameters, readers)) {
    Value value = parameter.value;
    double elements = elementsOf(value);
    memory.parameters += elements;
    Shards shards = ways->shardsOf(value, options.shard);
    int64_t copies = shards.expert > 1 ? mesh.dp / mesh.ep : mesh.dp;
    int weight = recipe.weight ? recipe.weight : bytesOf(value);
    int gradient = recipe.gradient ? recipe.gradient : bytesOf(value);
    double kept = parameter.trained ? recipe.master * shards.elements : 0;
    auto note = [&](Value tensor, const char *role, double bytes,
                    double rankBytes) {
      memory.tensors.push_back({parameter.name, role, tensor, shards, bytes,
                                rankBytes, layersOf.front()});
    };
    int over = options.zero;
    note(value, "parameter", elements * weight,
         shards.elements * weight / double(over >= 3 ? copies : 1));
    if (parameter.trained)
      note(value, "gradient", elements * gradient,
           shards.elements * gradient / double(over >= 2 ? copies : 1));
    double states = kept,
           whole = kept / std::max(shards.elements, 1.0) * elements;
    for (Value state : parameter.states) {
      int bytes = recipe.state ? recipe.state : bytesOf(state);
      states += ways->shardsOf(state, options.shard).elements * bytes;
      whole += elementsOf(state) * bytes;
    }
    if (states > 0)
      note(value, "optimizer", whole, states / double(over >= 1 ? copies : 1));
    llvm::SmallSetVector<int64_t, 2> on;
    for (int64_t layer : layersOf) {
      on.insert(stages.of(layer));
      layerWeights[layer] += shards.elements * weight;
      if (parameter.trained)
        layerGradients[layer] += shards.elements * gradient;
    }
    for (int64_t stage : on) {
      Flat &flat = flats[stage][copies];
      flat.weights += shards.elements * weight;
      if (parameter.trained)
        flat.gradients += shards.elements * gradient;
      flat.optimizer += states;
    }
  }
  for (auto [stage, byCopies] : llvm::zip(memory.stages, flats))
    for (auto [copies, flat] : byCopies) {
      auto part = [&](double bytes, int from) {
        return options.zero >= from ? std::ceil(bytes / double(copies)) : bytes;
      };
      stage.weights += part(flat.weights, 3);
      stage.gradients += part(flat.gradients, 2);
      stage.optimizer += part(flat.optimizer, 1);
    }
  // Gradients of a layer lie whole until they are scattered; weights of a layer
  // lie whole while it runs, and the next layer's are on their way.
  if (mesh.dp > 1 && options.zero >= 2)
    for (auto [layer, bytes] : layerGradients) {
      StageBytes &stage = memory.stages[stages.of(layer)];
      double gathered = options.zero >= 3 ? 2 * layerWeights[layer] : 0;
      stage.buckets = std::max(stage.buckets, bytes + gathered);
    }

  for (const SavedValue &saved :
       findSaved(step, found, *ways, recipe, options.save)) {
    Shards shards = ways->shardsOf(saved.value, options.shard);
    double bytes = std::ceil(std::ceil(shards.elements * saved.share) *
                             saved.elementBytes);
    StageBytes &stage = memory.stages[stages.of(saved.layer)];
    SizedTensor tensor{
        "",
        "saved",
        saved.value,
        shards,
        std::ceil(elementsOf(saved.value) * saved.share * saved.elementBytes),
        bytes,
        saved.layer};
    if (saved.recomputed)
      tensor.role = saved.passing ? "passing" : "recomputed";
    else if (saved.fromWeights)
      tensor.role = "copy";
    memory.tensors.push_back(tensor);
    if (saved.recomputed)
      continue;
    if (saved.fromWeights) {
      // What is made of weights is shared like them, and lies where they are
      // read.
      int64_t ranks = shards.expert > 1 ? mesh.dp / mesh.ep : mesh.dp;
      double copy =
          options.zero >= 3 ? std::ceil(bytes / double(ranks)) : bytes;
      llvm::SmallSetVector<int64_t, 2> on;
      for (int64_t layer : readersOf(saved.value))
        on.insert(stages.of(layer));
      if (on.empty())
        on.insert(stage.stage);
      for (int64_t reader : on)
        memory.stages[size_t(reader)].copies += copy;
      continue;
    }
    stage.activations += bytes;
    if (ways->isLogits(saved.value))
      stage.logits += bytes;
  }
  std::map<int64_t, double> again;
  for (const SizedTensor &tensor : memory.tensors)
    if (tensor.role == "recomputed")
      again[tensor.layer] += tensor.rankBytes;
  for (auto [layer, bytes] : again) {
    StageBytes &stage = memory.stages[stages.of(layer)];
    stage.recomputed = std::max(stage.recomputed, bytes);
  }
  for (StageBytes &stage : memory.stages) {
    for (Value input : step.inputs)
      stage.other +=
          ways->shardsOf(input, options.shard).elements * bytesOf(input);
    for (Value state : step.otherState)
      stage.other += elementsOf(state) * bytesOf(state);
  }
  for (const StageBytes &stage : memory.stages)
    if (stage.total() > memory.stages[memory.worst].total())
      memory.worst = size_t(stage.stage);
  // 2^63 and more: nothing that reads the report could hold it.
  if (!(memory.stages[memory.worst].total() < 0x1p63))
    return emitError(step.work.getLoc())
           << "one rank of this mesh takes more bytes than 63 bits count";
  return memory;
}
