//===- Accumulate.cpp - a step of several micro-batches -------------------===//
//
// The function becomes the one of a micro-batch, which adds to accumulators; a
// second one divides what they hold by what was counted, and applies it.
//
//===----------------------------------------------------------------------===//

#include "passes/Train/StepBuilder.h"

#include "dialects/Tarn/Differentiate.h"
#include "dialects/Tarn/TarnOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include <numeric>

using namespace mlir;
using namespace tarn;
using graph::GradientMath;

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
    if (argumentRole(function, i) != "input" ||
        function.getArgAttr(i, "tarn.whole"))
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

/// Each micro-batch draws its part of the marked draws, from one key: it begins
/// at as many elements as the parts before it have.
void StepBuilder::numberParts() {
  SmallVector<graph::RandomOp> draws;
  function.walk([&](graph::RandomOp op) {
    if (op->hasAttr("tarn.part"))
      draws.push_back(op);
  });
  if (draws.empty())
    return;
  auto type = RankedTensorType::get({}, builder.getI32Type());
  accumulate(function, math, "accumulator.part",
             graph::splat(builder, function.getLoc(), type, 1));
  Value part = function.getArgument(function.getNumArguments() - 1);
  for (graph::RandomOp op : draws) {
    OpBuilder before(op);
    GradientMath m(before, op);
    auto words = cast<RankedTensorType>(op.getKey().getType());
    // Counters are numbers modulo 2^32.
    int64_t elements = graph::tensorType(op->getResult(0)).getNumElements();
    Value each = m.make<graph::ConstantOp>(DenseElementsAttr::get(
        words, ArrayRef<int32_t>{int32_t(uint32_t(elements)), 0}));
    Value both = m.make<graph::BroadcastOp>(words, part, ArrayRef<int64_t>());
    op.getStartMutable().assign(m.mul(both, each));
    op->removeAttr("tarn.part");
  }
}

/// Turns the results loss and metrics into accumulators of their sums, and of
/// their counts where they are ratios of both.
SmallVector<Total> StepBuilder::addTotals() {
  func::ReturnOp ret = returnOf(function);
  Type f32 = builder.getF32Type();
  SmallVector<Total> totals;
  for (int i = function.getNumResults() - 1; i >= 0; --i) {
    StringRef role = resultRole(function, i);
    if (role != "loss" && role != "metric")
      continue;
    Total total{role.str(), resultName(function, i).str()};
    total.isSum = bool(function.getResultAttr(i, "tarn.adds"));
    Value value = ret.getOperand(i), count;
    if (auto ratio = value.getDefiningOp<graph::RatioOp>();
        ratio && !total.isSum) {
      value = ratio.getSum();
      count = ratio.getCount();
    } else if (role == "loss" && !total.isSum) {
      count = math.like(value, 1); // counts once per micro-batch
    }
    total.isRatio = bool(count);
    ret.getOperandsMutable().erase(i);
    (void)function.eraseResult(i);
    accumulate(function, math, total.accumulator(), math.cast(value, f32));
    if (count)
      accumulate(function, math, total.count(), math.cast(count, f32));
    totals.push_back(std::move(total));
  }
  std::reverse(totals.begin(), totals.end());
  return totals;
}

/// Gives this function the random keys of another one.
void StepBuilder::copyRandomKeys(func::FuncOp from) {
  for (unsigned i = 0, e = from.getNumArguments(); i != e; ++i)
    if (argumentRole(from, i) == "rng" &&
        !findResult(from, "rng", argumentName(from, i)))
      addArgument(function, "rng", argumentName(from, i),
                  from.getArgumentTypes()[i]);
}

/// Makes the function one of a micro-batch, and a second one of its name that
/// gets what `count` of them have accumulated.
func::FuncOp StepBuilder::splitOff(int64_t count, StringRef microKind) {
  std::string name = function.getName().str();
  OpBuilder outer(function->getContext());
  outer.setInsertionPointAfter(function);
  auto apply = func::FuncOp::create(outer, function.getLoc(), name,
                                    outer.getFunctionType({}, {}));
  outer.setInsertionPointToStart(apply.addEntryBlock());
  func::ReturnOp::create(outer, function.getLoc());
  function->removeAttr("tarn.train");
  for (NamedAttribute attribute : function->getDiscardableAttrs())
    apply->setAttr(attribute.getName(), attribute.getValue());
  SymbolTable::setSymbolName(function, name + "_micro");
  function->setAttr("tarn.kind", builder.getStringAttr(microKind));
  apply->setAttr("tarn.micro", FlatSymbolRefAttr::get(function));
  apply->setAttr("tarn.accumulate", builder.getI64IntegerAttr(count));
  return apply;
}

/// An accumulator, which is ready for the next step afterwards, whether or not
/// this one is applied.
Value StepBuilder::take(StringRef name, RankedTensorType type) {
  Value value = addArgument(function, "accumulator", name, type);
  addResult(function, "accumulator", name, math.like(value, 0));
  return value;
}

/// Returns loss and metrics over `count` micro-batches; notes the loss, and
/// what divides it (null: nothing does).
void StepBuilder::takeTotals(ArrayRef<Total> totals, int64_t count) {
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  for (const Total &total : totals) {
    Value value = take(total.accumulator(), scalar);
    if (total.isRatio) {
      Value counted = take(total.count(), scalar);
      Value over = math.make<graph::MaxOp>(counted, math.like(counted, 1));
      if (total.role == "loss")
        divisor = over;
      value = math.div(value, over);
    } else if (!total.isSum) {
      value = math.scale(value, 1.0 / double(count));
    }
    if (total.role == "loss")
      loss = value;
    addResult(function, total.role, total.name, value);
  }
}

LogicalResult StepBuilder::buildMeans(int64_t count) {
  if (failed(verifyMicroBatches(function)))
    return failure();
  StepBuilder applier(splitOff(count, "micro_eval"), options);
  applier.takeTotals(addTotals(), count);
  return success();
}

LogicalResult StepBuilder::buildAccumulating(int64_t count) {
  if (failed(findLoss()) || failed(verifyMicroBatches(function)))
    return failure();
  collectTrained();
  Type f32 = builder.getF32Type();
  bool ofParts = options.contains("parts");
  StepBuilder applier(splitOff(count, "micro"), options);
  func::FuncOp apply = applier.function;

  // A loss that is a ratio is a sum over a count, both added up.
  Value sum = loss;
  if (auto ratio = loss.getDefiningOp<graph::RatioOp>();
      ratio && !function.getResultAttr(lossResult, "tarn.adds"))
    sum = ratio.getSum();
  SmallVector<Value> targets, gradients;
  for (Trained &t : trained)
    targets.push_back(t.value);
  if (failed(differentiate(builder, sum, targets, gradients)))
    return failure();
  SmallVector<Total> totals = addTotals();
  for (auto [t, gradient] : llvm::zip(trained, gradients))
    accumulate(function, math, t.name + ".grad", math.widen(gradient));
  if (ofParts)
    numberParts();
  else
    advanceRandomKeys();

  // The applying side.
  if (findArgument(function, "accumulator", "accumulator.part"))
    (void)applier.take("accumulator.part",
                       RankedTensorType::get({}, builder.getI32Type()));
  applier.takeTotals(totals, count);
  for (const Trained &t : trained) {
    auto type = graph::tensorType(t.value);
    Value parameter = addArgument(apply, "parameter", t.name, type);
    Value gradient = applier.take(t.name + ".grad", type.clone(f32));
    applier.trained.push_back(
        {apply.getNumArguments() - 2, t.name, parameter, gradient});
  }
  if (ofParts)
    applier.copyRandomKeys(function);
  if (failed(applier.appendUpdate(applier.loss)))
    return failure();
  if (ofParts)
    applier.advanceRandomKeys();
  return success();
}
