//===- AttentionBackward.cpp - flash attention, backward ------------------===//
//
// Dao et al., "FlashAttention-2" (arXiv 2307.08691), in three forms, by which
// results a kernel is for:
//   - all of them: one key head after the other, key blocks in order, scores as
//     keys by queries, so that only dq needs the transposition of a computed
//     tile; dq is added up in memory, in the order of the key blocks;
//   - dk and dv: a block of keys against blocks of queries, of all heads that
//     share the keys, in the same form;
//   - dq: a block of queries against blocks of keys.
// The last two compute the scores twice, but have many blocks, and write each
// result once.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/AttentionBuilder.h"
#include "passes/Tile/AttentionShape.h"

using namespace mlir;
using namespace tarn;

namespace {

class AttentionBackward : public TileProgram {
public:
  AttentionBackward(graph::AttentionBackwardOp op, const TileSizes &sizes)
      : op(op) {
    ArrayRef<int64_t> q = graph::tensorType(op.getQ()).getShape();
    ArrayRef<int64_t> k = graph::tensorType(op.getK()).getShape();
    batch = q[0], heads = q[1], queries = q[2], depth = q[3];
    keyHeads = k[1], keys = k[2];
    group = heads / keyHeads;
    columns = graph::tensorType(op.getV()).getShape()[3];
    bool wantsKeys = !op.getDk().use_empty() || !op.getDv().use_empty();
    form = op.getDq().use_empty() ? AttentionPass::keyGradients
           : wantsKeys            ? AttentionPass::backward
                                  : AttentionPass::queryGradients;
    block = sizes.attention(attentionShapeOf(op, form));
  }
  Grid grid() override {
    Grid grid;
    grid.add(batch, 1);
    grid.add(form == AttentionPass::queryGradients ? heads : keyHeads, 1);
    if (form == AttentionPass::keyGradients)
      grid.add(keys, block.keys);
    if (form == AttentionPass::queryGradients)
      grid.add(queries, block.queries);
    return grid;
  }
  tile::Access access(unsigned output) override;
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    AttentionBuilder a(deriver, op, op.getCaptures());
    if (form == AttentionPass::keyGradients)
      return buildKeyBlock(a, positions[0], positions[1], positions[2]);
    if (form == AttentionPass::queryGradients)
      return buildQueryBlock(a, positions[0], positions[1], positions[2]);
    return buildInOrder(a, positions[0], positions[1]);
  }

private:
  /// What a tile of scores is made of.
  struct Operands {
    Value q, k, v, grad, lse, sums;
  };
  /// A tile of probabilities, and the gradient of the product, as factors.
  struct Scores {
    Value p, ds;
  };

  LogicalResult buildInOrder(AttentionBuilder &a, Value at, Value keyHead);
  LogicalResult buildKeyBlock(AttentionBuilder &a, Value at, Value keyHead,
                              Value key);
  LogicalResult buildQueryBlock(AttentionBuilder &a, Value at, Value head,
                                Value row);
  LogicalResult addQueries(AttentionBuilder &a, Value at, Value keyHead,
                           Value key, Operands operands,
                           SmallVectorImpl<Value> &sums);
  LogicalResult addQueryBlock(AttentionBuilder &a, Value at, Value head,
                              Value key, Value row, Operands operands,
                              SmallVectorImpl<Value> &sums);
  LogicalResult loadQueries(AttentionBuilder &a, Value at, Value head,
                            Value row, Operands &operands);
  FailureOr<Scores> buildScores(
      AttentionBuilder &a, const Operands &operands,
      const AttentionBuilder::Place &place,
      llvm::function_ref<void(Value)> takeP = [](Value) {});
  LogicalResult storeRows(AttentionBuilder &a, Value result, Value tile,
                          Value at, Value head, Value row);
  LogicalResult addToMemory(AttentionBuilder &a, Value dq, Value at, Value head,
                            Value row);

  graph::AttentionBackwardOp op;
  int64_t batch, heads, queries, depth, keyHeads, keys, group, columns;
  AttentionPass form;
  AttentionBlock block;
};

} // namespace

tile::Access AttentionBackward::access(unsigned output) {
  if (form != AttentionPass::backward)
    return tile::Access::Write;
  auto yield = cast<graph::YieldOp>(op->getBlock()->getTerminator());
  // What dq is added to may hold dk and dv as well.
  OpBuilder b(op);
  bool holdsDq = false;
  (void)forEachStore(b, op.getDq(),
                     TileSlice::whole(b, op.getDq().getType().getShape()),
                     [&](Value value, const TileSlice &) {
                       holdsDq |= value == yield.getOperand(output);
                       return success();
                     });
  return holdsDq ? tile::Access::Accumulate : tile::Access::Write;
}

/// All key blocks of a head.
LogicalResult AttentionBackward::buildInOrder(AttentionBuilder &a, Value at,
                                              Value keyHead) {
  if (!op.getDq().getType().getElementType().isF32())
    return op.emitOpError("accumulates its gradients in f32 only");
  OpBuilder &b = a.b;
  auto keyLoop = scf::ForOp::create(b, a.loc, a.index(0), a.index(keys),
                                    a.index(block.keys));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(keyLoop.getBody());
  a.deriver.enterLoop();
  LogicalResult result =
      buildKeyBlock(a, at, keyHead, keyLoop.getInductionVar());
  a.deriver.leaveLoop();
  return result;
}

/// Rows [row, row + rows of the tile) of one head of a result, rounded to its
/// type.
LogicalResult AttentionBackward::storeRows(AttentionBuilder &a, Value result,
                                           Value tile, Value at, Value head,
                                           Value row) {
  auto type = cast<RankedTensorType>(tile.getType());
  TileSlice slice;
  slice.offsets = {at, head, row, a.b.getIndexAttr(0)};
  slice.sizes = {1, 1, type.getDimSize(0), type.getDimSize(1)};
  slice.order = {2, 3};
  if (result.use_empty())
    return success();
  return storeThrough(
      a.deriver, result,
      a.narrow(tile, graph::tensorType(result).getElementType()), slice);
}

/// One block of keys against all queries.
LogicalResult AttentionBackward::buildKeyBlock(AttentionBuilder &a, Value at,
                                               Value keyHead, Value key) {
  OpBuilder &b = a.b;
  FailureOr<Value> k = a.head(op.getK(), at, keyHead, key, block.keys);
  FailureOr<Value> v = a.head(op.getV(), at, keyHead, key, block.keys);
  if (failed(k) || failed(v))
    return failure();
  SmallVector<Value> sums = {a.number(a.f32({block.keys, depth}), 0),
                             a.number(a.f32({block.keys, columns}), 0)};
  Operands operands;
  operands.k = *k;
  operands.v = *v;
  if (failed(addQueries(a, at, keyHead, key, operands, sums)))
    return failure();
  // After the last loop.
  if (form == AttentionPass::backward)
    b.setInsertionPoint(key.getParentBlock()->getTerminator());
  return success(
      succeeded(storeRows(a, op.getDk(), sums[0], at, keyHead, key)) &&
      succeeded(storeRows(a, op.getDv(), sums[1], at, keyHead, key)));
}

/// Adds what all queries of the heads that share a block of keys give to `sums`
/// (dk, dv).
LogicalResult AttentionBackward::addQueries(AttentionBuilder &a, Value at,
                                            Value keyHead, Value key,
                                            Operands operands,
                                            SmallVectorImpl<Value> &sums) {
  OpBuilder &b = a.b;
  Location loc = a.loc;
  auto times = [&](Value x, int64_t y) -> Value {
    return y == 1 ? x : arith::MulIOp::create(b, loc, x, a.index(y));
  };
  // The first block of queries that sees any of the keys.
  Value first = a.index(0);
  if (graph::AttentionOp::isCausalMask(op.getMask()))
    first = arith::DivUIOp::create(b, loc, key, a.index(block.queries));
  auto loopOver =
      [&](Value from, int64_t to, int64_t step,
          llvm::function_ref<std::pair<Value, Value>(Value)> headAndRow)
      -> LogicalResult {
    auto loop = scf::ForOp::create(b, loc, from, a.index(to), a.index(step),
                                   ValueRange(sums));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    a.deriver.enterLoop();
    SmallVector<Value> next(loop.getRegionIterArgs());
    auto [head, row] = headAndRow(loop.getInductionVar());
    LogicalResult built = addQueryBlock(a, at, head, key, row, operands, next);
    a.deriver.leaveLoop();
    if (failed(built))
      return failure();
    scf::YieldOp::create(b, loc, next);
    sums.assign(loop.getResults().begin(), loop.getResults().end());
    return success();
  };
  if (group == 1 || form == AttentionPass::backward) {
    // One head after the other.
    for (int64_t member = 0; member != group; ++member) {
      Value head = times(keyHead, group);
      if (group != 1)
        head = arith::AddIOp::create(b, loc, head, a.index(member));
      if (failed(loopOver(times(first, block.queries), queries, block.queries,
                          [&](Value row) { return std::pair(head, row); })))
        return failure();
    }
    return success();
  }
  // One loop: a block of queries of all heads, then the next one.
  return loopOver(
      times(first, group), llvm::divideCeil(queries, block.queries) * group, 1,
      [&](Value turn) {
        Value member = arith::RemUIOp::create(b, loc, turn, a.index(group));
        Value number = arith::DivUIOp::create(b, loc, turn, a.index(group));
        Value head =
            arith::AddIOp::create(b, loc, times(keyHead, group), member);
        return std::pair(head, times(number, block.queries));
      });
}

/// What a block of queries brings to a tile of scores.
LogicalResult AttentionBackward::loadQueries(AttentionBuilder &a, Value at,
                                             Value head, Value row,
                                             Operands &operands) {
  FailureOr<Value> q = a.head(op.getQ(), at, head, row, block.queries);
  FailureOr<Value> g = a.head(op.getGrad(), at, head, row, block.queries);
  FailureOr<Value> o =
      op.hasSums() ? a.headVector(op.getOut(), at, head, row, block.queries)
                   : a.head(op.getOut(), at, head, row, block.queries);
  FailureOr<Value> lse =
      a.headVector(op.getLse(), at, head, row, block.queries);
  if (failed(q) || failed(g) || failed(o) || failed(lse))
    return failure();
  operands.q = *q;
  operands.grad = *g;
  operands.lse = *lse;
  operands.sums = op.hasSums() ? *o
                               : a.reduce(a.mul(a.widen(*o), a.widen(*g)),
                                          tile::ReduceKind::Sum, 1);
  return success();
}

/// Probabilities and the gradient of the product, of one block of keys by one
/// of queries. `takeP` gets the first as soon as they are there.
FailureOr<AttentionBackward::Scores>
AttentionBackward::buildScores(AttentionBuilder &a, const Operands &operands,
                               const AttentionBuilder::Place &place,
                               llvm::function_ref<void(Value)> takeP) {
  auto multiply = [&](Value ofQueries, Value ofKeys) {
    Value zero = a.number(place.type, 0);
    return place.queryAxis == 0 ? a.dot(ofQueries, ofKeys, zero, false, true)
                                : a.dot(ofKeys, ofQueries, zero, false, true);
  };
  auto perQuery = [&](Value vector) {
    int64_t axis = 1 - place.queryAxis;
    return a.spread(vector, axis, place.type.getDimSize(axis));
  };
  Value scale = a.number(place.type, op.getScale());
  Value product = multiply(operands.q, operands.k);
  Value dp = multiply(operands.grad, operands.v);
  product = a.mul(product, scale);
  FailureOr<AttentionBuilder::Scores> scores =
      a.score(op.getScore(), op.getMask(), product, place, keys, block.keys);
  if (failed(scores))
    return failure();
  Value p = a.exp(a.sub(scores->values, perQuery(operands.lse)));
  if (scores->keep)
    p = a.select(scores->keep, p, a.number(place.type, 0));
  Type element = graph::tensorType(op.getQ()).getElementType();
  Value factor = a.narrow(p, element);
  takeP(factor);
  Value ds = a.mul(p, a.sub(dp, perQuery(operands.sums)));
  if (!op.getScoreGradient().empty()) {
    FailureOr<Value> changed =
        a.apply(op.getScoreGradient(), ValueRange{ds, product}, place);
    if (failed(changed))
      return failure();
    ds = *changed;
  }
  return Scores{factor, a.narrow(a.mul(ds, scale), element)};
}

/// One block of keys by one block of queries; scores lie keys by queries.
LogicalResult AttentionBackward::addQueryBlock(AttentionBuilder &a, Value at,
                                               Value head, Value key, Value row,
                                               Operands operands,
                                               SmallVectorImpl<Value> &sums) {
  if (failed(loadQueries(a, at, head, row, operands)))
    return failure();
  AttentionBuilder::Place place{
      at, head, row, key, a.f32({block.keys, block.queries}), 1};
  auto addToV = [&](Value p) {
    sums[1] = a.dot(p, operands.grad, sums[1], false, false);
  };
  // Of dk and dv alone, the product is on its way while ds is computed; all in
  // one kernel, both go over a tile together.
  bool early = form != AttentionPass::backward;
  FailureOr<Scores> scores = buildScores(a, operands, place, [&](Value p) {
    if (early)
      addToV(p);
  });
  if (failed(scores))
    return failure();
  if (!early)
    addToV(scores->p);
  sums[0] = a.dot(scores->ds, operands.q, sums[0], false, false);
  if (form != AttentionPass::backward)
    return success();
  Value zero = a.number(a.f32({block.queries, depth}), 0);
  return addToMemory(a, a.dot(scores->ds, operands.k, zero, true, false), at,
                     head, row);
}

/// Adds to dq in the outputs that hold it.
LogicalResult AttentionBackward::addToMemory(AttentionBuilder &a, Value dq,
                                             Value at, Value head, Value row) {
  TileSlice slice;
  slice.offsets = {at, head, row, a.b.getIndexAttr(0)};
  slice.sizes = {1, 1, block.queries, depth};
  slice.order = {2, 3};
  auto cluster = cast<graph::ClusterOp>(op->getParentOp());
  auto yield = cast<graph::YieldOp>(op->getBlock()->getTerminator());
  return forEachStore(
      a.b, op.getDq(), slice, [&](Value output, const TileSlice &place) {
        for (auto [i, operand] : llvm::enumerate(yield.getOperands()))
          if (operand == output)
            tile::AccumulateOp::create(
                a.b, a.loc, dq,
                a.deriver.getKernel().getBuffer(cluster.getInputs().size() + i),
                place.offsets, ValueRange(), Value(), place.order);
        return success();
      });
}

/// One block of queries against the keys that it sees.
LogicalResult AttentionBackward::buildQueryBlock(AttentionBuilder &a, Value at,
                                                 Value head, Value row) {
  OpBuilder &b = a.b;
  Operands operands;
  if (failed(loadQueries(a, at, head, row, operands)))
    return failure();
  Value keyHead = head;
  if (group != 1)
    keyHead = arith::DivUIOp::create(b, a.loc, head, a.index(group));
  Value end = a.index(keys);
  if (graph::AttentionOp::isCausalMask(op.getMask()))
    end = arith::MinSIOp::create(
        b, a.loc, arith::AddIOp::create(b, a.loc, row, a.index(block.queries)),
        end);
  Value zero = a.number(a.f32({block.queries, depth}), 0);
  auto loop = scf::ForOp::create(b, a.loc, a.index(0), end, a.index(block.keys),
                                 ValueRange{zero});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    a.deriver.enterLoop();
    Value key = loop.getInductionVar();
    FailureOr<Value> k = a.head(op.getK(), at, keyHead, key, block.keys);
    FailureOr<Value> v = a.head(op.getV(), at, keyHead, key, block.keys);
    if (failed(k) || failed(v))
      return failure();
    operands.k = *k;
    operands.v = *v;
    AttentionBuilder::Place place{
        at, head, row, key, a.f32({block.queries, block.keys}), 0};
    FailureOr<Scores> scores = buildScores(a, operands, place);
    if (failed(scores))
      return failure();
    Value next =
        a.dot(scores->ds, operands.k, loop.getRegionIterArg(0), false, false);
    a.deriver.leaveLoop();
    scf::YieldOp::create(b, a.loc, next);
  }
  return storeRows(a, op.getDq(), loop.getResult(0), at, head, row);
}

std::unique_ptr<TileProgram>
tarn::createAttentionBackward(graph::AttentionBackwardOp op,
                              const TileSizes &sizes) {
  return std::make_unique<AttentionBackward>(op, sizes);
}
