//===- BuildStep.cpp - from a forward function to the training step -------===//
//
// A forward function with a loss is half of a step. This pass appends the other
// half to it: gradients, global norm and clip, the optimizer, and the next
// value of every state. With accumulation the two halves become two functions
// that meet in accumulators. It leaves precision and order to later phases.
//
//===----------------------------------------------------------------------===//

#include "passes/Train/Passes.h"

#include "dialects/Tarn/Differentiate.h"
#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Optimizers.h"
#include "passes/Train/PathPattern.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

#include <numeric>

namespace tarn {
#define GEN_PASS_DEF_TARNBUILDSTEP
#define GEN_PASS_DEF_TARNBUILDGRADIENT
#include "passes/Train/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using graph::GradientMath;

namespace {

/// A trained parameter of the function, by argument index.
struct Trained {
  unsigned argument;
  std::string name;
  Value value;
  Value gradient;
};

/// What the optimizer does to a group of parameters.
struct Group {
  SmallVector<StringRef> patterns;
  double decay, rateScale;
  bool used = false;
};

/// The optimizer's part of a step, in one function.
class StepBuilder {
public:
  StepBuilder(func::FuncOp function, DictionaryAttr options)
      : function(function), options(options), builder(returnOf(function)),
        math(builder, function) {}

  /// Gradients, update and results in one function.
  LogicalResult build();
  /// The same over `count` micro-batches: turns the function into the one that
  /// accumulates and makes a second one that applies.
  LogicalResult buildAccumulating(int64_t count);

private:
  LogicalResult findLoss();
  LogicalResult readGroups();
  const Group *groupOf(StringRef name);
  void collectTrained();
  Value globalNorm();
  FailureOr<Value> inlineSchedule(Value step);
  LogicalResult appendUpdate(Value loss);
  void addState(StringRef name, Value old, Value next, Value finite);
  void advanceRandomKeys();
  Value choose(Value finite, Value next, Value old);

  func::FuncOp function;
  DictionaryAttr options;
  OpBuilder builder;
  GradientMath math;
  unsigned lossResult = 0;
  Value loss;
  SmallVector<Trained> trained;
  SmallVector<Group> groups;
};

} // namespace

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
/// the parameters.
Value StepBuilder::globalNorm() {
  Value sum;
  for (Trained &t : trained) {
    Value g = math.widen(t.gradient);
    SmallVector<int64_t> dims =
        llvm::to_vector(llvm::seq<int64_t>(0, graph::tensorType(g).getRank()));
    Value squares = math.sum(math.mul(g, g), dims);
    sum = sum ? math.add(sum, squares) : squares;
  }
  return math.make<graph::SqrtOp>(sum);
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
  if (double clip = numberOf(options, "clip", 0); clip > 0) {
    Value factor = math.make<graph::MinOp>(
        math.div(math.like(norm, clip), math.offset(norm, 1e-6)),
        math.like(norm, 1));
    for (Trained &t : trained) {
      Value g = math.widen(t.gradient);
      auto type = graph::tensorType(g);
      Value over = type.getRank() == 0 ? factor
                                       : math.make<graph::BroadcastOp>(
                                             type, factor, ArrayRef<int64_t>());
      t.gradient = math.mul(g, over);
    }
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

  for (Trained &t : trained) {
    const Group *group = groupOf(t.name);
    UpdateTerms terms;
    terms.decay = group ? group->decay : numberOf(options, "decay", 0);
    terms.rate = *rate;
    if (group && group->rateScale != 1)
      terms.rate = math.scale(*rate, group->rateScale);
    auto type = graph::tensorType(t.value);
    SmallVector<Value> states, oldStates;
    SmallVector<std::string> names;
    for (StringRef name : optimizer->parameterStates()) {
      names.push_back((t.name + "." + name).str());
      oldStates.push_back(
          addArgument(function, "optimizer", names.back(), type.clone(f32)));
    }
    states = oldStates;
    // The update runs in f32 whatever the parameter is stored in.
    Value parameter = math.widen(t.value);
    optimizer->update(math, parameter, math.cast(t.gradient, f32), shared,
                      states, terms);
    parameter = math.cast(parameter, type.getElementType());
    addResult(function, "parameter", t.name,
              choose(finite, parameter, t.value));
    for (auto [name, old, next] : llvm::zip(names, oldStates, states))
      addState(name, old, next, finite);
  }
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

/// Adds the value of an accumulator to it.
static void accumulate(func::FuncOp function, GradientMath &math,
                       StringRef name, Value value) {
  Value old = addArgument(function, "accumulator", name, value.getType());
  addResult(function, "accumulator", name, math.add(old, value));
}

/// Micro-batches lie one after the other in an input, and every slice of memory
/// starts at a multiple of 64 bytes.
static LogicalResult verifyMicroBatches(func::FuncOp function) {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (argumentRole(function, i) != "input")
      continue;
    auto tensor = cast<RankedTensorType>(type);
    int64_t bytes = tensor.getNumElements() *
                    llvm::divideCeil(tensor.getElementTypeBitWidth(), 8);
    if (bytes % 64 == 0)
      continue;
    InFlightDiagnostic error =
        emitError(function.getArgument(i).getLoc())
        << "with `accumulate`, a micro-batch takes a multiple of 64 bytes; `"
        << argumentName(function, i) << "` has " << bytes;
    error.attachNote(function.getLoc())
        << "choose dimensions of which the product is a multiple of "
        << 64 / std::gcd<int64_t>(64, bytes / tensor.getNumElements());
    return error;
  }
  return success();
}

LogicalResult StepBuilder::buildAccumulating(int64_t count) {
  if (failed(findLoss()) || failed(verifyMicroBatches(function)))
    return failure();
  collectTrained();
  std::string stepName = function.getName().str();
  Type f32 = builder.getF32Type();
  auto scalar = RankedTensorType::get({}, f32);

  // The step that applies: parameters and accumulators in, everything out.
  auto module = function->getParentOfType<ModuleOp>();
  OpBuilder outer(function->getContext());
  outer.setInsertionPointAfter(function);
  auto apply = func::FuncOp::create(outer, function.getLoc(), stepName,
                                    outer.getFunctionType({}, {}));
  outer.setInsertionPointToStart(apply.addEntryBlock());
  func::ReturnOp::create(outer, function.getLoc());
  for (NamedAttribute attribute : function->getDiscardableAttrs())
    apply->setAttr(attribute.getName(), attribute.getValue());
  apply->removeAttr("tarn.train");
  SymbolTable::setSymbolName(function, stepName + "_micro");
  function->setAttr("tarn.kind", builder.getStringAttr("micro"));
  function->removeAttr("tarn.train");
  apply->setAttr("tarn.micro", FlatSymbolRefAttr::get(function));
  apply->setAttr("tarn.accumulate", builder.getI64IntegerAttr(count));
  StepBuilder applier(apply, options);

  // A loss that is a ratio is a sum over a count, both added up; any other
  // counts once per micro-batch.
  Value sum = loss, number;
  if (auto ratio = loss.getDefiningOp<graph::RatioOp>()) {
    sum = ratio.getSum();
    number = ratio.getCount();
  } else {
    number = math.like(loss, 1);
  }
  SmallVector<Value> targets, gradients;
  for (Trained &t : trained)
    targets.push_back(t.value);
  if (failed(differentiate(builder, sum, targets, gradients)))
    return failure();

  // Results of the micro-batch become sums; the loss and metrics first.
  func::ReturnOp ret = returnOf(function);
  struct Sum {
    std::string role, name, accumulator;
  };
  SmallVector<Sum> sums;
  for (int i = function.getNumResults() - 1; i >= 0; --i) {
    StringRef role = resultRole(function, i);
    if (role != "loss" && role != "metric")
      continue;
    Value value = unsigned(i) == lossResult ? sum : ret.getOperand(i);
    std::string name = resultName(function, i).str();
    sums.push_back({role.str(), name, "accumulator." + name});
    ret.getOperandsMutable().erase(i);
    (void)function.eraseResult(i);
    accumulate(function, math, sums.back().accumulator, math.cast(value, f32));
  }
  accumulate(function, math, "accumulator.count", math.cast(number, f32));
  for (auto [t, gradient] : llvm::zip(trained, gradients))
    accumulate(function, math, t.name + ".grad", math.widen(gradient));
  advanceRandomKeys();

  // The applying side.
  GradientMath &m = applier.math;
  auto take = [&](StringRef name, RankedTensorType type) {
    Value value = addArgument(apply, "accumulator", name, type);
    // Ready for the next step; this happens whether or not it is applied.
    addResult(apply, "accumulator", name, m.like(value, 0));
    return value;
  };
  Value total = take("accumulator.count", scalar);
  Value divisor = m.make<graph::MaxOp>(total, m.like(total, 1));
  Value meanLoss;
  for (const Sum &s : llvm::reverse(sums)) {
    Value value = take(s.accumulator, scalar);
    Value mean =
        s.role == "loss" ? m.div(value, divisor) : m.scale(value, 1.0 / count);
    if (s.role == "loss")
      meanLoss = mean;
    addResult(apply, s.role, s.name, mean);
  }
  for (const Trained &t : trained) {
    auto type = graph::tensorType(t.value);
    Value parameter = addArgument(apply, "parameter", t.name, type);
    Value added = take(t.name + ".grad", type.clone(f32));
    Value over = type.getRank() == 0
                     ? divisor
                     : m.make<graph::BroadcastOp>(type.clone(f32), divisor,
                                                  ArrayRef<int64_t>());
    applier.trained.push_back(
        {apply.getNumArguments() - 2, t.name, parameter, m.div(added, over)});
  }
  (void)module;
  return applier.appendUpdate(meanLoss);
}

namespace {

struct BuildStep : tarn::impl::TarnBuildStepBase<BuildStep> {
  using Base::Base;
  void runOnOperation() override {
    SmallVector<func::FuncOp> schedules;
    for (auto function :
         llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
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
