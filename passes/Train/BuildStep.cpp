//===- BuildStep.cpp - from a forward function to the training step -------===//
//
// A forward function with a loss is half of a step. This pass appends the other
// half to it: gradients, global norm and clip, the optimizer, and the next
// value of every state. With accumulation the two halves become two functions
// that meet in accumulators (Accumulate.cpp). It leaves precision and order to
// later phases.
//
//===----------------------------------------------------------------------===//

#include "passes/Train/Passes.h"

#include "dialects/Tarn/Differentiate.h"
#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Optimizers.h"
#include "passes/Train/PathPattern.h"
#include "passes/Train/StepBuilder.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

namespace tarn {
#define GEN_PASS_DEF_TARNBUILDSTEP
#define GEN_PASS_DEF_TARNBUILDGRADIENT
#include "passes/Train/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using graph::GradientMath;

/// The result of role `loss`.
LogicalResult StepBuilder::findLoss() {
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i)
    if (resultRole(function, i) == "loss") {
      lossResult = i;
      loss = returnOf(function).getOperand(i);
      auto type = dyn_cast<RankedTensorType>(loss.getType());
      if (!type || type.getRank() != 0 ||
          !isa<FloatType>(type.getElementType()))
        return emitError(loss.getLoc())
               << "the loss must be one number, not " << loss.getType();
      return success();
    }
  return function.emitError("the training step has no loss");
}

/// The groups of the dictionary, checked: each pattern matches a parameter.
LogicalResult StepBuilder::readGroups() {
  auto list = options.getAs<ArrayAttr>("groups");
  for (Attribute entry : list ? list.getValue() : ArrayRef<Attribute>()) {
    auto dictionary = dyn_cast<DictionaryAttr>(entry);
    auto patterns =
        dictionary ? dictionary.getAs<ArrayAttr>("patterns") : ArrayAttr();
    if (!patterns)
      return function.emitError("a group of parameters has no patterns");
    Group group;
    group.decay = numberOf(dictionary, "decay", numberOf(options, "decay", 0));
    group.rateScale = numberOf(dictionary, "rate_scale", 1);
    for (auto pattern : patterns.getAsRange<StringAttr>()) {
      group.patterns.push_back(pattern.getValue());
      if (llvm::none_of(trained, [&](const Trained &t) {
            return matchesPath(pattern.getValue(), t.name);
          })) {
        InFlightDiagnostic error = function.emitError()
                                   << "no trained parameter matches the "
                                      "pattern `"
                                   << pattern.getValue() << "`";
        if (!trained.empty())
          error.attachNote(trained.front().value.getLoc())
              << "a parameter is called, for example, `" << trained.front().name
              << "`";
        return error;
      }
    }
    groups.push_back(std::move(group));
  }
  return success();
}

/// The first group with a pattern that matches, or null for the default.
const Group *StepBuilder::groupOf(StringRef name) {
  for (const Group &group : groups)
    if (llvm::any_of(group.patterns,
                     [&](StringRef p) { return matchesPath(p, name); }))
      return &group;
  return nullptr;
}

void StepBuilder::collectTrained() {
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
    if (isTrainable(function, i))
      trained.push_back({i, argumentName(function, i).str(),
                         function.getArgument(i), Value()});
}

/// The square root of the sum of all squared gradients; f32, in the order of
/// the parameters. What divides them divides it.
Value StepBuilder::globalNorm() {
  Value sum;
  for (Trained &t : trained) {
    Value g = math.widen(t.gradient);
    SmallVector<int64_t> dims =
        llvm::to_vector(llvm::seq<int64_t>(0, graph::tensorType(g).getRank()));
    Value squares = math.sum(math.mul(g, g), dims);
    sum = sum ? math.add(sum, squares) : squares;
  }
  Value norm = math.make<graph::SqrtOp>(sum);
  return divisor ? math.div(norm, divisor) : norm;
}

/// The rate at `step` (i32, rank 0; 1 at the first update).
FailureOr<Value> StepBuilder::inlineSchedule(Value step) {
  auto symbol = options.getAs<FlatSymbolRefAttr>("rate");
  auto schedule =
      symbol
          ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(function, symbol)
          : func::FuncOp();
  if (!schedule || schedule.getNumArguments() != 1 ||
      schedule.getNumResults() != 1)
    return function.emitError("the optimizer's rate is no schedule");
  IRMapping mapping;
  mapping.map(schedule.getArgument(0), step);
  for (Operation &op : schedule.getBody().front().without_terminator())
    builder.clone(op, mapping);
  return mapping.lookupOrDefault(returnOf(schedule).getOperand(0));
}

/// `finite ? next : old`, elementwise.
Value StepBuilder::choose(Value finite, Value next, Value old) {
  auto type = graph::tensorType(next);
  Value condition = finite;
  if (type.getRank() != 0)
    condition = math.make<graph::BroadcastOp>(type.clone(builder.getI1Type()),
                                              finite, ArrayRef<int64_t>());
  return math.select(condition, next, old);
}

void StepBuilder::addState(StringRef name, Value old, Value next,
                           Value finite) {
  addResult(function, "optimizer", name, choose(finite, next, old));
}

/// A random key that the function does not advance itself goes one step on, so
/// that every step draws anew. It also advances when a step is not applied: a
/// replay sets it back.
void StepBuilder::advanceRandomKeys() {
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i) {
    if (argumentRole(function, i) != "rng" ||
        findResult(function, "rng", argumentName(function, i)))
      continue;
    Value key = function.getArgument(i);
    auto type = graph::tensorType(key);
    SmallVector<int32_t> one(type.getNumElements(), 0);
    one.back() = 1;
    Value next =
        math.add(key, math.make<graph::ConstantOp>(DenseElementsAttr::get(
                          type, ArrayRef<int32_t>(one))));
    addResult(function, "rng", argumentName(function, i), next);
  }
}

/// Everything after the gradients: norm, clip, rate, optimizer, results.
LogicalResult StepBuilder::appendUpdate(Value lossValue) {
  if (trained.empty())
    return function.emitError("the model has no parameter to train");
  std::unique_ptr<Optimizer> optimizer =
      createOptimizer(function.getLoc(), options);
  if (!optimizer || failed(readGroups()))
    return failure();

  Type f32 = builder.getF32Type();
  auto scalar = RankedTensorType::get({}, f32);
  Value norm = globalNorm();
  Value finite = math.make<graph::AndOp>(
      math.make<graph::IsFiniteOp>(math.cast(lossValue, f32)),
      math.make<graph::IsFiniteOp>(norm));
  // One number scales what was added up and clips it: no gradient is written
  // between.
  Value factor = divisor ? math.div(math.like(divisor, 1), divisor) : Value();
  if (double clip = numberOf(options, "clip", 0); clip > 0) {
    Value clipped = math.make<graph::MinOp>(
        math.div(math.like(norm, clip), math.offset(norm, 1e-6)),
        math.like(norm, 1));
    factor = divisor ? math.div(clipped, divisor) : clipped;
  }
  if (factor)
    for (Trained &t : trained) {
      Value g = math.widen(t.gradient);
      auto type = graph::tensorType(g);
      Value over = type.getRank() == 0 ? factor
                                       : math.make<graph::BroadcastOp>(
                                             type, factor, ArrayRef<int64_t>());
      t.gradient = math.mul(g, over);
    }

  Value oldStep = addArgument(function, "optimizer", "optimizer.step",
                              RankedTensorType::get({}, builder.getI32Type()));
  Value step = math.offset(oldStep, 1);
  FailureOr<Value> rate = inlineSchedule(step);
  if (failed(rate))
    return failure();

  addResult(function, "metric", "grad_norm", norm);
  addResult(function, "metric", "rate", *rate);
  addResult(function, "finite", "finite", finite);
  addState("optimizer.step", oldStep, step, finite);

  SmallVector<Value> shared, oldShared;
  SmallVector<std::string> sharedNames;
  for (StringRef name : optimizer->sharedStates()) {
    sharedNames.push_back(("optimizer." + name).str());
    oldShared.push_back(
        addArgument(function, "optimizer", sharedNames.back(), scalar));
  }
  shared = oldShared;
  optimizer->advance(math, shared);
  for (auto [name, old, next] : llvm::zip(sharedNames, oldShared, shared))
    addState(name, old, next, finite);

  // What the forward pass itself makes the next value of a parameter.
  func::ReturnOp ret = returnOf(function);
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i) {
    if (resultRole(function, i) != "parameter")
      continue;
    std::optional<unsigned> old =
        findArgument(function, "parameter", resultName(function, i));
    if (old)
      ret.setOperand(
          i, choose(finite, ret.getOperand(i), function.getArgument(*old)));
  }

  SmallVector<NewArgument> arguments;
  for (const Trained &t : trained)
    for (StringRef name : optimizer->parameterStates())
      arguments.push_back({"optimizer", (t.name + "." + name).str(),
                           graph::tensorType(t.value).clone(f32)});
  unsigned next = addArguments(function, arguments);
  SmallVector<NewResult> results;
  const NewArgument *state = arguments.begin();
  for (Trained &t : trained) {
    const Group *group = groupOf(t.name);
    UpdateTerms terms;
    terms.decay = group ? group->decay : numberOf(options, "decay", 0);
    terms.rate = *rate;
    if (group && group->rateScale != 1)
      terms.rate = math.scale(*rate, group->rateScale);
    SmallVector<Value> states, oldStates;
    for (size_t i = 0; i != optimizer->parameterStates().size(); ++i)
      oldStates.push_back(function.getArgument(next++));
    states = oldStates;
    // The update runs in f32 whatever the parameter is stored in.
    Value parameter = math.widen(t.value);
    optimizer->update(math, parameter, math.cast(t.gradient, f32), shared,
                      states, terms);
    parameter =
        math.cast(parameter, graph::tensorType(t.value).getElementType());
    results.push_back(
        {"parameter", t.name, choose(finite, parameter, t.value)});
    for (auto [old, changed] : llvm::zip(oldStates, states))
      results.push_back(
          {"optimizer", (state++)->name, choose(finite, changed, old)});
  }
  addResults(function, results);
  return success();
}

LogicalResult StepBuilder::build() {
  if (failed(findLoss()))
    return failure();
  collectTrained();
  SmallVector<Value> targets, gradients;
  for (Trained &t : trained)
    targets.push_back(t.value);
  if (failed(differentiate(builder, loss, targets, gradients)))
    return failure();
  for (auto [t, gradient] : llvm::zip(trained, gradients))
    t.gradient = gradient;
  if (failed(appendUpdate(loss)))
    return failure();
  advanceRandomKeys();
  return success();
}

namespace {

struct BuildStep : tarn::impl::TarnBuildStepBase<BuildStep> {
  using Base::Base;
  void runOnOperation() override {
    SmallVector<func::FuncOp> schedules;
    for (auto function :
         llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (auto parts = function->getAttrOfType<IntegerAttr>("tarn.cut")) {
        function->removeAttr("tarn.cut");
        if (failed(StepBuilder(function, {}).buildMeans(parts.getInt())))
          return signalPassFailure();
      }
      auto options = function->getAttrOfType<DictionaryAttr>("tarn.train");
      if (!options)
        continue;
      if (auto rate = options.getAs<FlatSymbolRefAttr>("rate"))
        if (auto schedule = getOperation().lookupSymbol<func::FuncOp>(rate))
          schedules.push_back(schedule);
      StepBuilder step(function, options);
      int64_t count = numberOf(options, "accumulate", 1);
      if (failed(count > 1 ? step.buildAccumulating(count) : step.build()))
        return signalPassFailure();
      function->removeAttr("tarn.train");
      if (auto precision = options.getAs<StringAttr>("precision"))
        function->setAttr("tarn.precision", precision);
    }
    for (func::FuncOp schedule : schedules)
      if (!schedule->hasAttr("tarn.kind"))
        schedule.erase();
  }
};

/// The first float result of rank 0, or nothing.
std::optional<unsigned> firstScalar(func::FuncOp function) {
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (tensor.getRank() == 0 && isa<FloatType>(tensor.getElementType()))
        return i;
  return std::nullopt;
}

struct BuildGradient : tarn::impl::TarnBuildGradientBase<BuildGradient> {
  using Base::Base;
  void runOnOperation() override {
    auto chosen = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!chosen) {
      getOperation().emitError() << "there is no function `" << function << "`";
      return signalPassFailure();
    }
    std::optional<unsigned> root = firstScalar(chosen);
    if (!root) {
      chosen.emitError() << "`" << function
                         << "` has no result that is one float";
      return signalPassFailure();
    }
    SmallVector<Value> targets, gradients;
    SmallVector<std::string> names;
    for (unsigned i = 0, e = chosen.getNumArguments(); i != e; ++i)
      if (isTrainable(chosen, i)) {
        targets.push_back(chosen.getArgument(i));
        names.push_back(("grad." + argumentName(chosen, i)).str());
      }
    func::ReturnOp ret = returnOf(chosen);
    OpBuilder builder(ret);
    if (failed(
            differentiate(builder, ret.getOperand(*root), targets, gradients)))
      return signalPassFailure();
    for (auto [name, gradient] : llvm::zip(names, gradients))
      addResult(chosen, "output", name, gradient);
    chosen->setAttr("tarn.kind", builder.getStringAttr("forward"));
    chosen->removeAttr("tarn.train");
    for (auto other : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      auto kind = other->getAttrOfType<StringAttr>("tarn.kind");
      if (other != chosen && !(kind && kind.getValue() == "init"))
        other.erase();
    }
  }
};

} // namespace
