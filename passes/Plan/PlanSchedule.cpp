//===- PlanSchedule.cpp - when kernels run, what runs again or is parked --===//
//
// A ladder of schedules, from keeping everything to keeping as little as can
// be. It does not depend on the budget; of its rungs that fit, packed exactly,
// the fastest is taken. So a larger budget never gives a slower plan. The
// search itself knows nothing of MLIR: see Schedule/.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "passes/Plan/Scheduler.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace tarn {
#define GEN_PASS_DEF_TARNPLANSCHEDULE
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

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
      return fits(choice.liveBytes) && (fits(scheduler.packRoughly(choice)) ||
                                        fits(scheduler.pack(choice)));
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

  /// Of those that take no more seconds than that, the one with the smallest
  /// arena, the fastest among equals.
  Choice &smallest(Scheduler &scheduler, MutableArrayRef<Choice> choices,
                   double mostSeconds) {
    SmallVector<Choice *> byLive;
    for (Choice &choice : choices)
      if (choice.seconds <= mostSeconds)
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
    int64_t most = 0, least = INT64_MAX;
    for (const Choice &choice : choices) {
      most = std::max(most, choice.liveBytes);
      least = std::min(least, choice.liveBytes);
    }
    SmallVector<Choice *> rungs;
    int64_t step = 0;
    for (Choice &choice : choices) {
      // The fastest that fits below a step that nothing has fitted below yet.
      bool isStep = false;
      for (; step <= count &&
             choice.liveBytes <= most - (most - least) * step / count;
           ++step)
        isStep = true;
      if (isStep || llvm::is_contained(named, &choice) ||
          !StringRef(choice.name).starts_with("auto"))
        rungs.push_back(&choice);
    }
    return rungs;
  }

  /// What a budget is, with this choice.
  static int64_t budgetOf(Scheduler &scheduler, Choice &choice, int64_t others,
                          int64_t floor) {
    return others + std::max(scheduler.pack(choice), floor);
  }

  LogicalResult refuse(Scheduler &scheduler, func::FuncOp function,
                       Choice &smallest, Choice &usable, double keepAllSeconds,
                       int64_t others, int64_t floor, int64_t bound) {
    int64_t least = budgetOf(scheduler, smallest, others, floor);
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
    if (&usable != &smallest) {
      int64_t within = budgetOf(scheduler, usable, others, floor);
      error.attachNote(nowhere)
          << llvm::formatv("that plan takes {0:f1} times as long as one that "
                           "keeps everything; within twice the time it fits "
                           "in ",
                           smallest.seconds / keepAllSeconds)
          << bytesText(within) << " (" << within << " bytes)";
    }
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
            Choice &chosen, Choice &smallest, const Choice &usable,
            int64_t others, int64_t floor, int64_t bound) {
    Builder b(&getContext());
    SmallVector<Attribute> table;
    for (Choice *choice : shown(choices, {&chosen, &smallest, &usable}))
      table.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("name", b.getStringAttr(choice->name)),
           b.getNamedAttr("arena_bytes",
                          b.getI64IntegerAttr(scheduler.packRoughly(*choice))),
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
             b.getNamedAttr("least_bytes",
                            b.getI64IntegerAttr(
                                budgetOf(scheduler, smallest, others, floor))),
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
      choices = scheduler.ladder(effort);
    else
      choices.push_back(scheduler.byPolicy(policy));
    Choice *best = fastest(scheduler, choices, others, floor);
    // The ladder goes down to plans that take many times as long: of little use
    // to most.
    double keepAllSeconds = choices.front().seconds;
    for (const Choice &choice : choices)
      if (choice.name == "keep-all")
        keepAllSeconds = choice.seconds;
    Choice &least = smallest(scheduler, choices, INFINITY);
    Choice &usable = smallest(scheduler, choices, 2 * keepAllSeconds);
    int64_t bound = others + std::max(scheduler.leastBytes(), floor);
    if (!best) {
      LogicalResult refused = refuse(scheduler, function, least, usable,
                                     keepAllSeconds, others, floor, bound);
      if (!orSmallest)
        return refused;
      best = &least;
    }
    if (policy == "auto")
      note(scheduler, choices, *best, least, usable, others, floor, bound);
    getOperation()->setAttr(
        "tarn.plan_seconds",
        b.getF64FloatAttr(beside + double(turns) * best->seconds));
    getOperation()->setAttr(
        "tarn.plan_bytes",
        b.getI64IntegerAttr(budgetOf(scheduler, *best, others, floor)));
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
      bool trains = owner->getAttr("tarn.kind") == b.getStringAttr("train");
      bool isChosen = trains && !function->hasAttr("tarn.micro");
      // What is to be scheduled is packed then.
      if (failed(isChosen ? plan.findLives() : plan.plan()))
        return signalPassFailure();
      if (isChosen) {
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
