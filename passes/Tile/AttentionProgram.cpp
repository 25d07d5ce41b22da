//===- AttentionProgram.cpp - flash attention, forward --------------------===//
//
// Dao et al., "FlashAttention" (arXiv 2205.14135) and "FlashAttention-2"
// (arXiv 2307.08691): one block of queries against blocks of keys with a
// running maximum and sum.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/AttentionBuilder.h"
#include "passes/Tile/AttentionShape.h"

using namespace mlir;
using namespace tarn;

/// Below every score that a model makes; finite, so that a row without keys
/// gives zeros and not NaN.
static constexpr double floorScore = -1e30;
namespace {

class AttentionForward : public TileProgram {
public:
  AttentionForward(graph::AttentionOp op, const TileSizes &sizes) : op(op) {
    ArrayRef<int64_t> q = graph::tensorType(op.getQ()).getShape();
    ArrayRef<int64_t> k = graph::tensorType(op.getK()).getShape();
    batch = q[0], heads = q[1], queries = q[2];
    group = heads / k[1], keys = k[2];
    columns = graph::tensorType(op.getV()).getShape()[3];
    block = sizes.attention(attentionShapeOf(op, AttentionPass::forward));
  }
  Grid grid() override {
    Grid grid;
    grid.add(batch, 1);
    grid.add(heads, 1);
    grid.add(queries, block.queries);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    AttentionBuilder a(deriver, op, op.getCaptures());
    OpBuilder &b = deriver.b;
    Value at = positions[0], head = positions[1], row = positions[2];
    Value keyHead = head;
    if (group != 1)
      keyHead = arith::DivUIOp::create(b, a.loc, head, a.index(group));
    auto vector = a.f32({block.queries});
    auto scores = a.f32({block.queries, block.keys});
    auto outType = a.f32({block.queries, columns});
    FailureOr<Value> q = a.head(op.getQ(), at, head, row, block.queries);
    if (failed(q))
      return failure();
    Value m0 = a.number(vector, floorScore), l0 = a.number(vector, 0);
    Value o0 = a.number(outType, 0);
    Value zero = a.number(scores, 0);
    Value end = a.index(keys);
    if (graph::AttentionOp::isCausalMask(op.getMask()))
      end = arith::MinSIOp::create(
          b, a.loc,
          arith::AddIOp::create(b, a.loc, row, a.index(block.queries)), end);
    auto loop = scf::ForOp::create(b, a.loc, a.index(0), end,
                                   a.index(block.keys), ValueRange{m0, l0, o0});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      Value key = loop.getInductionVar();
      Value m = loop.getRegionIterArg(0), l = loop.getRegionIterArg(1),
            o = loop.getRegionIterArg(2);
      AttentionBuilder::Place place{at, head, row, key, scores, 0};
      FailureOr<Value> k = a.head(op.getK(), at, keyHead, key, block.keys);
      FailureOr<Value> v = a.head(op.getV(), at, keyHead, key, block.keys);
      if (failed(k) || failed(v))
        return failure();
      Value products = a.mul(a.dot(*q, *k, zero, false, true),
                             a.number(scores, op.getScale()));
      FailureOr<AttentionBuilder::Scores> made = a.score(
          op.getScore(), op.getMask(), products, place, keys, block.keys);
      if (failed(made))
        return failure();
      Value s = made->values;
      if (made->keep)
        s = a.select(
            made->keep, s,
            a.number(scores, -std::numeric_limits<double>::infinity()));
      Value n = arith::MaximumFOp::create(
          b, a.loc, m, a.reduce(s, tile::ReduceKind::Max, 1));
      Value p = a.exp(a.sub(s, a.spread(n, 1, block.keys)));
      Value fade = a.exp(a.sub(m, n));
      Value sum = a.add(a.mul(l, fade), a.reduce(p, tile::ReduceKind::Sum, 1));
      Value faded = a.mul(o, a.spread(fade, 1, columns));
      Value element =
          a.narrow(p, graph::tensorType(op.getV()).getElementType());
      Value next = a.dot(element, *v, faded, false, false);
      deriver.leaveLoop();
      scf::YieldOp::create(b, a.loc, ValueRange{n, sum, next});
    }
    Value m = loop.getResult(0), l = loop.getResult(1), o = loop.getResult(2);
    // A query without keys: 0 / 1.
    Value none = arith::CmpFOp::create(b, a.loc, arith::CmpFPredicate::OEQ, l,
                                       a.number(vector, 0));
    Value divisor = a.select(none, a.number(vector, 1), l);
    Value out =
        arith::DivFOp::create(b, a.loc, o, a.spread(divisor, 1, columns));
    out = a.narrow(out, graph::tensorType(op.getOut()).getElementType());
    TileSlice slice;
    slice.offsets = {at, head, row, b.getIndexAttr(0)};
    slice.sizes = {1, 1, block.queries, columns};
    slice.order = {2, 3};
    if (failed(storeThrough(deriver, op.getOut(), out, slice)))
      return failure();
    if (op.getLse().use_empty())
      return success();
    Value lse = a.add(m, math::LogOp::create(b, a.loc, l));
    slice.offsets = {at, head, row};
    slice.sizes = {1, 1, block.queries};
    slice.order = {2};
    return storeThrough(deriver, op.getLse(), lse, slice);
  }

private:
  graph::AttentionOp op;
  int64_t batch, heads, queries, group, keys, columns;
  AttentionBlock block;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createAttention(graph::AttentionOp op,
                                                   const TileSizes &sizes) {
  return std::make_unique<AttentionForward>(op, sizes);
}
