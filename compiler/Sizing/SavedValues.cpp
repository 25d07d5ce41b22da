//===- SavedValues.cpp - what the backward pass reads ---------------------===//

#include "compiler/Sizing/SavedValues.h"

#include "dialects/Tarn/TarnOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::TileKind;

static int bytesOf(Type type) {
  unsigned bits = cast<RankedTensorType>(type).getElementTypeBitWidth();
  return int((bits + 7) / 8);
}

static int64_t elementsOf(Value value) {
  return graph::tensorType(value).getNumElements();
}

namespace {

class SavedFinder {
public:
  SavedFinder(const StepGraph &step, const Layers &layers,
              Parallelism &parallelism, const Recipe &recipe,
              const SaveOptions &options)
      : step(step), layers(layers), parallelism(parallelism), recipe(recipe),
        options(options) {
    for (auto [i, op] : llvm::enumerate(step.forward))
      layer[op] = layers.layerOf[i];
  }
  std::vector<SavedValue> find();

private:
  Value sourceOf(Value value);
  void read(Value value);
  void dropCheap();
  bool isDropped(Value root);
  bool isKept(Value root);
  int elementBytes(Value root);
  int64_t layerOf(Value root);

  const StepGraph &step;
  const Layers &layers;
  Parallelism &parallelism;
  const Recipe &recipe;
  const SaveOptions &options;
  DenseMap<Operation *, int64_t> layer;
  /// The views of each root that are read, where they are parts of it.
  struct Reads {
    bool whole = false, direct = false;
    llvm::SmallSetVector<Value, 4> parts;
  };
  llvm::MapVector<Value, Reads> kept, dropped;
};

} // namespace

/// What a value is another sight of, or null: views, and casts that take no
/// memory of their own.
Value SavedFinder::sourceOf(Value value) {
  Operation *op = value.getDefiningOp();
  auto indexed = op ? dyn_cast<IndexedOp>(op) : IndexedOp();
  if (!indexed || op->getNumOperands() != 1 || op->getNumResults() != 1)
    return {};
  if (indexed.getTileKind() == TileKind::view)
    return op->getOperand(0);
  // A cast that widens is made anew by each reader; where all floats have one
  // size, a cast between them is none.
  auto cast = dyn_cast<graph::CastOp>(op);
  if (!cast)
    return {};
  Type from = graph::tensorType(cast.getX()).getElementType();
  Type to = graph::tensorType(value).getElementType();
  if (!isa<FloatType>(from) || !isa<FloatType>(to))
    return {};
  bool widens = to.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth();
  return widens || recipe.activation ? cast.getX() : Value();
}

int64_t SavedFinder::layerOf(Value root) {
  if (auto found = layers.inputOf.find(root); found != layers.inputOf.end())
    return found->second;
  return layer.lookup(root.getDefiningOp());
}

/// Whether recompute gives a value up.
bool SavedFinder::isDropped(Value root) {
  switch (options.recompute) {
  case Recompute::none:
  case Recompute::cheap:
    return false;
  case Recompute::selective:
    return parallelism.isQuadratic(root);
  case Recompute::full: {
    if (layers.inputOf.contains(root))
      return false;
    int64_t at = layer.lookup(root.getDefiningOp());
    return at >= 0 && at < layers.count;
  }
  }
  return false;
}

/// Whether a root takes memory between the passes at all.
bool SavedFinder::isKept(Value root) {
  Operation *op = root.getDefiningOp();
  if (!op || !step.isForward(op))
    return false;
  Origins from = step.originsOf(root);
  if (from.none())
    return false;
  if (from.random && !from.parameter && !from.input)
    return options.savedMasks;
  // A copy of weights in another precision is what the recipe calls weights.
  if (step.isWeight(root) && recipe.weight)
    return false;
  return true;
}

int SavedFinder::elementBytes(Value root) {
  Type type = graph::tensorType(root).getElementType();
  if (!recipe.activation || !isa<FloatType>(type))
    return bytesOf(root.getType());
  return parallelism.isLogits(root) ? recipe.logits : recipe.activation;
}

/// A value that the backward pass reads, itself or what it is a view of; what
/// is given up needs the values that it is computed from.
void SavedFinder::read(Value value) {
  SmallVector<Value> open = {value};
  for (bool direct = true; !open.empty(); direct = false) {
    Value root = open.pop_back_val(), part = root;
    while (Value source = sourceOf(root)) {
      root = source;
      if (elementsOf(root) < elementsOf(part))
        part = root; // repeated: the source is all there is
    }
    if (!isKept(root))
      continue;
    bool isNew;
    Reads *reads;
    if (isDropped(root)) {
      isNew = !dropped.contains(root);
      reads = &dropped[root];
      if (isNew)
        llvm::append_range(open, root.getDefiningOp()->getOperands());
    } else {
      reads = &kept[root];
    }
    reads->direct |= direct;
    if (elementsOf(part) >= elementsOf(root))
      reads->whole = true;
    else
      reads->parts.insert(part);
  }
}

/// Gives up what elementwise ops make of values that are there: of those that
/// stay, of what takes no memory, of each other.
void SavedFinder::dropCheap() {
  DenseSet<Value> made;
  for (Operation *op : step.forward) {
    auto recomputable = dyn_cast<graph::Recomputable>(op);
    if (!recomputable ||
        recomputable.getRecomputeClass() != graph::RecomputeClass::cheap ||
        op->getNumOperands() == 0)
      continue;
    bool possible = llvm::all_of(op->getOperands(), [&](Value operand) {
      while (Value source = sourceOf(operand))
        operand = source;
      return !isKept(operand) || kept.contains(operand) ||
             made.contains(operand);
    });
    for (Value result : op->getResults())
      if (possible && !sourceOf(result)) {
        made.insert(result);
        kept.erase(result);
      }
  }
}

std::vector<SavedValue> SavedFinder::find() {
  for (Operation *op : step.forward)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(),
                       [&](Operation *user) { return step.isBackward(user); }))
        read(result);
  if (options.recompute == Recompute::cheap)
    dropCheap();
  std::vector<SavedValue> all;
  for (auto *list : {&kept, &dropped})
    for (auto &[root, reads] : *list) {
      SavedValue saved;
      saved.value = root;
      saved.layer = layerOf(root);
      saved.elementBytes = elementBytes(root);
      saved.recomputed = list == &dropped;
      saved.passing = saved.recomputed && !reads.direct;
      saved.fromWeights = step.isWeight(root);
      if (!reads.whole) {
        double read = 0;
        for (Value part : reads.parts)
          read += double(elementsOf(part));
        saved.share = std::min(1.0, read / double(elementsOf(root)));
      }
      all.push_back(saved);
    }
  return all;
}

std::vector<SavedValue> tarn::findSaved(const StepGraph &step,
                                        const Layers &layers,
                                        Parallelism &parallelism,
                                        const Recipe &recipe,
                                        const SaveOptions &options) {
  return SavedFinder(step, layers, parallelism, recipe, options).find();
}
