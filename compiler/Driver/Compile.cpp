//===- Compile.cpp - from a model's text to an artifact -------------------===//

#include "compiler/Driver/Compile.h"

#include "compiler/Driver/Registry.h"
#include "compiler/Driver/Targets.h"
#include "compiler/Driver/Variants.h"
#include "compiler/Package/Package.h"
#include "compiler/Pipeline/Phases.h"
#include "dialects/Tile/TileOps.h"
#include "frontends/HuggingFace/Import.h"
#include "frontends/TarnLanguage/Import.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Train/Roles.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <cstring>
#include <set>

using namespace mlir;
using namespace tarn;

namespace {

/// Notes the seconds of each step of a compilation.
class Stopwatch {
public:
  explicit Stopwatch(CompileResult &result) : result(result) {}
  /// Begins anew: the time until now is another's.
  void restart() { begin = std::chrono::steady_clock::now(); }
  /// Ends the running step and gives it its name.
  void lap(StringRef name) {
    auto now = std::chrono::steady_clock::now();
    std::chrono::duration<double> took = now - begin;
    result.seconds.emplace_back(name.str(), took.count());
    begin = now;
  }

private:
  CompileResult &result;
  std::chrono::steady_clock::time_point begin =
      std::chrono::steady_clock::now();
};

} // namespace

static llvm::raw_ostream &errorsOf(const CompileRequest &request) {
  return request.errors ? *request.errors : llvm::errs();
}

static CompileStatus fail(const CompileRequest &request, const Twine &error,
                          const Twine &help = "") {
  errorsOf(request) << "error: " << error << "\n";
  if (!help.isTriviallyEmpty())
    errorsOf(request) << "help: " << help << "\n";
  return CompileStatus::userError;
}

bool tarn::isModel(const std::string &path) {
  StringRef name(path);
  return name.ends_with(".tarn") || name.ends_with(".mlir") ||
         name.ends_with(".json");
}

CompileStatus tarn::importModel(const CompileRequest &request,
                                MLIRContext &context,
                                OwningOpRef<ModuleOp> &module) {
  context.loadAllAvailableDialects();
  bool isConfig = StringRef(request.model).ends_with(".json");
  if (isConfig || StringRef(request.model).ends_with(".tarn")) {
    lang::ImportOptions options;
    options.set = request.set;
    options.shape = request.shape;
    module = (isConfig ? hf::importConfig : lang::importTarn)(
        context, request.model, options, errorsOf(request));
    return module ? CompileStatus::success : CompileStatus::userError;
  }
  if (StringRef(request.model).ends_with(".mlir")) {
    auto file = llvm::MemoryBuffer::getFile(request.model);
    if (!file)
      return fail(request, "cannot read `" + request.model +
                               "`: " + file.getError().message());
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(std::move(*file), llvm::SMLoc());
    module = parseSourceFile<ModuleOp>(sources, &context);
    return module ? CompileStatus::success : CompileStatus::userError;
  }
  return fail(request, "`" + request.model + "` is no model",
              "models are .tarn files, a Hugging Face config.json, or .mlir "
              "files of the tarn dialect");
}

uint64_t tarn::countParameters(ModuleOp module) {
  std::set<std::string> seen;
  uint64_t elements = 0;
  for (auto function : module.getOps<func::FuncOp>())
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (argumentRole(function, i) == "parameter" &&
          seen.insert(argumentName(function, i).str()).second)
        elements += cast<ShapedType>(type).getNumElements();
  return elements;
}

/// The precision of the training step.
static std::string precisionOf(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>())
    if (auto precision = function->getAttrOfType<StringAttr>("tarn.precision"))
      return precision.getValue().str();
  return "fp32";
}

/// Training steps take the precision of the request where they say none, or
/// always. Returns whether one said none.
static bool setPrecision(ModuleOp module, const CompileRequest &request) {
  bool silent = false;
  Builder b(module.getContext());
  for (auto function : module.getOps<func::FuncOp>()) {
    auto options = function->getAttrOfType<DictionaryAttr>("tarn.train");
    if (!options)
      continue;
    bool says = options.contains("precision");
    silent |= !says;
    std::string precision = request.forcedPrecision;
    if (precision.empty() && !says)
      precision = request.defaultPrecision;
    if (precision.empty())
      continue;
    NamedAttrList changed(options);
    changed.set("precision", b.getStringAttr(precision));
    function->setAttr("tarn.train", changed.getDictionary(b.getContext()));
  }
  return silent;
}

/// Says what would be met with more allowed.
static void printOffers(ArrayRef<Offer> offers, llvm::raw_ostream &said) {
  for (const Offer &offer : offers)
    said << "help: --allow " << allowedWord(offer.allowed)
         << " would fit: " << bytesText(offer.bytes) << " (" << offer.bytes
         << " bytes), " << offer.text << "\n";
}

/// One error for all kernels that no code is generated for yet.
static LogicalResult refuseOpaque(ModuleOp module) {
  tile::KernelOp first;
  std::set<std::string> ops;
  for (auto kernel : module.getOps<tile::KernelOp>())
    if (DictionaryAttr figures = kernel.getOpaque()) {
      first = first ? first : kernel;
      ops.insert(figures.getAs<StringAttr>("op").str());
    }
  if (!first)
    return success();
  std::string names;
  for (const std::string &op : ops)
    names += (names.empty() ? "" : ", ") + op;
  InFlightDiagnostic error = emitError(first.getLoc())
                             << "there are no kernels yet for " << names;
  error.attachNote(UnknownLoc::get(module.getContext()))
      << "tarn plan and tarn run --reference work without them";
  return error;
}

CompileStatus tarn::compile(const CompileRequest &request,
                            CompileResult &result) {
  Stopwatch watch(result);
  std::optional<Phase> first = Phase::Graph, last = Phase::Package;
  if (!request.from.empty())
    first = phaseFromFlag(request.from);
  if (!request.to.empty())
    last = phaseFromFlag(request.to);
  if (!first || !last)
    return fail(request,
                "unknown phase `" + (first ? request.to : request.from) + "`",
                "phases are " + phaseFlags());
  if (!request.from.empty() && !StringRef(request.model).ends_with(".mlir"))
    return fail(request,
                "`--from " + request.from + "` takes IR, not a model's text",
                "tarn compile MODEL --to PHASE prints it");
  PackageOptions package;
  std::string error, help;
  if (!resolveTargets(request.targets, package.levels, error, help))
    return fail(request, error, help);

  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false); // the model's lines say more
  OwningOpRef<ModuleOp> module;
  if (CompileStatus status = importModel(request, context, module);
      status != CompileStatus::success)
    return status;
  result.parameters = countParameters(*module);
  result.precisionIsDefault = setPrecision(*module, request);
  watch.lap("import");

  PipelineOptions options;
  options.gradientOf = request.gradientOf;
  options.policy = request.policy;
  options.budgetBytes = request.budgetBytes;
  options.hostBytes = request.hostBytes;
  options.keepAllFirst = request.keepAllFirst;
  options.orSmallest = request.orSmallest;
  options.times = request.times;
  if (!request.device.empty())
    options.device = request.device;
  auto take = [&](PhasesOutcome &outcome) {
    errorsOf(request) << outcome.said;
    result.leastBudget = outcome.leastBudget;
    llvm::append_range(result.seconds, outcome.seconds);
    return outcome.status;
  };
  // Variants part after the phase train, and meet again before package.
  bool isPlanned = *first <= Phase::Precision && *last >= Phase::Plan;
  PhasesOutcome outcome = runPhases(request, *module, *first,
                                    isPlanned ? Phase::Train : *last, options,
                                    /*isFinal=*/true);
  if (CompileStatus status = take(outcome); status != CompileStatus::success)
    return status;
  if (isPlanned) {
    PlannedVariant planned =
        planVariants(request, *module, options, request.allowed);
    CompileStatus status = take(planned.outcome);
    if (result.leastBudget && request.offers) {
      result.offers = offersBeyond(request, *module, options);
      printOffers(result.offers, errorsOf(request));
    }
    if (status != CompileStatus::success)
      return status;
    module = std::move(planned.module);
    result.numerics = numericsOf(*module);
  }
  watch.restart();
  result.precision = precisionOf(*module);
  if (*last != Phase::Package && request.visit) {
    request.visit(*module);
    return CompileStatus::success;
  }
  if (*last != Phase::Package) {
    llvm::raw_string_ostream stream(result.ir);
    OpPrintingFlags flags;
    flags.enableDebugInfo(request.locations);
    module->print(stream, flags);
    stream << "\n";
    return CompileStatus::success;
  }
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    lang::renderDiagnostic(diagnostic, errorsOf(request));
    return success();
  });
  if (failed(refuseOpaque(*module)))
    return CompileStatus::userError;
  PackageResult packaged;
  if (failed(packageModule(*module, package, packaged)))
    return CompileStatus::internalError;
  result.artifact.assign(packaged.artifact.begin(), packaged.artifact.end());
  result.manifest = std::move(packaged.manifest);
  watch.lap("package");
  return CompileStatus::success;
}
