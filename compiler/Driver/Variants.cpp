//===- Variants.cpp - ways to compute one training step -------------------===//

#include "compiler/Driver/Variants.h"

#include "passes/Plan/FunctionPlan.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace tarn;

/// Parts of the loss that are tried; more only launch more kernels. They do not
/// depend on the budget.
static constexpr int64_t chunkCounts[] = {1, 2, 8, 32};
/// The one of these that is tried beside micro-batches.
static constexpr int64_t microChunks = 8;

StringRef tarn::allowedWord(Allowed allowed) {
  switch (allowed) {
  case Allowed::exact:
    return "exact";
  case Allowed::rounding:
    return "rounding";
  case Allowed::meaning:
    return "meaning";
  }
  return "";
}

std::string StepVariant::text() const {
  std::string text;
  auto add = [&](const std::string &part) {
    text += (text.empty() ? "" : ", ") + part;
  };
  if (micro > 1)
    add(std::to_string(micro) + " micro-batches");
  if (chunks > 1)
    add("loss in " + std::to_string(chunks) + " chunks");
  if (narrow)
    add("saved values in bf16");
  return text;
}

/// The notes of the passes, in order.
static SmallVector<std::pair<func::FuncOp, DictionaryAttr>>
passNotes(ModuleOp module) {
  SmallVector<std::pair<func::FuncOp, DictionaryAttr>> notes;
  for (auto function : module.getOps<func::FuncOp>())
    if (auto list = function->getAttrOfType<ArrayAttr>("tarn.numerics"))
      for (auto note : list.getAsRange<DictionaryAttr>())
        notes.push_back({function, note});
  return notes;
}

static int64_t integerOf(DictionaryAttr note, StringRef name) {
  auto number = note.getAs<IntegerAttr>(name);
  return number ? number.getInt() : 0;
}

/// Whether a function is the training step, or the part of it that repeats.
static bool isStep(func::FuncOp function) {
  auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
  return kind && (kind.getValue() == "train" || kind.getValue() == "micro");
}

std::vector<NumericsNote> tarn::numericsOf(ModuleOp module) {
  std::vector<NumericsNote> notes;
  for (auto [function, from] : passNotes(module)) {
    NumericsNote note;
    note.numericsClass = from.getAs<StringAttr>("class").str();
    note.function = function.getName().str();
    note.bytes = integerOf(from, "bytes");
    note.text = from.getAs<StringAttr>("text").str();
    if (note.bytes)
      note.text += " -" + bytesText(note.bytes);
    if (auto loc = from.getAs<LocationAttr>("loc"))
      Location(loc)->walk([&](Location inner) {
        auto place = dyn_cast<FileLineColLoc>(inner);
        if (!place)
          return WalkResult::advance();
        note.file = place.getFilename().str();
        note.line = place.getLine();
        note.column = place.getColumn();
        return WalkResult::interrupt();
      });
    notes.push_back(std::move(note));
  }
  return notes;
}

namespace {

/// Plans variants of one module, and keeps the best.
class Search {
public:
  Search(const CompileRequest &request, ModuleOp base, MicroBatches &micro,
         const PipelineOptions &options)
      : request(request), base(base), micro(micro), options(options) {}

  PlannedVariant exact(bool isFinal) {
    return plan(StepVariant(), 0, 0, isFinal);
  }
  /// Variants with so many micro-batches, beginning with `best`.
  PlannedVariant others(PlannedVariant best, int64_t count);
  /// One that fits, if those with so many micro-batches that take least do.
  std::optional<PlannedVariant> any(int64_t count);

private:
  PlannedVariant plan(const StepVariant &variant, double beat,
                      int64_t beatBytes, bool isFinal);

  const CompileRequest &request;
  ModuleOp base;
  MicroBatches &micro;
  const PipelineOptions &options;
};

} // namespace

PlannedVariant Search::plan(const StepVariant &variant, double beat,
                            int64_t beatBytes, bool isFinal) {
  PlannedVariant planned;
  planned.variant = variant;
  ModuleOp from = base;
  if (!variant.isExact())
    planned.needs = Allowed::rounding;
  if (variant.micro > 1) {
    const MicroBatches::Cut *cut = micro.of(variant.micro);
    planned.needs = cut->how.needs;
    from = *cut->module;
  }
  planned.module = OwningOpRef<ModuleOp>(from.clone());
  PipelineOptions chosen = options;
  chosen.chunks = variant.chunks;
  chosen.narrow = variant.narrow;
  chosen.beatSeconds = beat;
  chosen.beatBytes = beatBytes;
  planned.outcome = runPhases(request, *planned.module, Phase::Precision,
                              Phase::Plan, chosen, isFinal);
  ModuleOp module = *planned.module;
  if (auto bytes = module->getAttrOfType<IntegerAttr>("tarn.plan_bytes"))
    planned.bytes = bytes.getInt();
  if (auto seconds = module->getAttrOfType<FloatAttr>("tarn.plan_seconds"))
    planned.seconds = seconds.getValueAsDouble();
  return planned;
}

/// Whether the first is to be taken: it fits where the other does not, or both
/// fit and it is faster, or none does and it takes less.
static bool isBetter(const PlannedVariant &x, const PlannedVariant &y) {
  if (x.fits() != y.fits())
    return x.fits();
  if (x.fits())
    return x.seconds < y.seconds;
  return x.outcome.leastBudget && y.outcome.leastBudget &&
         *x.outcome.leastBudget < *y.outcome.leastBudget;
}

/// What the passes noted of the step.
struct Applied {
  bool chunks = false, narrow = false;
  /// What a part needs beside it does not get smaller with it.
  bool isSmall = false;
};

static Applied appliedIn(ModuleOp module) {
  Applied applied;
  for (auto [function, note] : passNotes(module)) {
    if (!isStep(function))
      continue;
    if (note.contains("micro_batches"))
      continue;
    bool ofChunks = note.contains("part_bytes");
    applied.chunks |= ofChunks;
    applied.narrow |= !ofChunks;
    applied.isSmall |= ofChunks && integerOf(note, "part_bytes") <
                                       integerOf(note, "beside_bytes") / 2;
  }
  return applied;
}

PlannedVariant Search::others(PlannedVariant best, int64_t count) {
  bool isChunked = true, isNarrow = true;
  for (bool narrow : {false, true})
    for (int64_t chunks : chunkCounts) {
      StepVariant variant{count, chunks, narrow};
      // Micro-batches make the loss smaller already.
      if (variant.isExact() ||
          (count > 1 && chunks > 1 && chunks != microChunks))
        continue;
      if ((chunks > 1 && !isChunked) || (narrow && !isNarrow))
        continue;
      PlannedVariant planned =
          plan(variant, best.fits() ? best.seconds : 0,
               best.fits() ? 0 : *best.outcome.leastBudget, /*isFinal=*/false);
      // The step may have nothing to cut, or nothing to keep.
      Applied applied = appliedIn(*planned.module);
      isChunked &= chunks == 1 || applied.chunks;
      isNarrow &= !narrow || applied.narrow;
      if ((chunks > 1 && !applied.chunks) || (narrow && !applied.narrow))
        continue;
      if (planned.outcome.status == CompileStatus::internalError &&
          !planned.outcome.beaten)
        return planned;
      if (!planned.outcome.beaten && isBetter(planned, best))
        best = std::move(planned);
      if (applied.isSmall)
        break;
    }
  return best;
}

std::optional<PlannedVariant> Search::any(int64_t count) {
  auto planFor = [&](int64_t chunks, bool narrow) {
    return plan({count, chunks, narrow}, 0, request.budgetBytes + 1,
                /*isFinal=*/false);
  };
  if (count > 1)
    if (PlannedVariant planned = planFor(1, false); planned.fits())
      return planned;
  // Both together take least: where they do not fit, one of them does not
  // either. Where they do, less change is the better offer.
  int64_t most = count > 1 ? microChunks : *std::rbegin(chunkCounts);
  PlannedVariant both = planFor(most, true);
  if (!both.fits())
    return std::nullopt;
  Applied applied = appliedIn(*both.module);
  if (applied.chunks)
    if (PlannedVariant planned = planFor(most, false); planned.fits())
      return planned;
  if (applied.narrow)
    if (PlannedVariant planned = planFor(1, true); planned.fits())
      return planned;
  if (!applied.chunks || !applied.narrow)
    return std::nullopt;
  return both;
}

PlannedVariant tarn::planVariants(const CompileRequest &request, ModuleOp base,
                                  MicroBatches &micro,
                                  const PipelineOptions &options,
                                  Allowed allowed) {
  Search search(request, base, micro, options);
  PlannedVariant best = search.exact(/*isFinal=*/true);
  auto isOver = [&] { return !best.fits() && !best.outcome.leastBudget; };
  if (allowed == Allowed::exact || isOver())
    return best;
  best = search.others(std::move(best), 1);
  for (int64_t count : micro.counts())
    if (const MicroBatches::Cut *cut = micro.of(count))
      if (cut->how.needs <= allowed && !isOver())
        best = search.others(std::move(best), count);
  return best;
}

std::vector<Offer> tarn::offersBeyond(const CompileRequest &request,
                                      ModuleOp base, MicroBatches &micro,
                                      const PipelineOptions &options,
                                      const PhasesOutcome &missed) {
  std::vector<Offer> offers;
  // Nothing of this makes smaller what is outside of the arena.
  if (request.allowed == Allowed::meaning ||
      missed.otherBytes >= request.budgetBytes)
    return offers;
  // Few are planned, and none that cannot fit: a refusal is not to take long.
  Search search(request, base, micro, options);
  auto offer = [&](int64_t count) {
    if (auto planned = search.any(count))
      offers.push_back({planned->needs, planned->variant.text(), planned->bytes,
                        planned->seconds});
  };
  if (request.allowed == Allowed::exact)
    offer(1);
  for (int64_t count : llvm::reverse(micro.counts()))
    if (const MicroBatches::Cut *cut = micro.of(count)) {
      if (cut->how.needs > request.allowed)
        offer(count);
      break;
    }
  return offers;
}
