//===- Variance.cpp - which grid dims and loops a value depends on --------===//

#include "dialects/Tile/Analysis.h"

using namespace mlir;
using namespace tarn::tile;

bool Variance::merge(const Variance &other) {
  bool changed = other.memory && !memory;
  memory |= other.memory;
  if (other.gridDims.size() > gridDims.size())
    gridDims.resize(other.gridDims.size());
  for (unsigned dim : other.gridDims.set_bits()) {
    changed |= !gridDims.test(dim);
    gridDims.set(dim);
  }
  for (Operation *loop : other.loops)
    changed |= loops.insert(loop);
  return changed;
}

VarianceAnalysis::VarianceAnalysis(KernelOp kernel)
    : gridRank(kernel.getGridRank()) {
  none.gridDims.resize(gridRank);
  for (unsigned dim = 0; dim < gridRank; ++dim) {
    Variance own = none;
    own.gridDims.set(dim);
    merge(kernel.getGridPosition(dim), own);
  }
  // Values carried by loops need another round.
  bool changed = true;
  while (changed) {
    changed = false;
    kernel.getBody().walk<WalkOrder::PreOrder>(
        [&](Operation *op) { changed |= visit(op); });
  }
}

bool VarianceAnalysis::merge(Value value, const Variance &variance) {
  auto [it, inserted] = variances.try_emplace(value, none);
  return it->second.merge(variance);
}

const Variance &VarianceAnalysis::of(Value value) const {
  auto it = variances.find(value);
  return it == variances.end() ? none : it->second;
}

Variance VarianceAnalysis::of(ValueRange values) const {
  Variance result = none;
  for (Value value : values)
    result.merge(of(value));
  return result;
}

bool VarianceAnalysis::visit(Operation *op) {
  bool changed = false;
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    Variance bounds =
        of({loop.getLowerBound(), loop.getUpperBound(), loop.getStep()});
    Variance inside = bounds;
    inside.loops.insert(loop);
    changed |= merge(loop.getInductionVar(), inside);
    for (auto [init, carried, yielded, result] :
         llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(),
                   loop.getYieldedValues(), loop.getResults())) {
      Variance value = bounds;
      value.merge(of(init));
      value.merge(of(yielded));
      Variance after = value;
      after.loops.remove(loop);
      changed |= merge(result, after);
      value.loops.insert(loop);
      changed |= merge(carried, value);
    }
    return changed;
  }
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    for (unsigned i = 0; i < branch.getNumResults(); ++i) {
      Variance value = of(branch.getCondition());
      for (Region &region : branch->getRegions())
        value.merge(of(region.front().getTerminator()->getOperand(i)));
      changed |= merge(branch.getResult(i), value);
    }
    return changed;
  }
  Variance value = of(op->getOperands());
  value.memory |= isa<LoadOp, GatherOp, LoadScalarOp>(op);
  for (Value result : op->getResults())
    changed |= merge(result, value);
  return changed;
}
