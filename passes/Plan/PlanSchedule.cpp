//===- PlanSchedule.cpp - when kernels run, what runs again or is parked --===//
//
// A ladder of schedules, from keeping everything to keeping as little as can
// be. It does not depend on the budget; of its rungs that fit, packed exactly,
// the fastest is taken. So a larger budget never gives a slower plan. The
// search itself knows nothing of MLIR: see Schedule/.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "compiler/Cost/CostModel.h"
#include "passes/Plan/ArenaPacking.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/KernelGraph.h"
#include "passes/Plan/Policies.h"
#include "passes/Plan/Schedule/Ladder.h"
#include "passes/Plan/Schedule/Repeats.h"
#include "passes/Plan/Variants.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FormatVariadic.h"

namespace tarn {
#define GEN_PASS_DEF_TARNPLANSCHEDULE
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

namespace {

/// A schedule and what it comes to.
struct Choice {
  std::string name;
  schedule::Plan plan;
  /// That live at the fullest moment: no arena is smaller.
  int64_t liveBytes = 0;
  /// Of the arena as it is packed; -1 until somebody asks.
  int64_t arenaBytes = -1;
  double seconds = 0;
  int64_t repeats = 0; ///< launches beyond the first of each kernel
  double againSeconds = 0;
  /// Copied to host memory, what of it is there at a time (as packed, like the
  /// arena), what copies cost.
  int64_t offloadedBytes = 0, hostBytes = -1;
  double copySeconds = 0;
  /// Launches of kernels that make some of their inputs themselves.
  int64_t prologues = 0;
};

/// The schedules of one function.
class Scheduler {
public:
  Scheduler(func::FuncOp function, const StateLayout &state,
            const CostModel &costs, int64_t turns, int64_t hostBytes)
      : function(function), state(state), costs(costs), turns(turns),
        hostBytes(hostBytes),
        materializer(function->getParentOfType<ModuleOp>()) {}
  ~Scheduler() { eraseUnused(); }

  /// `withVariants`: kernels may make some of their inputs themselves.
  LogicalResult prepare(bool withVariants);
  ArrayRef<Variant> forms() const {
    return variants ? variants->all() : ArrayRef<Variant>();
  }
  /// Everything kept, in the order that keeps least alive.
  Choice keepAll();
  Choice byPolicy(StringRef policy);
  /// All of them, the fastest first.
  SmallVector<Choice> ladder();
  /// Packs the arena of a schedule, once: a ladder has many rungs, and few of
  /// them are ever near a budget.
  int64_t pack(Choice &choice);
  int64_t packHost(Choice &choice);
  /// More than any schedule needs.
  int64_t allBytes() const {
    int64_t bytes = 0;
    for (const schedule::Value &value : graph->graph().values)
      bytes += value.bytes;
    for (const schedule::Task &task : graph->graph().tasks)
      bytes += task.workspace;
    return bytes;
  }
  /// No schedule of these kernels needs less arena, or takes less time in
  /// `bytes` of it.
  int64_t leastBytes() { return schedule::leastBytes(graph->graph()); }
  schedule::SecondsBound leastSeconds(int64_t bytes) {
    return schedule::leastSeconds(graph->graph(), bytes);
  }
  /// Layers that are alike, by what their kernels read, make and take.
  /// Only what a step has many of.
  std::vector<schedule::Repeat> repeats() {
    std::vector<schedule::Repeat> found = schedule::findRepeats(graph->graph());
    llvm::erase_if(found, [&](const schedule::Repeat &repeat) {
      return size_t(repeat.covered()) * 20 < graph->graph().tasks.size();
    });
    return found;
  }
  /// Adds notes on what lives at the fullest moment, and what would free it.
  /// Plans a copy.
  LogicalResult explainPeak(const Choice &choice, InFlightDiagnostic &error);
  /// Rewrites the function. Nothing else may be asked afterwards.
  void apply(const Choice &choice);

private:
  Choice measure(std::string name, const schedule::Plan &plan);
  std::unique_ptr<KernelGraph> graphOf(func::FuncOp target,
                                       ArrayRef<Variant> forms);
  double secondsOf(tile::KernelOp kernel);
  void eraseUnused();

  func::FuncOp function;
  const StateLayout &state;
  const CostModel &costs;
  int64_t turns, hostBytes;
  Materializer materializer;
  std::optional<Variants> variants;
  std::unique_ptr<KernelGraph> graph;
  /// Results of kernels, in order: whether each lies outside of the arena.
  std::vector<char> isOutside;
  llvm::DenseMap<Operation *, double> known;
};

} // namespace

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
  if (failed(plan.plan()))
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
                           const schedule::Timeline &timeline) {
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
  return packArena(packed);
}

/// The same for what is parked.
static int64_t packedHostBytes(const schedule::Graph &graph,
                               const schedule::Timeline &timeline) {
  SmallVector<PackedValue> packed;
  for (const schedule::HostLife &life : timeline.hosted)
    packed.push_back(
        {graph.values[size_t(life.value)].bytes, life.first, life.last});
  return packArena(packed);
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
    choice.arenaBytes = packedBytes(graph->graph(), player.play(choice.plan));
  }
  return choice.arenaBytes;
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

SmallVector<Choice> Scheduler::ladder() {
  SmallVector<Choice> choices{keepAll(), byPolicy("sqrt"),
                              byPolicy("recompute-all")};
  for (const schedule::Rung &rung : schedule::climb(graph->graph())) {
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

namespace {

struct PlanSchedule : tarn::impl::TarnPlanScheduleBase<PlanSchedule> {
  using Base::Base;

  /// The fastest that fits, without a budget `keep-all`; `others` are bytes
  /// that the budget holds beside the arena, which is at least `floor`. What
  /// lives decides where it can.
  Choice *fastest(Scheduler &scheduler, MutableArrayRef<Choice> choices,
                  int64_t others, int64_t floor) {
    auto fits = [&](int64_t arena) {
      return budgetBytes < 0 || others + std::max(arena, floor) <= budgetBytes;
    };
    auto isGood = [&](Choice &choice) {
      return fits(choice.liveBytes) && fits(scheduler.pack(choice));
    };
    if (budgetBytes < 0 || keepAllFirst)
      for (Choice &choice : choices)
        if (choice.name == "keep-all" && isGood(choice))
          return &choice;
    for (Choice &choice : choices)
      if (isGood(choice))
        return &choice;
    return nullptr;
  }

  /// The one with the smallest arena, the fastest among equals.
  Choice &smallest(Scheduler &scheduler, MutableArrayRef<Choice> choices) {
    SmallVector<Choice *> byLive;
    for (Choice &choice : choices)
      byLive.push_back(&choice);
    llvm::sort(byLive, [](const Choice *x, const Choice *y) {
      return std::pair(x->liveBytes, x) < std::pair(y->liveBytes, y);
    });
    Choice *best = byLive.front();
    for (Choice *choice : byLive) {
      if (choice->liveBytes >= scheduler.pack(*best))
        break;
      if (scheduler.pack(*choice) < best->arenaBytes)
        best = choice;
    }
    return *best;
  }

  /// The rungs that a report shows: what leads from the fastest to the smallest
  /// in even steps, the policies, and those that are named in any case.
  SmallVector<Choice *> shown(MutableArrayRef<Choice> choices,
                              ArrayRef<const Choice *> named) {
    constexpr int64_t count = 16;
    int64_t most = 0, least = INT64_MAX, previous = INT64_MAX;
    for (const Choice &choice : choices) {
      most = std::max(most, choice.liveBytes);
      least = std::min(least, choice.liveBytes);
    }
    SmallVector<Choice *> rungs;
    for (Choice &choice : choices) {
      // The fastest below each step.
      bool isStep = choice.liveBytes < previous &&
                    (previous == INT64_MAX || choice.liveBytes == least ||
                     previous - choice.liveBytes >= (most - least) / count);
      if (isStep)
        previous = choice.liveBytes;
      if (isStep || llvm::is_contained(named, &choice) ||
          !StringRef(choice.name).starts_with("auto"))
        rungs.push_back(&choice);
    }
    return rungs;
  }

  LogicalResult refuse(Scheduler &scheduler, func::FuncOp function,
                       const Choice &smallest, int64_t others, int64_t least,
                       int64_t bound) {
    getOperation()->setAttr("tarn.budget_missed",
                            Builder(&getContext()).getI64IntegerAttr(least));
    getOperation()->setAttr("tarn.other_bytes",
                            Builder(&getContext()).getI64IntegerAttr(others));
    Location nowhere = UnknownLoc::get(&getContext());
    InFlightDiagnostic error = function.emitError()
                               << "this step does not fit in "
                               << bytesText(int64_t(budgetBytes)) << " ("
                               << int64_t(budgetBytes) << " bytes)";
    error.attachNote(nowhere) << "the smallest budget that it fits in is "
                              << bytesText(least) << " (" << least << " bytes)";
    error.attachNote(nowhere)
        << "no plan of these kernels fits in less than " << bytesText(bound)
        << " (" << bound << " bytes), "
        << llvm::formatv("{0:f1}", 100 * (double(least) / double(bound) - 1))
        << " % below: the largest working set of one kernel";
    error.attachNote(nowhere)
        << "state, inputs, outputs and constants take " << bytesText(others);
    if (failed(scheduler.explainPeak(smallest, error)))
      return failure();
    return error;
  }

  /// The ladder, for reports.
  void note(Scheduler &scheduler, MutableArrayRef<Choice> choices,
            Choice &chosen, const Choice &smallest, int64_t others,
            int64_t floor, int64_t least, int64_t bound) {
    Builder b(&getContext());
    SmallVector<Attribute> table;
    for (Choice *choice : shown(choices, {&chosen, &smallest}))
      table.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("name", b.getStringAttr(choice->name)),
           b.getNamedAttr("arena_bytes",
                          b.getI64IntegerAttr(scheduler.pack(*choice))),
           b.getNamedAttr("prologues", b.getI64IntegerAttr(choice->prologues)),
           b.getNamedAttr("repeats", b.getI64IntegerAttr(choice->repeats)),
           b.getNamedAttr("again_seconds",
                          b.getF64FloatAttr(choice->againSeconds)),
           b.getNamedAttr("offloaded_bytes",
                          b.getI64IntegerAttr(choice->offloadedBytes)),
           b.getNamedAttr("host_bytes",
                          b.getI64IntegerAttr(scheduler.packHost(*choice))),
           b.getNamedAttr("copy_seconds",
                          b.getF64FloatAttr(choice->copySeconds)),
           b.getNamedAttr("seconds", b.getF64FloatAttr(choice->seconds))}));
    SmallVector<Attribute> alike;
    for (const schedule::Repeat &repeat : scheduler.repeats())
      alike.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("count", b.getI64IntegerAttr(repeat.count)),
           b.getNamedAttr("kernels", b.getI64IntegerAttr(repeat.tasks))}));
    // Of the seconds that any plan in the same arena takes.
    schedule::SecondsBound seconds =
        scheduler.leastSeconds(scheduler.pack(chosen));
    getOperation()->setAttr(
        "tarn.plan",
        b.getDictionaryAttr(
            {b.getNamedAttr("chosen", b.getStringAttr(chosen.name)),
             b.getNamedAttr("least_bytes", b.getI64IntegerAttr(least)),
             b.getNamedAttr("bound_bytes", b.getI64IntegerAttr(bound)),
             b.getNamedAttr("plan_seconds", b.getF64FloatAttr(chosen.seconds)),
             b.getNamedAttr("bound_seconds",
                            b.getF64FloatAttr(seconds.seconds)),
             b.getNamedAttr("bound_moments",
                            b.getI64IntegerAttr(seconds.moments)),
             b.getNamedAttr("other_bytes", b.getI64IntegerAttr(others)),
             b.getNamedAttr("floor_bytes", b.getI64IntegerAttr(floor)),
             b.getNamedAttr("repeats", b.getArrayAttr(alike)),
             b.getNamedAttr("rungs", b.getArrayAttr(table))}));
  }

  static int64_t turnsOf(func::FuncOp owner) {
    return owner->getAttrOfType<IntegerAttr>("tarn.accumulate").getInt();
  }

  /// Seconds of what runs once beside the repeated part of a step.
  double secondsBeside(const CostModel &costs) {
    double seconds = 0;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("tarn.micro") &&
          function->getAttr("tarn.kind") ==
              StringAttr::get(&getContext(), "train"))
        for (auto cluster :
             function.getBody().front().getOps<graph::ClusterOp>())
          if (auto kernel =
                  SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
                      cluster,
                      cluster->getAttrOfType<FlatSymbolRefAttr>("kernel")))
            seconds += costs.seconds(kernel);
    return seconds;
  }

  LogicalResult choose(func::FuncOp function, const StateLayout &state,
                       int64_t turns, int64_t others, int64_t floor) {
    rt::Result<CostModel> found = findCostModel(device, times, getOperation());
    if (!found.ok()) {
      getOperation()->setAttr("tarn.bad_option", UnitAttr::get(&getContext()));
      return emitError(UnknownLoc::get(&getContext()),
                       found.status().message());
    }
    CostModel costs = found.take();
    Scheduler scheduler(function, state, costs, turns, hostBytes);
    if (failed(scheduler.prepare(/*withVariants=*/policy == "auto")))
      return failure();
    Builder b(&getContext());
    double beside = secondsBeside(costs);
    auto isBeaten = [&] {
      int64_t leastBytes = others + std::max(scheduler.leastBytes(), floor);
      if ((beatBytes > 0 && leastBytes >= beatBytes) ||
          (beatSeconds > 0 && budgetBytes >= 0 && leastBytes > budgetBytes))
        return true;
      int64_t room =
          budgetBytes < 0 ? scheduler.allBytes() : budgetBytes - others;
      return beatSeconds > 0 &&
             beside + double(turns) * scheduler.leastSeconds(room).seconds >=
                 beatSeconds;
    };
    if ((beatSeconds > 0 || beatBytes > 0) && isBeaten()) {
      getOperation()->setAttr("tarn.plan_beaten", b.getUnitAttr());
      return failure();
    }
    SmallVector<Choice> choices;
    if (policy == "auto")
      choices = scheduler.ladder();
    else
      choices.push_back(scheduler.byPolicy(policy));
    Choice *best = fastest(scheduler, choices, others, floor);
    Choice &least = smallest(scheduler, choices);
    int64_t leastBudget = others + std::max(scheduler.pack(least), floor);
    int64_t bound = others + std::max(scheduler.leastBytes(), floor);
    if (!best) {
      LogicalResult refused =
          refuse(scheduler, function, least, others, leastBudget, bound);
      if (!orSmallest)
        return refused;
      best = &least;
    }
    if (policy == "auto")
      note(scheduler, choices, *best, least, others, floor, leastBudget, bound);
    getOperation()->setAttr(
        "tarn.plan_seconds",
        b.getF64FloatAttr(beside + double(turns) * best->seconds));
    getOperation()->setAttr(
        "tarn.plan_bytes",
        b.getI64IntegerAttr(others + std::max(scheduler.pack(*best), floor)));
    scheduler.apply(*best);
    return success();
  }

  /// The function that runs this one in a repeat, or itself.
  func::FuncOp ownerOf(func::FuncOp function) {
    for (auto owner : getOperation().getOps<func::FuncOp>())
      if (auto name = owner->getAttrOfType<FlatSymbolRefAttr>("tarn.micro"))
        if (name.getValue() == function.getName())
          return owner;
    return function;
  }

  void runOnOperation() override {
    FailureOr<StateLayout> state = layoutStates(getOperation());
    if (failed(state))
      return signalPassFailure();
    int64_t constants = placeConstants(getOperation());
    OpBuilder b(getOperation());
    // Every function's spaces count: evaluation runs between steps.
    func::FuncOp chosen;
    int64_t chosenTurns = 1, floor = 0;
    // Of the step, and the most of any other function.
    int64_t stepInput = 0, stepOutput = 0, input = 0, output = 0;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
      if (!kind)
        continue;
      // Of a micro-batch, the function that runs it.
      func::FuncOp owner = ownerOf(function);
      int64_t turns = owner == function ? 1 : turnsOf(owner);
      FunctionPlan plan(function, *state, b, turns);
      if (failed(plan.plan()))
        return signalPassFailure();
      bool trains = owner->getAttr("tarn.kind") == b.getStringAttr("train");
      if (trains && !function->hasAttr("tarn.micro")) {
        chosen = function;
        chosenTurns = turns;
      } else {
        floor = std::max(floor, plan.arenaBytes);
      }
      // The runtime's input, output and arena are as large as any needs.
      if (trains) {
        stepInput += plan.inputBytes;
        stepOutput += plan.outputBytes;
      }
      input = std::max({input, plan.inputBytes, stepInput});
      output = std::max({output, plan.outputBytes, stepOutput});
    }
    // What has been offloaded is in order already.
    if (chosen && !chosen.getBody().front().getOps<step::MoveStartOp>().empty())
      return;
    int64_t others = state->bytes() + constants + input + output;
    if (chosen && failed(choose(chosen, *state, chosenTurns, others, floor)))
      return signalPassFailure();
  }
};

} // namespace
