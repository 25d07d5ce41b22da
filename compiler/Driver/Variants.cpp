//===- Variants.cpp - ways to compute one training step -------------------===//

#include "compiler/Driver/Variants.h"

#include "passes/Plan/FunctionPlan.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace tarn;

/// Parts of the loss that are tried; more only launch more kernels. They do not
/// depend on the budget.
static constexpr int64_t chunkCounts[] = {1, 2, 8, 32};

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
  if (chunks > 1)
    text = "loss in " + std::to_string(chunks) + " chunks";
  if (narrow)
    text += std::string(text.empty() ? "" : ", ") + "saved values in bf16";
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
    note.text =
        from.getAs<StringAttr>("text").str() + " -" + bytesText(note.bytes);
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
  Search(const CompileRequest &request, ModuleOp base,
         const PipelineOptions &options)
      : request(request), base(base), options(options) {}

  PlannedVariant exact(bool isFinal) {
    return plan(StepVariant(), Allowed::exact, 0, 0, isFinal);
  }
  /// Variants that change rounding, beginning with `best`.
  PlannedVariant rounding(PlannedVariant best);
  /// One that changes rounding and fits, if those that take least do.
  std::optional<PlannedVariant> anyRounding();

private:
  PlannedVariant plan(const StepVariant &variant, Allowed needs, double beat,
                      int64_t beatBytes, bool isFinal);

  const CompileRequest &request;
  ModuleOp base;
  const PipelineOptions &options;
};

} // namespace

PlannedVariant Search::plan(const StepVariant &variant, Allowed needs,
                            double beat, int64_t beatBytes, bool isFinal) {
  PlannedVariant planned;
  planned.variant = variant;
  planned.needs = needs;
  planned.module = OwningOpRef<ModuleOp>(cast<ModuleOp>(base->clone()));
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
    bool ofChunks = note.contains("part_bytes");
    applied.chunks |= ofChunks;
    applied.narrow |= !ofChunks;
    applied.isSmall |= ofChunks && integerOf(note, "part_bytes") <
                                       integerOf(note, "beside_bytes") / 2;
  }
  return applied;
}

PlannedVariant Search::rounding(PlannedVariant best) {
  bool isChunked = true, isNarrow = true;
  for (bool narrow : {false, true})
    for (int64_t chunks : chunkCounts) {
      StepVariant variant{chunks, narrow};
      if (variant.isExact() || (chunks > 1 && !isChunked) ||
          (narrow && !isNarrow))
        continue;
      PlannedVariant planned =
          plan(variant, Allowed::rounding, best.fits() ? best.seconds : 0,
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

std::optional<PlannedVariant> Search::anyRounding() {
  auto planFor = [&](const StepVariant &variant) {
    return plan(variant, Allowed::rounding, 0, request.budgetBytes + 1,
                /*isFinal=*/false);
  };
  // Both together take least: where they do not fit, one of them does not
  // either. Where they do, less change is the better offer.
  int64_t most = *std::rbegin(chunkCounts);
  PlannedVariant both = planFor({most, true});
  if (!both.fits())
    return std::nullopt;
  Applied applied = appliedIn(*both.module);
  if (applied.chunks)
    if (PlannedVariant planned = planFor({most, false}); planned.fits())
      return planned;
  if (applied.narrow)
    if (PlannedVariant planned = planFor({1, true}); planned.fits())
      return planned;
  if (!applied.chunks || !applied.narrow)
    return std::nullopt;
  return both;
}

PlannedVariant tarn::planVariants(const CompileRequest &request, ModuleOp base,
                                  const PipelineOptions &options,
                                  Allowed allowed) {
  Search search(request, base, options);
  PlannedVariant best = search.exact(/*isFinal=*/true);
  if (allowed == Allowed::exact || (!best.fits() && !best.outcome.leastBudget))
    return best;
  return search.rounding(std::move(best));
}

std::vector<Offer> tarn::offersBeyond(const CompileRequest &request,
                                      ModuleOp base,
                                      const PipelineOptions &options,
                                      const PhasesOutcome &missed) {
  std::vector<Offer> offers;
  // No rounding makes what is outside of the arena smaller.
  if (request.allowed != Allowed::exact ||
      missed.otherBytes >= request.budgetBytes)
    return offers;
  // Few are planned, and none that cannot fit: a refusal is not to take long.
  if (auto planned = Search(request, base, options).anyRounding())
    offers.push_back({Allowed::rounding, planned->variant.text(),
                      planned->bytes, planned->seconds});
  return offers;
}
