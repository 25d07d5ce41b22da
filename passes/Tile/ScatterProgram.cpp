//===- ScatterProgram.cpp - writes at run-time positions ------------------===//

#include "passes/Tile/Programs.h"
#include "passes/Tile/TileSizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tarn;

namespace {

/// Rows added into a table of zeros. A block owns some columns and all rows:
/// it adds the updates one after the other, so that the order of the sum of
/// equal indices is theirs, and no two blocks meet.
class ScatterAdd : public TileProgram {
public:
  explicit ScatterAdd(graph::ScatterAddOp op) : op(op) {
    indices = llvm::to_vector(graph::tensorType(op.getIndices()).getShape());
    updates = llvm::to_vector(graph::tensorType(op.getUpdates()).getShape());
    last = updates.back();
    hasRest = updates.size() > indices.size();
    columns = hasRest ? std::min<int64_t>(last, 32) : 1;
    chunk = indices.empty() ? 1 : chooseChunk(indices.back(), 128);
  }
  Grid grid() override {
    Grid grid;
    for (size_t d = indices.size(); d + 1 < updates.size(); ++d)
      grid.add(updates[d], 1);
    if (hasRest)
      grid.add(last, columns);
    else
      grid.add(1, 1);
    return grid;
  }
  tile::Access access(unsigned) override { return tile::Access::Accumulate; }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    SmallVector<Value> at;
    return nest(deriver, positions, at);
  }

private:
  /// Loops over the dims of the indices, the innermost in chunks.
  LogicalResult nest(TileDeriver &deriver, ValueRange positions,
                     SmallVectorImpl<Value> &at) {
    OpBuilder &b = deriver.b;
    Location loc = op.getLoc();
    if (at.size() == indices.size())
      return add(deriver, positions, at);
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    bool inner = at.size() + 1 == indices.size();
    auto loop = scf::ForOp::create(b, loc, index(0), index(indices[at.size()]),
                                   index(inner ? chunk : 1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    deriver.enterLoop();
    at.push_back(loop.getInductionVar());
    LogicalResult result = nest(deriver, positions, at);
    deriver.leaveLoop();
    return result;
  }

  LogicalResult add(TileDeriver &deriver, ValueRange positions,
                    ArrayRef<Value> at) {
    OpBuilder &b = deriver.b;
    if (indices.empty())
      return op.emitOpError("by a single index is not supported yet");
    TileSlice rows, values;
    rows.offsets.assign(at.begin(), at.end());
    rows.sizes.assign(at.size(), 1);
    rows.sizes.back() = chunk;
    rows.order = {int64_t(at.size()) - 1};
    values = rows;
    SmallVector<OpFoldResult> into{b.getIndexAttr(0)};
    SmallVector<int64_t> dims{0};
    if (hasRest)
      for (auto [i, position] : llvm::enumerate(positions)) {
        values.offsets.push_back(position);
        values.sizes.push_back(1);
        into.push_back(position);
      }
    if (hasRest) {
      values.sizes.back() = columns;
      values.order.push_back(values.sizes.size() - 1);
      dims.push_back(into.size() - 1);
    }
    FailureOr<Value> index = deriver.tile(op.getIndices(), rows);
    FailureOr<Value> update = deriver.tile(op.getUpdates(), values);
    if (failed(index) || failed(update))
      return failure();
    auto cluster = cast<graph::ClusterOp>(op->getParentOp());
    auto kernel =
        b.getInsertionBlock()->getParentOp()->getParentOfType<tile::KernelOp>();
    tile::AccumulateOp::create(b, op.getLoc(), *update,
                               kernel.getBuffer(cluster.getInputs().size()),
                               into, ValueRange(), *index, dims);
    return success();
  }

  graph::ScatterAddOp op;
  SmallVector<int64_t> indices, updates;
  int64_t last, columns, chunk;
  bool hasRest;
};

/// A box replaced at a run-time position: elementwise over the whole.
class Update : public TileProgram {
public:
  Update(graph::UpdateSliceOp op, const TileSizes &sizes) : op(op) {
    shape = llvm::to_vector(graph::tensorType(op.getResult()).getShape());
    block = sizes.block(shape, SmallVector<bool>(shape.size(), false));
  }
  Grid grid() override {
    Grid grid;
    for (auto [extent, tile] : llvm::zip(shape, block))
      grid.add(extent, tile);
    if (shape.empty())
      grid.add(1, 1);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    TileSlice slice;
    for (size_t d = 0; d != shape.size(); ++d) {
      slice.offsets.push_back(positions[d]);
      slice.sizes.push_back(block[d]);
      if (block[d] > 1)
        slice.order.push_back(d);
    }
    FailureOr<Value> tile = deriver.tile(op.getResult(), slice);
    if (failed(tile))
      return failure();
    return deriver.store(op.getResult(), *tile, slice);
  }

private:
  graph::UpdateSliceOp op;
  SmallVector<int64_t> shape, block;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createScatterAdd(graph::ScatterAddOp op) {
  return std::make_unique<ScatterAdd>(op);
}

std::unique_ptr<TileProgram> tarn::createUpdate(graph::UpdateSliceOp op,
                                                const TileSizes &sizes) {
  return std::make_unique<Update>(op, sizes);
}
