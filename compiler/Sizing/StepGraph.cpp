//===- StepGraph.cpp - a training step as sizing sees it ------------------===//

#include "compiler/Sizing/StepGraph.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace tarn;

static StringRef kindOf(func::FuncOp function) {
  auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
  return kind ? kind.getValue() : StringRef();
}

/// The block of an op that runs once on the op's operands, as a kernel's does;
/// or null.
static Block *bodyOf(Operation *op) {
  if (op->getNumRegions() != 1 || !op->getRegion(0).hasOneBlock() ||
      op->getRegion(0).getNumArguments() != op->getNumOperands())
    return nullptr;
  Block &block = op->getRegion(0).front();
  return block.getTerminator()->getNumOperands() == op->getNumResults()
             ? &block
             : nullptr;
}

/// All ops that `roots` are computed from. Kernels are looked into: of one that
/// makes several values, only what the wanted one needs.
static DenseSet<Operation *> slice(ArrayRef<Value> roots,
                                   const DenseSet<Operation *> *without) {
  DenseSet<Operation *> found;
  DenseSet<Value> seen;
  SmallVector<Value> open(roots);
  while (!open.empty()) {
    Value value = open.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (!op) {
      // An argument of a kernel is its operand.
      auto argument = cast<BlockArgument>(value);
      Operation *parent = argument.getOwner()->getParentOp();
      if (bodyOf(parent))
        open.push_back(parent->getOperand(argument.getArgNumber()));
      continue;
    }
    if (without && without->contains(op))
      continue;
    found.insert(op);
    if (Block *body = bodyOf(op))
      open.push_back(body->getTerminator()->getOperand(
          cast<OpResult>(value).getResultNumber()));
    else
      llvm::append_range(open, op->getOperands());
  }
  return found;
}

bool StepGraph::isWeight(Value value) const {
  Origins from = originsOf(value);
  return from.parameter && !from.input && !from.random && !from.other;
}

Location StepGraph::placeOf(Value argument) const {
  // Users stand in no order.
  Operation *first = nullptr;
  for (Operation *user : argument.getUsers())
    if (isForward(user) && (!first || user->isBeforeInBlock(first)))
      first = user;
  return first ? first->getLoc() : argument.getLoc();
}

void StepGraph::findOrigins(func::FuncOp function) {
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i) {
    Origins from;
    StringRef role = argumentRole(function, i);
    from.parameter = role == "parameter" || role == "state";
    from.input = role == "input";
    from.random = role == "rng";
    from.other = !from.parameter && !from.input && !from.random;
    origins[function.getArgument(i)] = from;
  }
  findOrigins(function.getBody().front());
}

void StepGraph::findOrigins(Block &block) {
  for (Operation &op : block) {
    Origins from;
    for (Value operand : op.getOperands()) {
      Origins of = origins.lookup(operand);
      from.parameter |= of.parameter;
      from.input |= of.input;
      from.random |= of.random;
      from.other |= of.other;
    }
    for (Value result : op.getResults())
      origins[result] = from;
    Block *body = bodyOf(&op);
    if (!body)
      continue;
    for (auto [argument, operand] :
         llvm::zip(body->getArguments(), op.getOperands()))
      origins[argument] = origins.lookup(operand);
    findOrigins(*body);
    for (auto [result, value] :
         llvm::zip(op.getResults(), body->getTerminator()->getOperands()))
      origins[result] = origins.lookup(value);
  }
}

/// Forward: what the loss waits for. Backward: what the next state waits for
/// beyond that.
void StepGraph::findPasses() {
  SmallVector<Value> losses, states;
  // A step that accumulates has the terms of its loss, and of metrics, among
  // the sums.
  std::string loss;
  for (unsigned i = 0, e = apply.getNumResults(); i != e; ++i)
    if (resultRole(apply, i) == "loss")
      loss = ("accumulator." + resultName(apply, i)).str();
  func::ReturnOp ret = returnOf(work);
  for (unsigned i = 0, e = work.getNumResults(); i != e; ++i) {
    StringRef role = resultRole(work, i), name = resultName(work, i);
    if (role == "loss" || (role == "accumulator" && name == loss))
      losses.push_back(ret.getOperand(i));
    else if (isStateRole(role) &&
             !(role == "accumulator" && name.starts_with("accumulator.")))
      states.push_back(ret.getOperand(i));
  }
  inForward = slice(losses, nullptr);
  // A kernel that makes part of the loss beside gradients runs with the
  // gradients.
  DenseSet<Operation *> late;
  for (Operation &op : work.getBody().front()) {
    bool waits = llvm::any_of(op.getOperands(), [&](Value operand) {
      Operation *maker = operand.getDefiningOp();
      Origins from = originsOf(operand);
      return maker && (late.contains(maker) || (!inForward.contains(maker) &&
                                                from.parameter && from.input));
    });
    if (waits && inForward.contains(&op)) {
      late.insert(&op);
      inForward.erase(&op);
      op.walk([&](Operation *inner) { inForward.erase(inner); });
    }
  }
  inBackward = slice(states, &inForward);
  for (Operation &op : work.getBody().front())
    if (isForward(&op))
      forward.push_back(&op);
}

/// The states of a parameter meet its next value, and no other one's.
void StepGraph::findStates() {
  func::ReturnOp ret = returnOf(apply);
  DenseMap<Value, SizedParameter *> byNext;
  for (SizedParameter &parameter : parameters)
    if (auto result = findResult(apply, "parameter", parameter.name))
      byNext.try_emplace(ret.getOperand(*result), &parameter);
  for (unsigned i = 0, e = apply.getNumArguments(); i != e; ++i) {
    if (!isStateRole(argumentRole(apply, i)) ||
        argumentRole(apply, i) == "parameter" ||
        argumentRole(apply, i) == "accumulator")
      continue;
    Value state = apply.getArgument(i);
    SizedParameter *owner = nullptr;
    if (argumentRole(apply, i) == "optimizer" &&
        graph::tensorType(state).getRank() > 0) {
      SmallVector<Value> open = {state};
      DenseSet<Value> seen;
      while (!open.empty() && !owner) {
        Value value = open.pop_back_val();
        if (!seen.insert(value).second)
          continue;
        if (auto found = byNext.find(value); found != byNext.end())
          owner = found->second;
        for (Operation *user : value.getUsers())
          llvm::append_range(open, user->getResults());
      }
    }
    if (owner)
      owner->states.push_back(state);
    else
      otherState.push_back(state);
  }
}

FailureOr<StepGraph> StepGraph::read(ModuleOp module) {
  StepGraph step;
  for (auto function : module.getOps<func::FuncOp>())
    if (kindOf(function) == "train" && !step.apply && !function.isExternal())
      step.apply = function;
  if (!step.apply)
    return module.emitError("the model has no train function");
  step.work = step.apply;
  if (auto micro = step.apply->getAttrOfType<FlatSymbolRefAttr>("tarn.micro"))
    step.work =
        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(step.apply, micro);
  if (!step.work || step.work.isExternal())
    return step.apply.emitError("the step has no function of micro-batches");
  if (auto count = step.apply->getAttrOfType<IntegerAttr>("tarn.accumulate"))
    step.accumulate = count.getInt();
  step.findOrigins(step.work);
  if (step.work != step.apply)
    step.findOrigins(step.apply);
  for (unsigned i = 0, e = step.work.getNumArguments(); i != e; ++i) {
    Value argument = step.work.getArgument(i);
    StringRef role = argumentRole(step.work, i);
    if (role == "input")
      step.inputs.push_back(argument);
    if (role != "parameter")
      continue;
    SizedParameter parameter;
    parameter.name = argumentName(step.work, i).str();
    parameter.value = parameter.stored = argument;
    parameter.trained = isTrainable(step.work, i);
    if (auto other = findArgument(step.apply, "parameter", parameter.name))
      parameter.stored = step.apply.getArgument(*other);
    step.parameters.push_back(std::move(parameter));
  }
  step.findPasses();
  if (step.forward.empty())
    return step.work.emitError("the training step has no loss");
  step.findStates();
  return step;
}
