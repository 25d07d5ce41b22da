//===- PlanMesh.cpp - `tarn plan --mesh`: one rank of many ----------------===//

#include "tools/tarn/PlanMesh.h"
#include "compiler/Driver/Registry.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Sizing/Throughput.h"
#include "dialects/Tarn/Materialise.h"
#include "frontends/TarnLanguage/Import.h"
#include "runtime/Json.h"
#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Terminal.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

/// Writes every attention that can be as products and a softmax.
static void materialise(mlir::ModuleOp module) {
  std::vector<graph::AttentionOp> ops;
  module.walk([&](graph::AttentionOp op) {
    if (op.getLse().use_empty())
      ops.push_back(op);
  });
  for (graph::AttentionOp op : ops) {
    mlir::OpBuilder builder(op);
    // Sizes do not depend on rows without a key.
    op.getOut().replaceAllUsesWith(
        graph::materialiseAttention(builder, op, /*anyRow=*/false));
    op.erase();
  }
}

/// The model up to the form that is sized. Returns an ExitCode.
static int lower(const Invocation &in, mlir::MLIRContext &context,
                 mlir::OwningOpRef<mlir::ModuleOp> &module) {
  CompileRequest request = requestFor(in.model);
  if (CompileStatus status = importModel(request, context, module);
      status != CompileStatus::success)
    return exitCodeFor(status);
  // What only runs later is not part of the step.
  std::vector<mlir::func::FuncOp> others;
  for (auto function : module->getOps<mlir::func::FuncOp>()) {
    auto kind = function->getAttrOfType<mlir::StringAttr>("tarn.kind");
    if (kind && (kind.getValue() == "eval" || kind.getValue() == "generate"))
      others.push_back(function);
  }
  for (mlir::func::FuncOp function : others)
    function.erase();
  if (in.mesh.attention == "materialised")
    materialise(*module);
  Phase last = in.mesh.fuse == "on" ? Phase::Fuse : Phase::Precision;
  for (unsigned i = unsigned(Phase::Graph); i <= unsigned(last); ++i) {
    mlir::PassManager pm(&context);
    pm.enableVerifier(false); // the importer has, and nothing is compiled
    buildPhase(pm, Phase(i), {});
    if (mlir::failed(pm.run(*module)))
      return Phase(i) <= Phase::Precision
                 ? userError
                 : exitCodeFor(CompileStatus::internalError);
  }
  return success;
}

static SizeOptions sizeOptions(const Invocation &in, const Mesh &mesh) {
  SizeOptions options;
  options.shard.mesh = mesh;
  options.shard.sequenceParallel = in.mesh.sequenceParallel;
  options.shard.imbalance = in.mesh.imbalance;
  options.zero = in.mesh.zero;
  options.recipe = *findRecipe(in.mesh.recipe);
  options.microBatches = in.mesh.microBatches;
  options.save.savedMasks = in.mesh.masks == "saved";
  std::string recompute = in.mesh.recompute;
  if (recompute.empty())
    recompute = in.model.policy == "recompute-all" ? "full" : "none";
  options.save.recompute = recompute == "full"        ? Recompute::full
                           : recompute == "selective" ? Recompute::selective
                           : recompute == "narrow"    ? Recompute::narrow
                           : recompute == "cheap"     ? Recompute::cheap
                                                      : Recompute::none;
  return options;
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

static std::string bytes(double value) { return formatBytes(uint64_t(value)); }

static rt::Json jsonOf(const StageBytes &stage) {
  rt::Json out = rt::Json::object();
  out.set("stage", uint64_t(stage.stage));
  out.set("first_layer", uint64_t(stage.firstLayer));
  out.set("end_layer", uint64_t(stage.endLayer));
  out.set("weights", uint64_t(stage.weights));
  out.set("gradients", uint64_t(stage.gradients));
  out.set("optimizer", uint64_t(stage.optimizer));
  out.set("activations_each", uint64_t(stage.activations));
  out.set("micro_batches", uint64_t(stage.inFlight));
  out.set("activations", uint64_t(stage.activations * double(stage.inFlight)));
  out.set("logits_each", uint64_t(stage.logits));
  out.set("copies", uint64_t(stage.copies));
  out.set("recomputed", uint64_t(stage.recomputed));
  out.set("buckets", uint64_t(stage.buckets));
  out.set("other", uint64_t(stage.other));
  out.set("total", uint64_t(stage.total()));
  return out;
}

/// `h.0.attn.c_attn.weight`, or the op that made a saved value.
static std::string nameOf(const SizedTensor &tensor) {
  if (!tensor.name.empty())
    return tensor.name;
  mlir::Operation *op = tensor.value.getDefiningOp();
  return op ? op->getName().stripDialect().str() : "input";
}

static std::string placeOf(mlir::Value value) {
  std::string place;
  value.getLoc()->walk([&](mlir::Location inner) {
    auto file = llvm::dyn_cast<mlir::FileLineColLoc>(inner);
    if (!file)
      return mlir::WalkResult::advance();
    place = file.getFilename().str() + ":" + std::to_string(file.getLine());
    return mlir::WalkResult::interrupt();
  });
  return place;
}

static std::string shapeOf(mlir::Value value) {
  std::string text;
  for (int64_t extent :
       llvm::cast<mlir::RankedTensorType>(value.getType()).getShape())
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text.empty() ? "1" : text;
}

static std::string splitOf(const Shards &shards) {
  std::string text;
  for (auto [name, ranks] :
       {std::pair<const char *, int64_t>{"dp", shards.data},
        {"tp", shards.tensor},
        {"sp", shards.tokens},
        {"ep", shards.expert}})
    if (ranks > 1)
      text += (text.empty() ? "" : " ") + std::string(name) + "/" +
              std::to_string(ranks);
  return text.empty() ? "whole" : text;
}

static std::vector<const SizedTensor *> largest(const RankMemory &memory,
                                                size_t count) {
  std::vector<const SizedTensor *> all;
  for (const SizedTensor &tensor : memory.tensors)
    all.push_back(&tensor);
  // The list is in the order of the model: so are equal ones.
  std::sort(all.begin(), all.end(), [](auto *x, auto *y) {
    return x->rankBytes != y->rankBytes ? x->rankBytes > y->rankBytes : x < y;
  });
  if (all.size() > count)
    all.resize(count);
  return all;
}

static void printJson(const Invocation &in, const SizeOptions &options,
                      const RankMemory &memory, const rt::Json &table) {
  rt::Json out = rt::Json::object(), stages = rt::Json::array(),
           tensors = rt::Json::array(), padded = rt::Json::array();
  const Mesh &mesh = options.shard.mesh;
  out.set("parameters", uint64_t(memory.parameters));
  out.set("layers", uint64_t(memory.layers));
  rt::Json axes = rt::Json::object();
  axes.set("dp", uint64_t(mesh.dp));
  axes.set("tp", uint64_t(mesh.tp));
  axes.set("ep", uint64_t(mesh.ep));
  axes.set("pp", uint64_t(mesh.pp));
  out.set("mesh", std::move(axes));
  out.set("ranks", uint64_t(mesh.ranks()));
  out.set("zero", uint64_t(options.zero));
  out.set("recipe", options.recipe.name);
  for (const StageBytes &stage : memory.stages)
    stages.push(jsonOf(stage));
  out.set("worst_stage", uint64_t(memory.worst));
  out.set("rank_bytes", uint64_t(memory.stages[memory.worst].total()));
  out.set("stages", std::move(stages));
  for (const auto &[extent, name] : memory.padded) {
    rt::Json entry = rt::Json::object();
    entry.set("extent", uint64_t(extent));
    entry.set("tensor", name);
    padded.push(std::move(entry));
  }
  out.set("padded", std::move(padded));
  size_t count = in.mesh.list > 0 ? size_t(in.mesh.list) : size_t(-1);
  for (const SizedTensor *tensor : largest(memory, count)) {
    rt::Json entry = rt::Json::object();
    entry.set("name", nameOf(*tensor));
    entry.set("role", tensor->role);
    entry.set("shape", shapeOf(tensor->value));
    entry.set("place", placeOf(tensor->value));
    entry.set("layer", double(tensor->layer));
    entry.set("dp", uint64_t(tensor->shards.data));
    entry.set("tp", uint64_t(tensor->shards.tensor));
    entry.set("sp", uint64_t(tensor->shards.tokens));
    entry.set("ep", uint64_t(tensor->shards.expert));
    entry.set("bytes", uint64_t(tensor->bytes));
    entry.set("rank_bytes", uint64_t(tensor->rankBytes));
    tensors.push(std::move(entry));
  }
  out.set("tensors", std::move(tensors));
  if (table.isArray())
    out.set("table", table);
  out.set("communication_modelled", false);
  std::printf("%s\n", out.dump().c_str());
}

static void printStage(const StageBytes &stage, int64_t stages) {
  if (stages > 1)
    std::printf(" stage %lld of %lld, layers %lld to %lld\n",
                (long long)stage.stage + 1, (long long)stages,
                (long long)stage.firstLayer + 1, (long long)stage.endLayer);
  auto row = [](const char *name, double value, const std::string &note) {
    if (value > 0)
      std::printf("   %-12s %12s%s%s\n", name, bytes(value).c_str(),
                  note.empty() ? "" : "   ", note.c_str());
  };
  row("weights", stage.weights, "");
  row("gradients", stage.gradients, "");
  row("optimizer", stage.optimizer, "");
  std::string flight;
  if (stages > 1)
    flight = std::to_string(stage.inFlight) + " micro-batches of " +
             bytes(stage.activations);
  else if (stage.logits > 0)
    flight = "logits " + bytes(stage.logits);
  row("activations", stage.activations * double(stage.inFlight), flight);
  row("copies", stage.copies, "of weights, in another precision");
  row("recomputed", stage.recomputed, "of the fullest layer, for its backward");
  row("buckets", stage.buckets, "whole while they are sent");
  row("other", stage.other, "inputs, counters");
  row("total", stage.total(), "");
}

/// The end of a long name, which says more than its beginning.
static std::string shorten(const std::string &name, size_t length) {
  if (name.size() <= length)
    return name;
  return ".." + name.substr(name.size() - length + 2);
}

static void printReport(const Invocation &in, const SizeOptions &options,
                        const RankMemory &memory) {
  const Mesh &mesh = options.shard.mesh;
  std::printf(" %s  %s parameters, %lld layers\n",
              shorten(in.model.model, 36).c_str(),
              formatCount(uint64_t(memory.parameters)).c_str(),
              (long long)memory.layers);
  std::printf(" mesh      %s  zero %d%s\n", mesh.describe().c_str(),
              options.zero,
              options.shard.sequenceParallel ? "  sequence parallel" : "");
  std::printf(" recipe    %s: %s\n", options.recipe.name.c_str(),
              options.recipe.text.c_str());
  if (mesh.ep > 1)
    std::printf(" experts   the fullest rank has %g times the mean load\n",
                options.shard.imbalance);
  for (const auto &[extent, name] : memory.padded)
    std::printf(" padded    %lld to a multiple of %lld: `%s`\n",
                (long long)extent, (long long)mesh.tp,
                shorten(name, 32).c_str());
  printStage(memory.stages.front(), mesh.pp);
  if (memory.worst != 0)
    printStage(memory.stages[memory.worst], mesh.pp);
  if (mesh.pp > 1)
    std::printf(" worst     stage %zu\n", memory.worst + 1);
  for (const SizedTensor *tensor : largest(memory, size_t(in.mesh.list))) {
    std::string name = nameOf(*tensor);
    if (tensor->name.empty()) {
      std::string place = placeOf(tensor->value);
      name = place.substr(place.find_last_of('/') + 1) + " " + name;
    }
    std::printf("  %10s %-10s %-14.14s %-14.14s %s\n",
                bytes(tensor->rankBytes).c_str(), tensor->role.c_str(),
                splitOf(tensor->shards).c_str(), shapeOf(tensor->value).c_str(),
                shorten(name, 24).c_str());
  }
  std::printf(" Communication is not modelled, neither its time nor its own "
              "buffers.\n");
}

//===----------------------------------------------------------------------===//
// The table of devices
//===----------------------------------------------------------------------===//

namespace {
struct Row {
  std::string device;
  int64_t count = 0, dp = 0; ///< dp is 0 where the axes do not fit the count
  double rankBytes = 0, room = 0, tokensPerSecond = 0, days = 0;
  bool fits() const { return rankBytes <= room; }
};
} // namespace

/// Micro-batches of a step: as said, as the model accumulates, or as many as
/// stages.
static int64_t microBatchesOf(const Invocation &in, int64_t accumulate,
                              const Mesh &mesh) {
  if (in.mesh.microBatches > 0)
    return in.mesh.microBatches;
  return accumulate > 0 ? accumulate : mesh.pp;
}

/// Rows of devices times counts: tp, pp and ep as given, dp takes the rest, and
/// every rank keeps the batch that it has. Returns an ExitCode.
static int makeTable(const Invocation &in, Sizing &sizing,
                     const SizeOptions &given, std::vector<Row> &rows) {
  int64_t stages = given.shard.mesh.pp;
  int64_t microBatches =
      microBatchesOf(in, sizing.graph().accumulate, given.shard.mesh);
  for (const std::string &word : in.mesh.devices) {
    rt::Result<Device> device = findDevice(word);
    if (!device.ok()) {
      printError(device.status().message(),
                 "devices are " + deviceNames() + ", or a file");
      return userError;
    }
    CostModel model(*device);
    for (int64_t count : in.mesh.counts) {
      Row row;
      row.device = device->name;
      row.count = count;
      row.room = device->memoryBytes.value - device->contextBytes.value;
      SizeOptions options = given;
      Mesh &mesh = options.shard.mesh;
      int64_t each = mesh.tp * mesh.pp; // ranks() is within 63 bits
      int64_t dp = count / each;
      if (count % each != 0 || dp % mesh.ep != 0 || dp == 0) {
        rows.push_back(row);
        continue;
      }
      options.shard.batchRanks = given.shard.mesh.dp;
      row.dp = mesh.dp = dp;
      mlir::FailureOr<RankMemory> memory = sizing.size(options);
      if (mlir::failed(memory))
        return userError;
      RankWork work = workOf(sizing, options, *memory);
      row.rankBytes = memory->stages[memory->worst].total();
      row.tokensPerSecond = work.tokens * double(dp) * double(microBatches) /
                            stepSeconds(work, model, stages, microBatches);
      row.days = in.mesh.tokens / row.tokensPerSecond / 86400;
      rows.push_back(row);
    }
  }
  return success;
}

static rt::Json jsonOf(const std::vector<Row> &rows) {
  rt::Json table = rt::Json::array();
  for (const Row &row : rows) {
    rt::Json entry = rt::Json::object();
    entry.set("device", row.device);
    entry.set("count", uint64_t(row.count));
    entry.set("dp", uint64_t(row.dp));
    if (row.dp > 0) {
      entry.set("rank_bytes", uint64_t(row.rankBytes));
      entry.set("room_bytes", uint64_t(row.room));
      entry.set("fits", row.fits());
      entry.set("tokens_per_second", row.tokensPerSecond);
      entry.set("days", row.days);
    }
    table.push(std::move(entry));
  }
  return table;
}

static void printTable(const Invocation &in, const Mesh &mesh, int64_t micro,
                       const std::vector<Row> &rows) {
  char tokens[32];
  std::snprintf(tokens, sizeof tokens, "%g", in.mesh.tokens);
  std::string count = tokens;
  std::erase(count, '+');
  std::printf("\n %s tokens", count.c_str());
  if (mesh.pp > 1)
    std::printf(", %lld micro-batches a step: stages wait %.0f%% of the time",
                (long long)micro,
                100 * double(mesh.pp - 1) / double(micro + mesh.pp - 1));
  std::printf("\n");
  std::printf(" device       count     dp       a rank   fits   tokens/s"
              "      days\n");
  for (const Row &row : rows) {
    std::printf(" %-10.10s %7lld", row.device.c_str(), (long long)row.count);
    if (row.dp == 0) {
      std::printf("      -   tp and pp, or ep, do not divide it\n");
      continue;
    }
    std::printf("%7lld %12s   %-4s %10s %9.1f\n", (long long)row.dp,
                bytes(row.rankBytes).c_str(), row.fits() ? "yes" : "NO",
                formatRate(row.tokensPerSecond).c_str(), row.days);
  }
  std::printf(" Computing only, at the rates of the cost model: what no "
              "communication slows.\n");
}

/// What else the command line asks for and a mesh does not have. Reads the
/// mesh. Returns an ExitCode.
static int checkUsage(const Invocation &in, Mesh &mesh) {
  auto refuse = [](const std::string &message, const std::string &help) {
    printError(message, help);
    return usageError;
  };
  if (in.model.policy != "keep-all" && in.model.policy != "recompute-all")
    return refuse("--mesh sizes --policy keep-all and recompute-all",
                  "or say --recompute none, cheap, selective or full");
  if (in.model.budgetBytes >= 0)
    return refuse("--budget plans one device's step, --mesh only sizes a rank",
                  "leave one of them out");
  const PlanOptions &plan = in.plan;
  if (!plan.report.empty() || !plan.exportPytorch.empty() ||
      !plan.exportPerfetto.empty() || !plan.times.empty() ||
      !plan.compare.empty() || !plan.asserts.empty() || !plan.fit.empty())
    return refuse("--report, --export-*, --times, --compare, --assert and "
                  "--fit are about one device's plan",
                  "--mesh prints, and has --json");
  if (!in.model.precision.empty())
    return refuse(
        "--precision does not go with --mesh",
        "--recipe says bytes by role; --set mode=bf16 is the model's");
  if (in.mesh.tokens > 0 && in.mesh.counts.empty())
    return refuse("--tokens needs the numbers of devices",
                  "for example --counts 8,64,512");
  if (in.mesh.tokens == 0 && !in.mesh.counts.empty())
    return refuse("--counts is of a table that --tokens asks for",
                  "for example --tokens 1e12");
  if (!in.mesh.mesh.empty()) {
    rt::Result<Mesh> parsed = parseMesh(in.mesh.mesh);
    if (!parsed.ok())
      return refuse(parsed.status().message(),
                    "for example --mesh dp=64,tp=8,pp=4");
    mesh = *parsed;
  }
  if (in.mesh.fuse == "on" && (mesh.pp > 1 || in.mesh.recompute == "full" ||
                               in.model.policy == "recompute-all"))
    return refuse("kernels run over the ends of layers: with --fuse on there "
                  "is neither pp nor --recompute full",
                  "--fuse off sizes both");
  return success;
}

int tarn::cli::runPlanMesh(const Invocation &in) {
  Mesh mesh;
  if (int code = checkUsage(in, mesh))
    return code;
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::ScopedDiagnosticHandler handler(
      &context, [&](mlir::Diagnostic &diagnostic) {
        lang::renderDiagnostic(diagnostic, llvm::errs());
        return mlir::success();
      });
  if (int code = lower(in, context, module))
    return code;
  std::unique_ptr<Sizing> sizing = Sizing::read(*module);
  if (!sizing)
    return userError;
  SizeOptions options = sizeOptions(in, mesh);
  mlir::FailureOr<RankMemory> memory = sizing->size(options);
  if (mlir::failed(memory))
    return userError;
  std::vector<Row> rows;
  if (in.mesh.tokens > 0)
    if (int code = makeTable(in, *sizing, options, rows))
      return code;
  if (in.output.json) {
    printJson(in, options, *memory, jsonOf(rows));
  } else if (!in.output.quiet) {
    printReport(in, options, *memory);
    if (in.mesh.tokens > 0)
      printTable(in, mesh, microBatchesOf(in, sizing->graph().accumulate, mesh),
                 rows);
  }
  return success;
}
