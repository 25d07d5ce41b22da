//===- Compile.cpp - from a model's text to an artifact -------------------===//

#include "compiler/Driver/Compile.h"

#include "compiler/Driver/Products.h"
#include "compiler/Driver/Registry.h"
#include "compiler/Driver/Variants.h"
#include "compiler/Package/Launches.h"
#include "compiler/Package/Package.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Target/Targets.h"
#include "dialects/Tile/TileOps.h"
#include "frontends/HuggingFace/Import.h"
#include "frontends/TarnLanguage/Import.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Train/Roles.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/Path.h"
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
    add(name, took.count());
    begin = now;
  }
  /// Steps of one name add up.
  void add(StringRef name, double seconds) {
    for (auto &[known, sum] : result.seconds)
      if (known == name) {
        sum += seconds;
        return;
      }
    result.seconds.emplace_back(name.str(), seconds);
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

/// Training steps take the precision `ifSilent` where they say none, or always
/// `forced`; both may be empty. Returns whether one said none.
static bool setPrecision(ModuleOp module, const std::string &forced,
                         const std::string &ifSilent) {
  bool silent = false;
  Builder b(module.getContext());
  for (auto function : module.getOps<func::FuncOp>()) {
    auto options = function->getAttrOfType<DictionaryAttr>("tarn.train");
    if (!options)
      continue;
    bool says = options.contains("precision");
    silent |= !says;
    std::string precision = forced;
    if (precision.empty() && !says)
      precision = ifSilent;
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

static DialectRegistry registryOfTarn() {
  DialectRegistry registry;
  registerDialects(registry);
  return registry;
}

namespace {

/// The targets that share kernels and plan, and their module.
struct Branch {
  std::vector<Target> targets;
  CompileRequest request;      ///< with the targets' own budget and dump
  OwningOpRef<ModuleOp> owned; ///< where it is a copy
  ModuleOp module;
  PipelineOptions options;
  int64_t microBatches = 1; ///< that the planner chose
};

class Compilation {
public:
  Compilation(const CompileRequest &request, CompileResult &result)
      : request(request), result(result), watch(result),
        context(registryOfTarn()) {}
  CompileStatus run();

private:
  CompileStatus resolve();
  OwningOpRef<ModuleOp>
  importAgain(const std::map<std::string, int64_t> &shape);
  bool setPrecision(ModuleOp module);
  CompileStatus checkGemm();
  CompileStatus checkStates();
  bool isForGpus() const;
  void branchOff(ModuleOp module);
  CompileStatus take(const PhasesOutcome &outcome);
  CompileStatus plan(Branch &branch);
  CompileStatus noteProducts(Branch &branch);
  CompileStatus makeCudaCode(Branch &branch);
  CompileStatus package();

  const CompileRequest &request;
  CompileResult &result;
  Stopwatch watch;
  MLIRContext context; // outlives the modules
  Phase first = Phase::Graph, last = Phase::Package;
  std::vector<Target> targets;
  std::vector<Branch> branches;
  /// Of `branches`, where it is for a GPU.
  std::vector<std::optional<size_t>> cudaOf;
};

} // namespace

/// What request and command line say, before anything is read.
CompileStatus Compilation::resolve() {
  std::optional<Phase> from = first, to = last;
  if (!request.from.empty())
    from = phaseFromFlag(request.from);
  if (!request.to.empty())
    to = phaseFromFlag(request.to);
  if (!from || !to)
    return fail(request,
                "unknown phase `" + (from ? request.to : request.from) + "`",
                "phases are " + phaseFlags());
  first = *from;
  last = *to;
  if (!request.from.empty() && !StringRef(request.model).ends_with(".mlir"))
    return fail(request,
                "`--from " + request.from + "` takes IR, not a model's text",
                "tarn compile MODEL --to PHASE prints it");
  std::string error, help;
  if (!resolveTargets(request.targets, targets, error, help))
    return fail(request, error, help);
  return CompileStatus::success;
}

/// Whether what is asked of products can be had for these targets.
CompileStatus Compilation::checkGemm() {
  bool any = llvm::any_of(targets, [](const Target &target) {
    return target.kind == Target::Kind::cuda;
  });
  if (request.gemm != "own" && !any)
    return fail(request, "only CUDA targets have products by " + request.gemm,
                "--target cuda:sm_90a");
  if (request.tuneCandidates && (targets.size() != 1 || !any))
    return fail(request, "candidates are made for one CUDA target at a time",
                "--target cuda:sm_90a");
  if (request.tuneFile.empty())
    return CompileStatus::success;
  return checkTuning(request.tuneFile, targets, errorsOf(request),
                     result.tuning);
}

bool Compilation::isForGpus() const {
  return llvm::all_of(targets, [](const Target &target) {
    return target.kind == Target::Kind::cuda;
  });
}

bool Compilation::setPrecision(ModuleOp module) {
  return ::setPrecision(module, request.forcedPrecision,
                        request.defaultPrecision.empty() && isForGpus()
                            ? "bf16"
                            : request.defaultPrecision);
}

/// The model once more, with other dims; null, without a word, where it has
/// none of these.
OwningOpRef<ModuleOp>
Compilation::importAgain(const std::map<std::string, int64_t> &shape) {
  CompileRequest other = request;
  llvm::raw_null_ostream silence;
  other.errors = &silence;
  for (const auto &[name, extent] : shape)
    other.shape[name] = extent;
  OwningOpRef<ModuleOp> module;
  if (importModel(other, context, module) != CompileStatus::success)
    return {};
  setPrecision(*module);
  return module;
}

/// One branch for all CPUs, one for each kind of GPU. The first takes the
/// module, the others copies of it.
void Compilation::branchOff(ModuleOp module) {
  for (const Target &target : targets) {
    auto shared = llvm::find_if(branches, [&](const Branch &branch) {
      return target.kind == Target::Kind::cpu &&
             branch.targets.front().kind == Target::Kind::cpu;
    });
    if (shared != branches.end()) {
      shared->targets.push_back(target);
      continue;
    }
    Branch branch;
    branch.targets = {target};
    branch.request = request;
    PipelineOptions &options = branch.options;
    options.gradientOf = request.gradientOf;
    options.policy = request.policy;
    options.gemm = request.gemm;
    options.tuneFile = request.tuneFile;
    options.hostBytes = request.hostBytes;
    options.keepAllFirst = request.keepAllFirst;
    options.orSmallest = request.orSmallest;
    options.effort = request.effort;
    options.times = request.times;
    options.explainFusion = request.explainFusion;
    options.ungrouped = request.ungrouped;
    options.budgetBytes = request.budgetBytes;
    if (request.budgetBytes < 0 && request.deviceBudget)
      options.budgetBytes = target.memoryBytes;
    branch.request.budgetBytes = options.budgetBytes;
    options.device = target.device;
    if (!request.device.empty())
      options.device = request.device;
    if (target.kind == Target::Kind::cuda)
      options.target = target.name();
    branch.module = module;
    if (!branches.empty()) {
      branch.owned = module.clone();
      branch.module = *branch.owned;
    }
    branches.push_back(std::move(branch));
  }
  if (branches.size() == 1 || request.dump.empty())
    return;
  for (Branch &branch : branches) {
    llvm::SmallString<128> folder(request.dump);
    llvm::sys::path::append(folder, branch.targets.front().isa);
    branch.request.dump = folder.str();
  }
}

/// What came of phases: messages, seconds.
CompileStatus Compilation::take(const PhasesOutcome &outcome) {
  errorsOf(request) << outcome.said;
  if (outcome.leastBudget)
    result.leastBudget = outcome.leastBudget;
  for (const auto &[name, seconds] : outcome.seconds)
    watch.add(name, seconds);
  watch.restart();
  return outcome.status;
}

/// From where the targets part up to package. Variants of the step meet again
/// in here.
CompileStatus Compilation::plan(Branch &branch) {
  if (request.tuneCandidates) {
    CompileStatus status = take(runPhases(
        branch.request, branch.module, std::max(first, Phase::Precision),
        Phase::Tile, branch.options, /*isFinal=*/true));
    result.precision = precisionOf(branch.module);
    if (status == CompileStatus::success &&
        failed(makeTuningModule(branch.module, branch.targets.front().isa)))
      status = CompileStatus::userError;
    return status;
  }
  if (first > Phase::Precision || last < Phase::Plan)
    return take(runPhases(branch.request, branch.module,
                          std::max(first, Phase::Precision), last,
                          branch.options, /*isFinal=*/true));
  MicroBatches micro(branch.request, branch.module,
                     [&](const std::map<std::string, int64_t> &shape) {
                       return importAgain(shape);
                     });
  PlannedVariant planned = planVariants(branch.request, branch.module, micro,
                                        branch.options, request.allowed);
  CompileStatus status = take(planned.outcome);
  if (result.leastBudget && request.offers) {
    result.offers = offersBeyond(branch.request, branch.module, micro,
                                 branch.options, planned.outcome);
    printOffers(result.offers, errorsOf(request));
  }
  if (status == CompileStatus::success) {
    branch.microBatches = planned.variant.micro;
    branch.owned = std::move(planned.module);
    branch.module = *branch.owned;
    llvm::append_range(result.numerics, numericsOf(branch.module));
  }
  return status;
}

/// The sums of micro-batches are state, of which an artifact has one for all
/// its targets.
CompileStatus Compilation::checkStates() {
  const Branch &first = branches.front();
  auto textOf = [](const Branch &branch) {
    return (branch.microBatches > 1
                ? std::to_string(branch.microBatches) + " micro-batches"
                : std::string("one batch")) +
           " for `" + branch.targets.front().isa + "`";
  };
  for (const Branch &branch : branches)
    if ((branch.microBatches > 1) != (first.microBatches > 1))
      return fail(request,
                  "in this budget the step is " + textOf(first) + " and " +
                      textOf(branch) +
                      ", and the sums of micro-batches are state, which the "
                      "targets of an artifact share",
                  "compile without the target `" + branch.targets.front().isa +
                      "`, for which an artifact of its own can be made");
  return CompileStatus::success;
}

/// Who runs the products of a GPU's module. A library that was asked for and
/// has nothing to do is an error.
CompileStatus Compilation::noteProducts(Branch &branch) {
  std::vector<ProductNote> notes =
      productsOf(branch.module, branch.targets.front().isa);
  bool any = llvm::any_of(
      notes, [](const ProductNote &note) { return note.isLibrary; });
  llvm::append_range(result.products, notes);
  if (request.gemm != "cublaslt" || any || notes.empty())
    return CompileStatus::success;
  return fail(request,
              "cuBLASLt can run no product of this model; `" +
                  notes.front().kernel + "`: " + notes.front().why,
              "--gemm own");
}

/// Text of a GPU's kernels, and code of it unless only the text is asked for.
CompileStatus Compilation::makeCudaCode(Branch &branch) {
  if (CompileStatus status = noteProducts(branch);
      status != CompileStatus::success)
    return status;
  Launches launches(branch.module);
  FailureOr<cuda::CompiledKernels> code = cuda::emitKernels(
      launches.compiled(), *cuda::findArchitecture(branch.targets.front().isa));
  watch.lap("emit");
  if (failed(code))
    return CompileStatus::userError;
  if (!request.emitOnly) {
    std::unique_ptr<cuda::KernelCompiler> own;
    const cuda::KernelCompiler *compiler = request.cudaCompiler;
    std::string error;
    if (!compiler) {
      own = cuda::Nvrtc::load(error);
      compiler = own.get();
    }
    if (!compiler || !compiler->knows(code->architecture, error)) {
      auto [what, wayOut] = StringRef(error).split("\nhelp: ");
      return fail(request, what, wayOut);
    }
    if (failed(cuda::compileKernels(launches.compiled(), *compiler,
                                    request.cache,
                                    /*threads=*/0, *code)))
      return CompileStatus::internalError;
    watch.lap("nvrtc");
  }
  result.cuda.push_back(std::move(*code));
  return CompileStatus::success;
}

CompileStatus Compilation::package() {
  for (Branch &branch : branches) {
    cudaOf.emplace_back();
    if (branch.targets.front().kind != Target::Kind::cuda)
      continue;
    cudaOf.back() = result.cuda.size();
    if (CompileStatus status = makeCudaCode(branch);
        status != CompileStatus::success)
      return status;
  }
  if (request.emitOnly)
    return CompileStatus::success;
  std::vector<PackageInput> inputs;
  for (auto [branch, index] : llvm::zip(branches, cudaOf))
    inputs.push_back({branch.module, branch.targets,
                      index ? &result.cuda[*index] : nullptr});
  PackageOptions options;
  options.keepSource = request.keepSource;
  PackageResult packaged;
  if (failed(packageModules(inputs, options, packaged)))
    return CompileStatus::internalError;
  result.artifact.assign(packaged.artifact.begin(), packaged.artifact.end());
  result.manifest = std::move(packaged.manifest);
  watch.lap("package");
  return CompileStatus::success;
}

CompileStatus Compilation::run() {
  if (CompileStatus status = resolve(); status != CompileStatus::success)
    return status;
  if (request.emitOnly && !isForGpus())
    return fail(request, "only CUDA targets have text to emit",
                "--target cuda:sm_90a");
  if (CompileStatus status = checkGemm(); status != CompileStatus::success)
    return status;
  context.printOpOnDiagnostic(false); // the model's lines say more
  OwningOpRef<ModuleOp> module;
  if (CompileStatus status = importModel(request, context, module);
      status != CompileStatus::success)
    return status;
  result.parameters = countParameters(*module);
  result.precisionIsDefault = setPrecision(*module);
  watch.lap("import");

  // Targets part where variants of the step do.
  PipelineOptions options;
  options.gradientOf = request.gradientOf;
  if (CompileStatus status =
          take(runPhases(request, *module, first, std::min(last, Phase::Train),
                         options, /*isFinal=*/true));
      status != CompileStatus::success)
    return status;
  branchOff(*module);
  if (last > Phase::Train && last != Phase::Package && branches.size() > 1)
    return fail(request,
                "phase `" + phaseFlag(last) + "` differs between the targets",
                "--target with one of them");
  if (last > Phase::Train)
    for (Branch &branch : branches)
      if (CompileStatus status = plan(branch); status != CompileStatus::success)
        return status;
  if (CompileStatus status = checkStates(); status != CompileStatus::success)
    return status;
  watch.restart();
  ModuleOp made = branches.front().module;
  if (!request.tuneCandidates)
    result.precision = precisionOf(made);
  if (last == Phase::Package) {
    // Errors carry the model's places.
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      lang::renderDiagnostic(diagnostic, errorsOf(request));
      return success();
    });
    return package();
  }
  if (request.visit) {
    request.visit(made);
    return CompileStatus::success;
  }
  llvm::raw_string_ostream stream(result.ir);
  OpPrintingFlags flags;
  flags.enableDebugInfo(request.locations);
  made->print(stream, flags);
  stream << "\n";
  return CompileStatus::success;
}

CompileStatus tarn::compile(const CompileRequest &request,
                            CompileResult &result) {
  return Compilation(request, result).run();
}
