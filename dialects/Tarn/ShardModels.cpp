//===- ShardModels.cpp - splits that indexing maps do not tell ---------===//

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

/// Lines along other dims are added up apart from each other.
struct CumsumLoops : ShardLoops::ExternalModel<CumsumLoops, CumsumOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *op) const {
    SmallVector<ShardLoop> loops;
    for (unsigned d = 0; d != tensorType(op->getOperand(0)).getRank(); ++d)
      if (d != cast<CumsumOp>(op).getDim())
        loops.push_back({ShardLoop::parallel, {{0, d}, {1, d}}});
    return loops;
  }
};

/// Rows are sorted apart from each other.
struct SortLoops : ShardLoops::ExternalModel<SortLoops, SortOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *op) const {
    SmallVector<ShardLoop> loops;
    unsigned rows = tensorType(op->getOperand(0)).getRank() - 1;
    for (unsigned d = 0; d != rows; ++d)
      loops.push_back({ShardLoop::parallel, {{0, d}, {1, d}, {2, d}, {3, d}}});
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

/// x [rows, C], w [T, 1, C, F]; the result [rows, F]. Rows are split between
/// images only; the channels of several groups can't be.
struct ConvLoops : ShardLoops::ExternalModel<ConvLoops, ConvOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *op) const {
    SmallVector<ShardLoop> loops = {{ShardLoop::parallel, {{0, 0}, {2, 0}}}};
    if (tensorType(op->getOperand(1)).getDimSize(1) != 1)
      return loops;
    bool transposed = cast<ConvOp>(op).getTransposeW();
    unsigned c = transposed ? 3 : 2, f = transposed ? 2 : 3;
    loops.push_back({ShardLoop::sum, {{0, 1}, {1, c}}});
    loops.push_back({ShardLoop::parallel, {{1, f}, {2, 1}}});
    return loops;
  }
};

/// x [rows, C], y [rows, F]; the result [T, 1, C, F].
struct ConvWeightsLoops
    : ShardLoops::ExternalModel<ConvWeightsLoops, ConvWeightsOp> {
  SmallVector<ShardLoop> getShardLoops(Operation *op) const {
    SmallVector<ShardLoop> loops = {{ShardLoop::sum, {{0, 0}, {1, 0}}}};
    if (tensorType(op->getResult(0)).getDimSize(1) != 1)
      return loops;
    loops.push_back({ShardLoop::parallel, {{0, 1}, {2, 2}}});
    loops.push_back({ShardLoop::parallel, {{1, 1}, {2, 3}}});
    return loops;
  }
};

} // namespace

void tarn::graph::attachShardLoops(MLIRContext &context) {
  TopKOp::attachInterface<TopKLoops>(context);
  CumsumOp::attachInterface<CumsumLoops>(context);
  SortOp::attachInterface<SortLoops>(context);
  GroupRowsOp::attachInterface<GroupRowsLoops>(context);
  GroupedDotOp::attachInterface<GroupedDotLoops>(context);
  GroupedOuterOp::attachInterface<GroupedOuterLoops>(context);
  ConvOp::attachInterface<ConvLoops>(context);
  ConvWeightsOp::attachInterface<ConvWeightsLoops>(context);
}
