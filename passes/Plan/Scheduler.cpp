//===- Scheduler.cpp ------------------------------------------------------===//

#include "passes/Plan/Scheduler.h"

#include "passes/Plan/ArenaPacking.h"
#include "passes/Plan/Policies.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace tarn;

double Scheduler::secondsOf(tile::KernelOp kernel) {
  auto [found, isNew] = known.try_emplace(kernel, 0);
  if (isNew)
    found->second = costs.seconds(kernel);
  return found->second;
}

std::unique_ptr<KernelGraph> Scheduler::graphOf(func::FuncOp target,
                                                ArrayRef<Variant> forms) {
  llvm::DenseMap<Value, bool> outside;
  size_t number = 0;
  for (auto cluster : target.getBody().front().getOps<graph::ClusterOp>())
    for (Value result : cluster.getResults())
      outside[result] = isOutside[number++];
  return std::make_unique<KernelGraph>(
      target,
      [&](graph::ClusterOp cluster) {
        return secondsOf(materializer.kernelOf(cluster));
      },
      [&](Value value) { return outside.lookup(value); }, forms);
}

/// The device's way to host memory.
static schedule::Link linkOf(const CostModel &costs, int64_t hostBytes) {
  constexpr int64_t sample = int64_t(1) << 30;
  schedule::Link link;
  link.latency = costs.toHostSeconds(0);
  link.outSeconds = (costs.toHostSeconds(sample) - link.latency) / sample;
  link.backSeconds = (costs.fromHostSeconds(sample) - link.latency) / sample;
  link.toll = costs.besideSeconds(sample) / sample;
  if (hostBytes >= 0)
    link.hostBytes = hostBytes;
  return link;
}

LogicalResult Scheduler::prepare(bool withVariants) {
  OpBuilder b(function);
  FunctionPlan plan(function, state, b, turns);
  if (failed(plan.findLives()))
    return failure();
  for (auto cluster : function.getBody().front().getOps<graph::ClusterOp>())
    for (Value result : cluster.getResults())
      isOutside.push_back(!plan.isInArena(result));
  if (withVariants)
    variants.emplace(
        function, materializer,
        [&](tile::KernelOp kernel) { return secondsOf(kernel); },
        [&](Value value) {
          return !plan.isInArena(value) || throughReshapes(value) != value;
        });
  graph = graphOf(function, forms());
  graph->setLink(linkOf(costs, hostBytes));
  return success();
}

/// Programs that nothing launches: of variants, or of kernels all of which are
/// variants now.
void Scheduler::eraseUnused() {
  if (!variants)
    return;
  auto module = function->getParentOfType<ModuleOp>();
  llvm::SmallDenseSet<Operation *> used;
  module.walk([&](graph::ClusterOp cluster) {
    if (cluster->hasAttr("kernel"))
      used.insert(materializer.kernelOf(cluster));
  });
  for (auto kernel :
       llvm::make_early_inc_range(module.getOps<tile::KernelOp>()))
    if (!used.contains(kernel))
      materializer.erase(kernel);
}

/// The arena of a timeline, packed as FunctionPlan packs it.
static int64_t packedBytes(const schedule::Graph &graph,
                           const schedule::Timeline &timeline,
                           PackingEffort effort) {
  SmallVector<PackedValue> packed;
  std::vector<size_t> groupOf(timeline.lives.size(), 0);
  for (auto [i, life] : llvm::enumerate(timeline.lives)) {
    int64_t bytes = graph.values[size_t(life.value)].bytes;
    if (bytes == 0 || life.last < life.first)
      continue;
    groupOf[i] = packed.size();
    if (life.over >= 0) {
      groupOf[i] = groupOf[size_t(life.over)];
      packed[groupOf[i]].last = life.last;
    } else {
      packed.push_back({bytes, life.first, life.last});
    }
  }
  for (auto [run, task] : llvm::enumerate(timeline.runs))
    if (int64_t bytes =
            graph.tasks[size_t(task)].workspaceOf(timeline.forms[run]))
      packed.push_back(
          {bytes, int64_t(run), int64_t(run), 0, workspaceAlignment});
  return packArena(packed, effort);
}

/// The same for what is parked.
static int64_t packedHostBytes(const schedule::Graph &graph,
                               const schedule::Timeline &timeline) {
  SmallVector<PackedValue> packed;
  for (const schedule::HostLife &life : timeline.hosted)
    packed.push_back(
        {graph.values[size_t(life.value)].bytes, life.first, life.last});
  return packArena(packed, PackingEffort::rough);
}

Choice Scheduler::measure(std::string name, const schedule::Plan &plan) {
  schedule::Player player(graph->graph());
  Choice choice;
  choice.name = std::move(name);
  choice.plan = schedule::withoutUnread(graph->graph(), plan);
  const schedule::Timeline &timeline = player.play(choice.plan);
  choice.liveBytes = timeline.peak;
  std::vector<char> hasRun(graph->graph().tasks.size(), 0);
  for (auto [task, form] : llvm::zip(timeline.runs, timeline.forms)) {
    choice.repeats += hasRun[size_t(task)];
    hasRun[size_t(task)] = 1;
    choice.prologues += form >= 0;
  }
  choice.offloadedBytes = timeline.parkedBytes;
  choice.copySeconds = timeline.stall;
  // Sums do not depend on the order: what only orders takes the same time.
  double once = graph->graph().totalSeconds();
  choice.seconds = once + choice.copySeconds;
  if (choice.repeats || choice.prologues) {
    choice.seconds = timeline.seconds;
    choice.againSeconds =
        std::max(timeline.seconds - timeline.stall - once, 0.0);
  }
  return choice;
}

int64_t Scheduler::pack(Choice &choice) {
  if (choice.arenaBytes < 0) {
    schedule::Player player(graph->graph());
    choice.arenaBytes = packedBytes(graph->graph(), player.play(choice.plan),
                                    PackingEffort::full);
  }
  return choice.arenaBytes;
}

int64_t Scheduler::packRoughly(Choice &choice) {
  if (choice.arenaBytes >= 0)
    return choice.arenaBytes;
  if (choice.roughBytes < 0) {
    schedule::Player player(graph->graph());
    choice.roughBytes = packedBytes(graph->graph(), player.play(choice.plan),
                                    PackingEffort::rough);
  }
  return choice.roughBytes;
}

int64_t Scheduler::packHost(Choice &choice) {
  if (choice.hostBytes < 0) {
    schedule::Player player(graph->graph());
    choice.hostBytes =
        packedHostBytes(graph->graph(), player.play(choice.plan));
  }
  return choice.hostBytes;
}

Choice Scheduler::keepAll() {
  return measure("keep-all", schedule::keepAll(graph->graph()).plan);
}

Choice Scheduler::byPolicy(StringRef policy) {
  if (policy == "sqrt")
    return measure("sqrt", recomputeSegments(*graph, function));
  if (policy == "recompute-all")
    return measure("recompute-all", recomputeAll(*graph, function));
  return keepAll();
}

SmallVector<Choice> Scheduler::ladder(double effort) {
  SmallVector<Choice> choices{keepAll(), byPolicy("sqrt"),
                              byPolicy("recompute-all")};
  for (const schedule::Rung &rung : schedule::climb(graph->graph(), effort)) {
    if (rung.repeats == 0 && rung.seconds >= choices.front().seconds &&
        rung.peak >= choices.front().liveBytes)
      continue; // keep-all again
    Choice choice =
        measure(llvm::formatv("auto {0}", choices.size() - 2).str(), rung.plan);
    if (hostBytes < 0 || packHost(choice) <= hostBytes)
      choices.push_back(std::move(choice));
  }
  // Of equals `keep-all`, which is the step without a budget.
  auto key = [](const Choice &choice) {
    return std::tuple(choice.seconds, choice.name != "keep-all",
                      choice.liveBytes, choice.name);
  };
  llvm::sort(choices,
             [&](const Choice &x, const Choice &y) { return key(x) < key(y); });
  return choices;
}

/// `1.25 ms`.
static std::string secondsText(double seconds) {
  return seconds < 1e-3  ? llvm::formatv("{0:f1} us", seconds * 1e6).str()
         : seconds < 1.0 ? llvm::formatv("{0:f2} ms", seconds * 1e3).str()
                         : llvm::formatv("{0:f2} s", seconds).str();
}

LogicalResult Scheduler::explainPeak(const Choice &choice,
                                     InFlightDiagnostic &error) {
  OpBuilder b(function);
  IRMapping mapping;
  auto copy = cast<func::FuncOp>(b.clone(*function, mapping));
  copy.setName((function.getName() + ".planned").str());
  llvm::scope_exit erase([&] { copy.erase(); });
  schedule::Player player(graph->graph());
  graphOf(copy, Variants::inCopy(forms(), mapping))
      ->apply(player.play(choice.plan));
  FunctionPlan plan(copy, state, b, turns);
  if (failed(plan.plan()))
    return failure();
  Peak peak = plan.peak();
  Location nowhere = UnknownLoc::get(function.getContext());
  auto cluster = dyn_cast_or_null<graph::ClusterOp>(peak.at);
  std::string kernel = "a copy";
  if (cluster)
    kernel = llvm::formatv(
        "`{0}`",
        cluster->getAttrOfType<FlatSymbolRefAttr>("kernel").getValue());
  error.attachNote(peak.at ? peak.at->getLoc() : nowhere)
      << "the fullest moment of that plan is step " << peak.step << " of "
      << peak.steps << ", " << kernel;
  for (const PeakLine &line : ArrayRef(peak.lines).take_front(6)) {
    std::string text =
        llvm::formatv("{0} by {1} ({2} value{3}): ", bytesText(line.bytes),
                      lineText(line.loc), line.values.size(),
                      line.values.size() > 1 ? "s" : "");
    double seconds = 0;
    llvm::SmallDenseSet<Operation *> makers;
    for (Value value : line.values)
      if (auto maker = value.getDefiningOp<graph::ClusterOp>())
        if (makers.insert(maker).second)
          seconds += secondsOf(materializer.kernelOf(maker));
    switch (line.kind) {
    case PeakLine::Kind::inUse:
      text += "this kernel uses them; smaller dimensions (--shape) or "
              "micro-batches take less";
      break;
    case PeakLine::Kind::kept:
      text += "kept for the backward pass; " + secondsText(seconds) +
              " of kernels would make them again from what they are made of";
      break;
    case PeakLine::Kind::later:
      text += "read later: gradients, or what has been made again";
      break;
    }
    error.attachNote(nowhere) << text;
  }
  return success();
}

void Scheduler::apply(const Choice &choice) {
  schedule::Player player(graph->graph());
  graph->apply(player.play(choice.plan));
}
