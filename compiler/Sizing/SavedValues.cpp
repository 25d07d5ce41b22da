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
  Value rootOf(Value value);
  bool isInLayer(Value root);
  bool isDropped(Value root);
  bool isWideOrMade(Value root);
  bool isKept(Value root);
  double elementBytes(Value root);
  Value otherFactor(Operation *op);
  int savedBits(Value root);
  bool makesFactor(Value root);
  int64_t layerOf(Value root);

  const StepGraph &step;
  const Layers &layers;
  Parallelism &parallelism;
  const Recipe &recipe;
  const SaveOptions &options;
  DenseMap<Operation *, int64_t> layer;
  /// What isWideOrMade and makesFactor have found.
  DenseMap<Value, bool> wide, makes;
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

Value SavedFinder::rootOf(Value value) {
  while (Value source = sourceOf(value))
    value = source;
  return value;
}

int64_t SavedFinder::layerOf(Value root) {
  if (auto found = layers.inputOf.find(root); found != layers.inputOf.end())
    return found->second;
  return layer.lookup(root.getDefiningOp());
}

/// Whether a value is made inside of a layer, and is not handed to the next.
bool SavedFinder::isInLayer(Value root) {
  Operation *op = root.getDefiningOp();
  if (!op || layers.inputOf.contains(root))
    return false;
  int64_t at = layer.lookup(op);
  return at >= 0 && at < layers.count;
}

/// What a product multiplies with a weight, or null: attention has no weight.
Value SavedFinder::otherFactor(Operation *op) {
  auto product = dyn_cast<graph::ProductOp>(op);
  if (!product)
    return {};
  SmallVector<unsigned> factors = product.getFactors();
  if (factors.size() != 2)
    return {};
  Value x = rootOf(op->getOperand(factors[0]));
  Value y = rootOf(op->getOperand(factors[1]));
  if (step.isWeight(x) == step.isWeight(y))
    return {};
  return step.isWeight(x) ? y : x;
}

/// Whether a value is a norm's, or is wider than what a product made it of, or
/// is made or moved of such values.
bool SavedFinder::isWideOrMade(Value root) {
  auto [entry, isNew] = wide.try_emplace(root, false);
  if (!isNew)
    return entry->second;
  Operation *op = root.getDefiningOp();
  auto indexed = op ? dyn_cast<IndexedOp>(op) : IndexedOp();
  if (!indexed || !isInLayer(root) || !isKept(root))
    return false;
  bool result = false;
  TileKind kind = indexed.getTileKind();
  if (Value factor = otherFactor(op)) {
    result = elementsOf(root) > elementsOf(factor);
  } else if (isa<graph::ProductOp>(op)) {
    result = false;
  } else if (kind == TileKind::composite) {
    result = true;
  } else if (kind == TileKind::elementwise || kind == TileKind::gather) {
    bool arrives = kind == TileKind::gather && parallelism.isExpert(root);
    for (Value operand : op->getOperands()) {
      Value from = rootOf(operand);
      result |= isWideOrMade(from) && (!arrives || parallelism.isExpert(from));
    }
  }
  wide[root] = result;
  return result;
}

/// Whether recompute gives a value up.
bool SavedFinder::isDropped(Value root) {
  switch (options.recompute) {
  case Recompute::none:
  case Recompute::cheap:
    return false;
  case Recompute::narrow:
    return isWideOrMade(root);
  case Recompute::selective:
    return parallelism.isQuadratic(root);
  case Recompute::full:
    return isInLayer(root);
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

/// Everything that reads a value, itself or a view of it.
static void readersOf(Value root, llvm::function_ref<Value(Value)> sourceOf,
                      llvm::SmallVectorImpl<Operation *> &readers) {
  SmallVector<Value> open = {root};
  while (!open.empty()) {
    Value value = open.pop_back_val();
    for (Operation *user : value.getUsers())
      if (user->getNumResults() == 1 && sourceOf(user->getResult(0)))
        open.push_back(user->getResult(0));
      else
        readers.push_back(user);
  }
}

/// Whether all that the forward pass makes of a value, elementwise, are factors
/// of products with weights.
bool SavedFinder::makesFactor(Value root) {
  auto [entry, isNew] = makes.try_emplace(root, false);
  if (!isNew || !isInLayer(root))
    return entry->second;
  SmallVector<Operation *> readers;
  readersOf(root, [&](Value value) { return sourceOf(value); }, readers);
  bool isRead = false, all = true;
  for (Operation *reader : readers) {
    if (!step.isForward(reader) || otherFactor(reader) == root) {
      isRead |= step.isForward(reader);
      continue;
    }
    auto indexed = dyn_cast<IndexedOp>(reader);
    isRead = true;
    all = all && indexed && indexed.getTileKind() == TileKind::elementwise &&
          makesFactor(rootOf(reader->getResult(0)));
  }
  return makes[root] = isRead && all;
}

/// The bits that the recipe saves a value in, or 0 where it has none of its
/// own.
int SavedFinder::savedBits(Value root) {
  Operation *op = root.getDefiningOp();
  if (!recipe.factorBits || !op || !isInLayer(root))
    return 0;
  SmallVector<Operation *> readers;
  readersOf(root, [&](Value value) { return sourceOf(value); }, readers);
  bool factor = false, others = false;
  for (Operation *reader : readers)
    if (step.isForward(reader)) {
      factor |= otherFactor(reader) == root;
    } else if (step.isBackward(reader)) {
      // Its own producer's gradient, as attention's reads what attention made.
      auto indexed = dyn_cast<IndexedOp>(reader);
      others |= indexed && indexed.getTileKind() == TileKind::composite;
    }
  if (factor)
    return others ? recipe.sharedBits : recipe.factorBits;
  return otherFactor(op) && makesFactor(root) ? recipe.factorBits : 0;
}

double SavedFinder::elementBytes(Value root) {
  Type type = graph::tensorType(root).getElementType();
  if (!recipe.activation || !isa<FloatType>(type))
    return bytesOf(root.getType());
  if (int bits = savedBits(root))
    return bits / 8.0 + 4.0 / recipe.scaled;
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
      operand = rootOf(operand);
      return !isKept(operand) || kept.contains(operand) ||
             dropped.contains(operand) || made.contains(operand);
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
  if (options.recompute == Recompute::cheap ||
      options.recompute == Recompute::narrow)
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
