//===- Differentiate.cpp - reverse mode over a block ----------------------===//

#include "dialects/Tarn/Differentiate.h"

#include "dialects/Tarn/TarnOps.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace tarn;

/// Whether gradients may flow into values of this type.
static bool isContinuous(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// The values of `block` that depend on a target through floats: only they
/// need a gradient.
static DenseSet<Value> findDependent(Block &block, ValueRange targets) {
  DenseSet<Value> dependent(targets.begin(), targets.end());
  for (Operation &op : block)
    if (llvm::any_of(op.getOperands(),
                     [&](Value v) { return dependent.contains(v); }))
      for (Value result : op.getResults())
        if (isContinuous(result))
          dependent.insert(result);
  return dependent;
}

LogicalResult tarn::differentiate(OpBuilder &builder, Value root,
                                  ValueRange targets,
                                  SmallVectorImpl<Value> &gradients) {
  Block &block = *builder.getInsertionBlock();
  DenseSet<Value> dependent = findDependent(block, targets);
  // Collected first: the gradients that are built go into the same block.
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);

  DenseMap<Value, Value> sums;
  sums[root] = graph::splat(builder, root.getLoc(), root.getType(), 1.0);
  for (Operation *op : llvm::reverse(ops)) {
    SmallVector<Value> results;
    bool reached = false;
    for (Value result : op->getResults()) {
      results.push_back(sums.lookup(result));
      reached |= results.back() && dependent.contains(result);
    }
    if (!reached)
      continue;
    auto differentiable = dyn_cast<graph::Differentiable>(op);
    if (!differentiable)
      return op->emitOpError("has no gradient");
    SmallVector<Value> operands;
    if (failed(differentiable.buildGradient(builder, results, operands)))
      return failure();
    for (auto [operand, gradient] :
         llvm::zip_equal(op->getOperands(), operands)) {
      if (!gradient || !dependent.contains(operand))
        continue;
      Value &sum = sums[operand];
      sum = sum ? graph::AddOp::create(builder, op->getLoc(), sum, gradient)
                      .getResult()
                : gradient;
    }
  }
  for (Value target : targets) {
    Value gradient = sums.lookup(target);
    gradients.push_back(gradient ? gradient
                                 : graph::splat(builder, target.getLoc(),
                                                target.getType(), 0.0));
  }
  return success();
}
