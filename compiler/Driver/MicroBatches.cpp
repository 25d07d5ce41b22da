//===- MicroBatches.cpp - the step of a batch, a part at a time -----------===//

#include "compiler/Driver/MicroBatches.h"

#include "compiler/Driver/RunPhases.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace tarn;

/// Micro-batches that are tried, where they divide the batch; else the next
/// larger number that does.
static constexpr int64_t wanted[] = {2, 4, 8, 32, 128};

/// The one function that is trained; null where there are none or several.
static func::FuncOp trainOf(ModuleOp module) {
  func::FuncOp found;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("tarn.train")) {
      if (found)
        return {};
      found = function;
    }
  return found;
}

static int64_t accumulationOf(func::FuncOp function) {
  auto options = function->getAttrOfType<DictionaryAttr>("tarn.train");
  auto count = options.getAs<IntegerAttr>("accumulate");
  return count ? count.getInt() : 1;
}

/// The dim along which inputs can be cut; empty where there is none.
void MicroBatches::findDim() {
  if (!StringRef(request.model).ends_with(".tarn") &&
      !StringRef(request.model).ends_with(".json"))
    return; // no text to import again
  whole = import({});
  func::FuncOp function = whole ? trainOf(*whole) : func::FuncOp();
  auto dims = whole ? (*whole)->getAttrOfType<DictionaryAttr>("tarn.shape")
                    : DictionaryAttr();
  if (!function || !dims)
    return;
  for (NamedAttribute entry : dims) {
    int64_t extent = cast<IntegerAttr>(entry.getValue()).getInt();
    shape[entry.getName().str()] = extent;
  }
  for (auto [name, extent] : shape) {
    bool isFirst = false;
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      auto tensor = cast<RankedTensorType>(type);
      isFirst |= argumentRole(function, i) == "input" && tensor.getRank() > 0 &&
                 tensor.getDimSize(0) == extent;
    }
    int64_t least = 2;
    while (extent % least != 0 && least < extent)
      ++least;
    if (!isFirst || extent < 2)
      continue;
    dim = name;
    madeFor = 0;
    if (of(least))
      return;
  }
  dim.clear();
}

const std::vector<int64_t> &MicroBatches::counts() {
  if (known)
    return *known;
  known.emplace();
  findDim();
  if (dim.empty())
    return *known;
  int64_t rows = shape[dim];
  for (int64_t count : wanted) {
    if (count > rows)
      count = rows;
    while (rows % count != 0)
      ++count;
    if (known->empty() || known->back() < count)
      known->push_back(count);
  }
  return *known;
}

const MicroBatches::Cut *MicroBatches::of(int64_t count) {
  if (madeFor != count) {
    made.reset();
    made = make(count);
    madeFor = count;
  }
  return made.get();
}

/// Says what was done to a step, for reports.
static void note(func::FuncOp function, const BatchCut &cut, int64_t count,
                 const Twine &rows) {
  Builder b(function.getContext());
  std::string text = (Twine(count) + " micro-batches of " + rows).str() +
                     (cut.reason.empty() ? "" : ", " + cut.reason);
  bool isMeaning = cut.needs == Allowed::meaning;
  function->setAttr(
      "tarn.numerics",
      b.getArrayAttr(b.getDictionaryAttr(
          {b.getNamedAttr("class",
                          b.getStringAttr(isMeaning ? "meaning" : "rounding")),
           b.getNamedAttr("text", b.getStringAttr(text)),
           b.getNamedAttr("micro_batches", b.getI64IntegerAttr(count)),
           b.getNamedAttr("loc",
                          LocationAttr(cut.at.value_or(function.getLoc())))})));
}

/// Functions that only have a loss and metrics are cut as well, where that
/// needs no more than the step does: they take their share of the same memory.
void MicroBatches::cutEvaluations(ModuleOp parts, Allowed allowed,
                                  int64_t count,
                                  std::map<std::string, BatchCut> &cuts) {
  Builder b(parts.getContext());
  for (auto part : parts.getOps<func::FuncOp>()) {
    auto full = whole->lookupSymbol<func::FuncOp>(part.getName());
    if (part->getAttr("tarn.kind") != b.getStringAttr("eval") || !full)
      continue;
    std::optional<BatchCut> cut = cutBatch(full, part, count);
    if (!cut || cut->needs > allowed)
      continue;
    part->setAttr("tarn.cut", b.getI64IntegerAttr(count));
    cuts.emplace(part.getName().str(), *cut);
  }
}

std::unique_ptr<MicroBatches::Cut> MicroBatches::make(int64_t count) {
  std::map<std::string, int64_t> fewer;
  fewer[dim] = shape[dim] / count;
  OwningOpRef<ModuleOp> module = import(fewer);
  func::FuncOp part = module ? trainOf(*module) : func::FuncOp();
  if (!part)
    return nullptr;
  std::optional<BatchCut> cut = cutBatch(trainOf(*whole), part, count);
  if (!cut)
    return nullptr;
  // A step that accumulates anyway has its own keys for what it is given.
  int64_t already = accumulationOf(part);
  bool isWhole = false, draws = false;
  for (unsigned i = 0, e = part.getNumArguments(); i != e; ++i) {
    isWhole |= bool(part.getArgAttr(i, "tarn.whole"));
    draws |= argumentRole(part, i) == "rng";
  }
  if (already > 1 && (isWhole || draws))
    return nullptr;
  Builder b(part.getContext());
  NamedAttrList options(part->getAttrOfType<DictionaryAttr>("tarn.train"));
  options.set("accumulate", b.getI64IntegerAttr(count * already));
  options.set("parts", b.getUnitAttr());
  part->setAttr("tarn.train", options.getDictionary(part.getContext()));
  std::map<std::string, BatchCut> cuts{{part.getName().str(), *cut}};
  cutEvaluations(*module, cut->needs, count, cuts);
  if (runPhases(request, *module, Phase::Graph, Phase::Train, {},
                /*isFinal=*/false)
          .status != CompileStatus::success)
    return nullptr;

  auto result = std::make_unique<Cut>();
  result->how = *cut;
  result->module = OwningOpRef<ModuleOp>(base.clone());
  ModuleOp into = *result->module;
  for (const auto &[name, how] : cuts) {
    auto old = into.lookupSymbol<func::FuncOp>(name);
    auto apply = module->lookupSymbol<func::FuncOp>(name);
    auto micro = module->lookupSymbol<func::FuncOp>(name + "_micro");
    note(micro, how, count, dim + "=" + std::to_string(fewer[dim]));
    if (auto other = into.lookupSymbol<func::FuncOp>(name + "_micro"))
      other.erase();
    for (func::FuncOp function : {micro, apply})
      function->moveBefore(old);
    old.erase();
  }
  return result;
}
