//===- Recompute.cpp - compute values again instead of keeping them -------===//

#include "passes/Plan/Recompute.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/IRMapping.h"
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
      if (auto reshape = dyn_cast<graph::ReshapeOp>(user))
        return isRead(reshape.getResult());
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

void tarn::recompute(func::FuncOp function, const ForwardPass &forward,
                     llvm::function_ref<bool(Value)> isKept) {
  IRMapping again;
  // `value` for a kernel of the backward pass.
  std::function<Value(Value, OpBuilder &)> provide =
      [&](Value value, OpBuilder &b) -> Value {
    Operation *op = value.getDefiningOp();
    bool alias = op && isa<graph::ReshapeOp>(op) && forward.placeOf(op);
    if (!alias && (!forward.isRecomputable(value) || isKept(value)))
      return value;
    if (Value copy = again.lookupOrNull(value))
      return copy;
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(provide(operand, b));
    if (alias && llvm::equal(operands, op->getOperands()))
      return value;
    Operation *copy = b.clone(*op);
    copy->setOperands(operands);
    for (auto [from, to] : llvm::zip(op->getResults(), copy->getResults()))
      again.map(from, to);
    return again.lookup(value);
  };
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    if (forward.placeOf(&op) || op.hasTrait<OpTrait::IsTerminator>())
      continue;
    OpBuilder b(&op);
    for (OpOperand &operand : op.getOpOperands())
      operand.set(provide(operand.get(), b));
  }
}
