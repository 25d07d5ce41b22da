//===- ForwardPass.cpp - what a loss waits for ----------------------------===//

#include "passes/Plan/ForwardPass.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Layout/InPlace.h"
#include "passes/Train/Roles.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tarn;

/// What one value waits for: of a kernel with several results only the inputs
/// of this one, since a kernel may compute the loss beside other numbers.
static SmallVector<Value> sourcesOf(Value value) {
  Operation *op = value.getDefiningOp();
  auto cluster = dyn_cast_or_null<graph::ClusterOp>(op);
  if (!cluster)
    return op ? SmallVector<Value>(op->getOperands()) : SmallVector<Value>();
  Block &body = cluster.getBody().front();
  llvm::SetVector<Value> inside;
  inside.insert(body.getTerminator()->getOperand(
      cast<OpResult>(value).getResultNumber()));
  SmallVector<Value> sources;
  for (size_t i = 0; i != inside.size(); ++i) {
    if (auto argument = dyn_cast<BlockArgument>(inside[i]))
      sources.push_back(cluster.getInputs()[argument.getArgNumber()]);
    else
      for (Value operand : inside[i].getDefiningOp()->getOperands())
        inside.insert(operand);
  }
  return sources;
}

ForwardPass::ForwardPass(func::FuncOp function) : function(function) {
  llvm::SetVector<Value> values;
  llvm::SmallDenseSet<Operation *> needed;
  func::ReturnOp ret = returnOf(function);
  for (auto [i, operand] : llvm::enumerate(ret.getOperands()))
    if (resultRole(function, i) == "loss" ||
        resultName(function, i) == "accumulator.loss")
      values.insert(operand);
  for (size_t i = 0; i != values.size(); ++i) {
    if (Operation *op = values[i].getDefiningOp())
      needed.insert(op);
    for (Value source : sourcesOf(values[i]))
      values.insert(source);
  }
  for (Operation &op : function.getBody().front())
    if (needed.contains(&op)) {
      place[&op] = forward.size();
      forward.push_back(&op);
    }
}

bool ForwardPass::isRecomputable(Value value) const {
  Operation *op = value.getDefiningOp();
  if (!op || !place.contains(op) || isa<graph::ConstantOp>(op))
    return false;
  if (auto recomputable = dyn_cast<graph::Recomputable>(op))
    if (recomputable.getRecomputeClass() == graph::RecomputeClass::never)
      return false;
  return llvm::none_of(value.getUsers(), [](Operation *user) {
    return isa<func::ReturnOp>(user);
  });
}

SmallVector<Value> ForwardPass::saved() const {
  SmallVector<Value> values;
  std::function<bool(Value)> isRead = [&](Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      if (isa<graph::ReshapeOp>(user) || isInPlace(user))
        return isRead(user->getResult(0));
      return !place.contains(user);
    });
  };
  for (Operation *op : forward)
    if (isa<graph::ClusterOp>(op))
      for (Value result : op->getResults())
        if (isRecomputable(result) && isRead(result))
          values.push_back(result);
  return values;
}
