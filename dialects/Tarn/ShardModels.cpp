//===- ShardModels.cpp - splits of ops that have no indexing maps ---------===//

#include "dialects/Tarn/ShardLoops.h"

#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

#include "dialects/Tarn/ShardLoops.cpp.inc"

namespace {

/// Rows are searched apart from each other.
struct TopKLoops : ShardLoops::ExternalModel<TopKLoops, TopKOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *op) const {
    SmallVector<ShardLoop> loops;
    unsigned rows = tensorType(op->getOperand(0)).getRank() - 1;
    for (unsigned d = 0; d != rows; ++d)
      loops.push_back({ShardLoop::parallel, {{0, d}, {1, d}, {2, d}}});
    return loops;
  }
};

/// Every rank may sort its own rows: what is sorted are rows of groups.
struct GroupRowsLoops : ShardLoops::ExternalModel<GroupRowsLoops, GroupRowsOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *) const {
    return {{ShardLoop::parallel, {{0, 0}, {2, 0}}},
            {ShardLoop::groupedRows, {{1, 0}}}};
  }
};

/// x [N, K], w [G, K, M], offsets; the result [N, M].
struct GroupedDotLoops
    : ShardLoops::ExternalModel<GroupedDotLoops, GroupedDotOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *op) const {
    bool transposed = cast<GroupedDotOp>(op).getTransposeW();
    unsigned k = transposed ? 2 : 1, m = transposed ? 1 : 2;
    return {{ShardLoop::groupedRows, {{0, 0}, {3, 0}}},
            {ShardLoop::sum, {{0, 1}, {1, k}}},
            {ShardLoop::parallel, {{1, m}, {3, 1}}},
            {ShardLoop::group, {{1, 0}}}};
  }
};

/// x [N, K], y [N, M], offsets; the result [G, K, M].
struct GroupedOuterLoops
    : ShardLoops::ExternalModel<GroupedOuterLoops, GroupedOuterOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *) const {
    return {{ShardLoop::sum, {{0, 0}, {1, 0}}},
            {ShardLoop::parallel, {{0, 1}, {3, 1}}},
            {ShardLoop::parallel, {{1, 1}, {3, 2}}},
            {ShardLoop::group, {{3, 0}}}};
  }
};

} // namespace

void tarn::graph::attachShardLoops(MLIRContext &context) {
  TopKOp::attachInterface<TopKLoops>(context);
  GroupRowsOp::attachInterface<GroupRowsLoops>(context);
  GroupedDotOp::attachInterface<GroupedDotLoops>(context);
  GroupedOuterOp::attachInterface<GroupedOuterLoops>(context);
}
