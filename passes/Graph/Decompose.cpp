//===- Decompose.cpp - composites as simpler graphs -----------------------===//
//
// Norms and losses are one op while passes reason about them; kernels are made
// of loop nests. This pass asks each composite for its graph. Attention keeps
// its form, because it brings its own tile program.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Passes.h"

#include "dialects/Tarn/TarnOps.h"

#include "mlir/IR/Builders.h"

namespace tarn::graph {
#define GEN_PASS_DEF_DECOMPOSE
#include "passes/Graph/Passes.h.inc"
} // namespace tarn::graph

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

namespace {
struct DecomposePass : public graph::impl::DecomposeBase<DecomposePass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<Composite> composites;
    getOperation()->walk([&](Composite op) {
      if (isWanted(op))
        composites.push_back(op);
    });
    for (Composite op : composites)
      if (failed(replace(op)))
        return signalPassFailure();
  }

  // Whether the options ask for this op's graph.
  bool isWanted(Composite op) {
    if (isa<AttentionOp, AttentionBackwardOp>(op.getOperation()) && attention)
      return true;
    if (llvm::is_contained(keep, op->getName().getStringRef()))
      return false;
    auto indexed = dyn_cast<IndexedOp>(op.getOperation());
    return elementwise || !indexed ||
           indexed.getTileKind() == TileKind::composite;
  }

  LogicalResult replace(Composite op) {
    OpBuilder builder(op);
    FailureOr<SmallVector<Value>> values = op.decompose(builder);
    if (failed(values))
      return failure();
    op->replaceAllUsesWith(*values);
    op->erase();
    return success();
  }
};
} // namespace
