//===- OneOrder.cpp - values in memory once -------------------------------===//

#include "passes/Fuse/OneOrder.h"

#include "passes/Fuse/ClusterAnalysis.h"

using namespace mlir;
using namespace tarn;

/// Whether somebody sees only memory: a name for bytes, or who calls.
static bool liesInMemory(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isAlias(user) || user->hasTrait<OpTrait::IsTerminator>();
  });
}

/// The transposition of `value` that all its readers could see it through.
static graph::TransposeOp findOrder(Value value) {
  graph::TransposeOp found;
  for (Operation *user : value.getUsers()) {
    auto transpose = dyn_cast<graph::TransposeOp>(user);
    if (!transpose || !liesInMemory(transpose.getResult()))
      continue;
    int64_t last = graph::tensorType(value).getRank() - 1;
    if (found || transpose.getPermutation().back() != last)
      return {};
    found = transpose;
  }
  return found;
}

void tarn::keepOneOrder(func::FuncOp function) {
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    auto indexed = dyn_cast<graph::IndexedOp>(op);
    if (!indexed || indexed.getTileKind() != graph::TileKind::composite)
      continue;
    for (Value result : op.getResults()) {
      if (liesInMemory(result) || result.hasOneUse())
        continue;
      graph::TransposeOp order = findOrder(result);
      if (!order)
        continue;
      SmallVector<int64_t> back(order.getPermutation().size());
      for (auto [to, from] : llvm::enumerate(order.getPermutation()))
        back[from] = int64_t(to);
      // Behind its op: readers may stand ahead of the transposition.
      order->moveAfter(&op);
      OpBuilder b(order.getContext());
      b.setInsertionPointAfter(order);
      // A name for its bytes: kernels repeat what is above a view, up to here.
      auto bytes = graph::ReshapeOp::create(
          b, op.getLoc(), order.getResult(),
          graph::tensorType(order.getResult()).getShape());
      auto seen =
          graph::TransposeOp::create(b, op.getLoc(), bytes.getResult(), back);
      result.replaceAllUsesExcept(seen.getResult(), order);
    }
  }
}
