//===- PlanRecompute.cpp - what to keep under a budget --------------------===//
//
// A ladder of plans from "keep all" to "keep nothing": each rung gives up the
// saved value that costs the least seconds a byte to compute again, given what
// was given up before (the greedy rule of DTR and of PyTorch's activation
// budget, with costs that know what is computed again already). The ladder does
// not depend on the budget; of its rungs that fit, packed exactly, the fastest
// is taken. So a larger budget never gives a slower plan.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "compiler/Cost/CostModel.h"
#include "dialects/Tarn/TarnOps.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/Recompute.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FormatVariadic.h"

namespace tarn {
#define GEN_PASS_DEF_TARNPLANRECOMPUTE
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

namespace {

/// One plan: which saved values are not kept, and what that comes to.
struct Rung {
  std::string name;
  llvm::DenseSet<Value> dropped;
  bool segments = false; ///< the policy `sqrt`
  int64_t arenaBytes = 0;
  double seconds = 0;
  std::string peak; ///< what lives at the fullest step, largest first
};

class Ladder {
public:
  Ladder(func::FuncOp function, const StateLayout &state,
         const CostModel &costs, int64_t turns)
      : function(function), state(state), costs(costs), turns(turns),
        forward(function) {}

  /// All rungs, from keeping all on, measured.
  FailureOr<SmallVector<Rung>> build();
  /// No schedule of these kernels needs less arena: the largest working set of
  /// one kernel.
  int64_t lowerBound();
  void apply(const Rung &rung, func::FuncOp target, IRMapping *mapping);

private:
  double secondsOf(Operation *op);
  double closureSeconds(Value value, const llvm::DenseSet<Value> &kept,
                        const llvm::DenseSet<Operation *> &again,
                        SmallVectorImpl<Operation *> &needed);
  LogicalResult measure(Rung &rung);

  func::FuncOp function;
  const StateLayout &state;
  const CostModel &costs;
  int64_t turns;
  ForwardPass forward;
  llvm::DenseMap<Operation *, double> known;
};

} // namespace

double Ladder::secondsOf(Operation *op) {
  auto cluster = dyn_cast<graph::ClusterOp>(op);
  if (!cluster)
    return 0;
  auto symbol = cluster->getAttrOfType<FlatSymbolRefAttr>("kernel");
  auto kernel =
      SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(cluster, symbol);
  auto [found, isNew] = known.try_emplace(kernel, 0);
  if (isNew)
    found->second = costs.seconds(kernel);
  return found->second;
}

/// Seconds of the kernels that make `value` from what is kept, without those
/// that run again anyway; they are added to `needed`.
double Ladder::closureSeconds(Value value, const llvm::DenseSet<Value> &kept,
                              const llvm::DenseSet<Operation *> &again,
                              SmallVectorImpl<Operation *> &needed) {
  double seconds = 0;
  llvm::SmallDenseSet<Operation *> seen;
  SmallVector<Value> work{value};
  while (!work.empty()) {
    Value next = work.pop_back_val();
    Operation *op = next.getDefiningOp();
    bool alias = op && isa<graph::ReshapeOp>(op) && forward.placeOf(op);
    if (!alias && (!forward.isRecomputable(next) ||
                   (next != value && kept.contains(next))))
      continue;
    if (!seen.insert(op).second || again.contains(op))
      continue;
    seconds += secondsOf(op);
    needed.push_back(op);
    llvm::append_range(work, op->getOperands());
  }
  return seconds;
}

/// Exact: the plan is made, and packed, on a copy.
LogicalResult Ladder::measure(Rung &rung) {
  IRMapping mapping;
  OpBuilder b(function);
  auto copy = cast<func::FuncOp>(b.clone(*function, mapping));
  copy.setName((function.getName() + ".rung").str());
  llvm::scope_exit erase([&] { copy.erase(); });
  apply(rung, copy, &mapping);
  rung.seconds = 0;
  // Kernels are known by symbol, so that copies cost nothing to ask about.
  for (auto cluster : copy.getBody().front().getOps<graph::ClusterOp>())
    rung.seconds += secondsOf(cluster);
  FunctionPlan plan(copy, state, b, turns);
  if (failed(plan.plan()))
    return failure();
  rung.arenaBytes = plan.arenaBytes;
  rung.peak = plan.describePeak();
  return success();
}

void Ladder::apply(const Rung &rung, func::FuncOp target, IRMapping *mapping) {
  if (rung.segments)
    return recomputeSegments(target);
  if (rung.dropped.empty())
    return;
  llvm::DenseSet<Value> kept;
  for (Value value : forward.saved())
    if (!rung.dropped.contains(value))
      kept.insert(mapping ? mapping->lookup(value) : value);
  ForwardPass copied(target);
  recompute(target, copied, [&](Value value) { return kept.contains(value); });
}

int64_t Ladder::lowerBound() {
  int64_t most = 0;
  for (auto cluster : function.getBody().front().getOps<graph::ClusterOp>()) {
    llvm::SmallDenseSet<Value> values;
    for (Value input : cluster.getInputs()) {
      while (auto reshape = input.getDefiningOp<graph::ReshapeOp>())
        input = reshape.getX();
      if (input.getDefiningOp<graph::ClusterOp>())
        values.insert(input);
    }
    // Results may be made where the caller wants them.
    for (Value result : cluster.getResults())
      if (llvm::none_of(result.getUsers(), [](Operation *user) {
            return isa<func::ReturnOp, graph::ReshapeOp>(user);
          }))
        values.insert(result);
    int64_t bytes = 0;
    for (Value value : values)
      bytes += aligned(bytesOf(value.getType()));
    most = std::max(most, bytes);
  }
  return most;
}

FailureOr<SmallVector<Rung>> Ladder::build() {
  SmallVector<Rung> rungs;
  rungs.push_back({"keep-all", {}, false, 0, 0, ""});
  SmallVector<Value> saved = forward.saved();
  llvm::DenseSet<Value> kept(saved.begin(), saved.end());
  llvm::DenseSet<Operation *> again;
  int64_t total = 0, given = 0;
  for (Value value : saved)
    total += bytesOf(value.getType());
  // About fifty rungs, whatever the number of values.
  constexpr int64_t steps = 48;
  int64_t next = 1;
  llvm::DenseSet<Value> dropped;
  while (!kept.empty()) {
    Value best;
    double least = std::numeric_limits<double>::infinity();
    SmallVector<Operation *> bestNeeded;
    for (Value value : saved) {
      if (!kept.contains(value))
        continue;
      SmallVector<Operation *> needed;
      double price = closureSeconds(value, kept, again, needed) /
                     double(bytesOf(value.getType()));
      if (price < least) {
        least = price;
        best = value;
        bestNeeded = needed;
      }
    }
    kept.erase(best);
    dropped.insert(best);
    again.insert(bestNeeded.begin(), bestNeeded.end());
    given += bytesOf(best.getType());
    if (given * steps < total * next && !kept.empty())
      continue;
    next = given * steps / std::max<int64_t>(total, 1) + 1;
    rungs.push_back({llvm::formatv("recompute {0}%", given * 100 / total).str(),
                     dropped, false, 0, 0, ""});
  }
  rungs.push_back({"sqrt", {}, true, 0, 0, ""});
  for (Rung &rung : rungs)
    if (failed(measure(rung)))
      return failure();
  return rungs;
}

namespace {

struct PlanRecompute : tarn::impl::TarnPlanRecomputeBase<PlanRecompute> {
  using Base::Base;

  /// Chooses for one function; `others` are bytes that the budget holds beside
  /// its arena.
  LogicalResult choose(func::FuncOp function, const StateLayout &state,
                       int64_t turns, int64_t others, int64_t floor) {
    rt::Result<CostModel> found = findCostModel(device, times, getOperation());
    if (!found.ok()) {
      getOperation()->setAttr("tarn.bad_option", UnitAttr::get(&getContext()));
      return emitError(UnknownLoc::get(&getContext()),
                       found.status().message());
    }
    CostModel costs = found.take();
    Ladder ladder(function, state, costs, turns);
    FailureOr<SmallVector<Rung>> rungs = ladder.build();
    if (failed(rungs))
      return failure();
    const Rung *best = nullptr, *smallest = &rungs->front();
    for (const Rung &rung : *rungs) {
      int64_t bytes = others + std::max(rung.arenaBytes, floor);
      if (rung.arenaBytes < smallest->arenaBytes)
        smallest = &rung;
      if (budgetBytes >= 0 && bytes > budgetBytes)
        continue;
      if (policy == "recompute-all" && rung.name != "recompute 100%")
        continue;
      if (!best || rung.seconds < best->seconds ||
          (rung.seconds == best->seconds && rung.arenaBytes < best->arenaBytes))
        best = &rung;
    }
    int64_t least = others + std::max(smallest->arenaBytes, floor);
    int64_t bound = others + std::max(ladder.lowerBound(), floor);
    if (!best) {
      getOperation()->setAttr("tarn.budget_missed",
                              Builder(&getContext()).getI64IntegerAttr(least));
      Location nowhere = UnknownLoc::get(&getContext());
      InFlightDiagnostic error = function.emitError()
                                 << "this step does not fit in "
                                 << bytesText(int64_t(budgetBytes)) << " ("
                                 << int64_t(budgetBytes) << " bytes)";
      error.attachNote(nowhere)
          << "the smallest budget that it fits in is " << bytesText(least)
          << " (" << least << " bytes)";
      error.attachNote(nowhere)
          << "no plan of these kernels fits in less than " << bytesText(bound)
          << " (" << bound << " bytes)";
      error.attachNote(nowhere)
          << "state, inputs, outputs and constants take " << bytesText(others)
          << "; at the fullest moment: " << smallest->peak;
      return error;
    }
    Builder b(&getContext());
    SmallVector<Attribute> table;
    for (const Rung &rung : *rungs)
      table.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("name", b.getStringAttr(rung.name)),
           b.getNamedAttr("arena_bytes", b.getI64IntegerAttr(rung.arenaBytes)),
           b.getNamedAttr("seconds", b.getF64FloatAttr(rung.seconds))}));
    getOperation()->setAttr(
        "tarn.plan",
        b.getDictionaryAttr(
            {b.getNamedAttr("chosen", b.getStringAttr(best->name)),
             b.getNamedAttr("least_bytes", b.getI64IntegerAttr(least)),
             b.getNamedAttr("bound_bytes", b.getI64IntegerAttr(bound)),
             b.getNamedAttr("other_bytes", b.getI64IntegerAttr(others)),
             b.getNamedAttr("peak", b.getStringAttr(best->peak)),
             b.getNamedAttr("rungs", b.getArrayAttr(table))}));
    ladder.apply(*best, function, nullptr);
    return success();
  }

  void runOnOperation() override {
    FailureOr<StateLayout> state = layoutStates(getOperation());
    if (failed(state))
      return signalPassFailure();
    int64_t constants = placeConstants(getOperation());
    OpBuilder b(getOperation());
    // Every function's spaces count: evaluation runs between steps.
    func::FuncOp chosen;
    int64_t turns = 1, floor = 0;
    // Of the step, and the most of any other function.
    int64_t stepInput = 0, stepOutput = 0, input = 0, output = 0;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
      if (!kind)
        continue;
      bool micro = kind.getValue() == "micro";
      if (micro)
        for (auto step : getOperation().getOps<func::FuncOp>())
          if (auto name = step->getAttrOfType<FlatSymbolRefAttr>("tarn.micro"))
            if (name.getValue() == function.getName())
              turns =
                  step->getAttrOfType<IntegerAttr>("tarn.accumulate").getInt();
      FunctionPlan plan(function, *state, b, micro ? turns : 1);
      if (failed(plan.plan()))
        return signalPassFailure();
      bool isStep = micro || (kind.getValue() == "train" &&
                              !function->hasAttr("tarn.micro"));
      if (isStep)
        chosen = function;
      else
        floor = std::max(floor, plan.arenaBytes);
      // The runtime's input, output and arena are as large as any needs.
      if (kind.getValue() == "train" || micro) {
        stepInput += plan.inputBytes;
        stepOutput += plan.outputBytes;
      }
      input = std::max({input, plan.inputBytes, stepInput});
      output = std::max({output, plan.outputBytes, stepOutput});
    }
    if (!chosen)
      return;
    int64_t others = state->bytes() + constants + input + output;
    if (failed(choose(chosen, *state, turns, others, floor)))
      return signalPassFailure();
  }
};

} // namespace
