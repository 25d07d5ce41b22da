//===- AttentionProgram.cpp - flash attention, forward and backward -------===//
//
// Dao et al., "FlashAttention" (arXiv 2205.14135) and "FlashAttention-2"
// (arXiv 2307.08691). Forward: one block of queries against blocks of keys with
// a running maximum and sum. Backward: one key head after the other, key blocks
// in order, in the transposed form (scores as keys by queries), so that only
// dQ needs the transposition of a computed tile; dQ is added up in the order of
// the key blocks.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"
#include "passes/Tile/TileSizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tarn;

/// Below every score that a model makes; finite, so that a row without keys
/// gives zeros and not NaN.
static constexpr double floorScore = -1e30;

namespace {

/// Arithmetic on tiles, and what forward and backward share.
class AttentionBuilder {
public:
  AttentionBuilder(TileDeriver &deriver, Operation *op, ValueRange captures)
      : deriver(deriver), b(deriver.b), loc(op->getLoc()), op(op),
        captures(captures) {}

  Value number(RankedTensorType type, double value) {
    if (isa<IntegerType>(type.getElementType()))
      return arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(type, int32_t(value)));
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, float(value)));
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  RankedTensorType f32(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, b.getF32Type());
  }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value exp(Value x) { return math::ExpOp::create(b, loc, x); }
  Value select(Value c, Value x, Value y) {
    return arith::SelectOp::create(b, loc, c, x, y);
  }
  Value dot(Value x, Value y, Value acc, bool tx, bool ty) {
    return tile::DotOp::create(b, loc, x, y, acc, tx, ty);
  }
  Value reduce(Value x, tile::ReduceKind kind, int64_t axis) {
    return tile::ReduceOp::create(b, loc, x, kind, axis);
  }
  /// A vector repeated along a new `axis` of `extent`.
  Value spread(Value vector, int64_t axis, int64_t extent) {
    auto type = cast<RankedTensorType>(vector.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.insert(shape.begin() + axis, extent);
    return tile::BroadcastOp::create(b, loc, type.clone(shape), vector, axis);
  }
  /// A computed tile as the operand of a second product.
  Value narrow(Value x, Type element) {
    auto type = cast<RankedTensorType>(x.getType());
    if (type.getElementType() == element)
      return x;
    return arith::TruncFOp::create(b, loc, type.clone(element), x);
  }
  Value widen(Value x) {
    auto type = cast<RankedTensorType>(x.getType());
    if (type.getElementType().isF32())
      return x;
    return arith::ExtFOp::create(b, loc, type.clone(b.getF32Type()), x);
  }
  /// Rows [at, at + rows) of one head of a rank-4 value, all columns.
  FailureOr<Value> head(Value value, Value batch, Value headIndex, Value at,
                        int64_t rows) {
    TileSlice slice;
    slice.offsets = {batch, headIndex, at, b.getIndexAttr(0)};
    slice.sizes = {1, 1, rows, graph::tensorType(value).getDimSize(3)};
    slice.order = {2, 3};
    return deriver.tile(value, slice);
  }
  /// Rows [at, at + rows) of one head of a rank-3 value.
  FailureOr<Value> headVector(Value value, Value batch, Value headIndex,
                              Value at, int64_t rows) {
    TileSlice slice;
    slice.offsets = {batch, headIndex, at};
    slice.sizes = {1, 1, rows};
    slice.order = {2};
    return deriver.tile(value, slice);
  }

  /// Where a tile of scores lies: its positions, and which axis the queries run
  /// along.
  struct Place {
    Value batch, head, query, key;
    RankedTensorType type;
    int64_t queryAxis;
    /// A tile of the same shape.
    RankedTensorType of(Type element) const {
      return RankedTensorType::get(type.getShape(), element);
    }
  };

  /// Evaluates a region on a tile; `first` are its leading tile arguments.
  FailureOr<Value> apply(Region &region, ValueRange first, const Place &place);
  FailureOr<Value> readElement(graph::ElementOp element, Value capture,
                               Block &block,
                               const llvm::DenseMap<Value, Value> &uniform,
                               const Place &place, unsigned queryArgument);
  /// The keys that count, as a tile of i1; null = all.
  FailureOr<Value> mask(Region &region, const Place &place, int64_t keys,
                        int64_t keyBlock);

  TileDeriver &deriver;
  OpBuilder &b;
  Location loc;
  Operation *op;
  ValueRange captures;
};

/// The region's ops see a whole tile as if it were one number.
class RegionContext : public graph::TileBodyContext {
public:
  explicit RegionContext(ArrayRef<int64_t> shape) : shape(shape) {}
  ArrayRef<int64_t> getTileShape() override { return shape; }
  Value indexTile(OpBuilder &, Location, unsigned) override { return Value(); }
  Value splatElement(OpBuilder &, Location, unsigned,
                     ArrayRef<int64_t>) override {
    return Value();
  }

private:
  ArrayRef<int64_t> shape;
};

} // namespace

FailureOr<Value> AttentionBuilder::apply(Region &region, ValueRange first,
                                         const Place &place) {
  Block &block = region.front();
  auto numbers = place.of(b.getI32Type());
  auto uniform = [&](Value at) -> Value {
    return tile::SplatOp::create(
        b, loc, numbers,
        arith::IndexCastOp::create(b, loc, b.getI32Type(), at));
  };
  llvm::DenseMap<Value, Value> tiles;
  llvm::DenseMap<Value, Value> positions; // block-uniform ones
  unsigned next = 0;
  for (Value tile : first)
    tiles[block.getArgument(next++)] = tile;
  positions[block.getArgument(next)] = place.batch;
  tiles[block.getArgument(next++)] = uniform(place.batch);
  positions[block.getArgument(next)] = place.head;
  tiles[block.getArgument(next++)] = uniform(place.head);
  tiles[block.getArgument(next++)] =
      tile::IotaOp::create(b, loc, numbers, place.query, place.queryAxis);
  tiles[block.getArgument(next++)] =
      tile::IotaOp::create(b, loc, numbers, place.key, 1 - place.queryAxis);
  llvm::DenseMap<Value, Value> capturedBy;
  for (Value capture : captures) {
    Value argument = block.getArgument(next++);
    capturedBy[argument] = capture;
    auto type = graph::tensorType(capture);
    if (type.getRank() != 0)
      continue;
    FailureOr<Value> scalar = deriver.scalar(capture, {});
    if (failed(scalar))
      return failure();
    tiles[argument] =
        tile::SplatOp::create(b, loc, place.of(type.getElementType()), *scalar);
  }
  RegionContext context(place.type.getShape());
  for (Operation &inner : block.without_terminator()) {
    if (auto element = dyn_cast<graph::ElementOp>(inner)) {
      FailureOr<Value> read = readElement(
          element, capturedBy.lookup(element.getX()), block, positions, place,
          /*queryArgument=*/first.size() + 2);
      if (failed(read))
        return failure();
      tiles[element.getResult()] = *read;
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(tiles.lookup(operand));
    FailureOr<SmallVector<Value>> results =
        cast<graph::IndexedOp>(inner).buildTileBody(b, loc, context, operands);
    if (failed(results))
      return inner.emitOpError("has no tile body"), failure();
    for (auto [result, tile] : llvm::zip(inner.getResults(), *results))
      tiles[result] = tile;
  }
  return tiles.lookup(block.getTerminator()->getOperand(0));
}

/// What a region reads of a captured tensor, as a tile of scores: positions are
/// uniform in the tile, or those of the query or the key.
FailureOr<Value>
AttentionBuilder::readElement(graph::ElementOp element, Value capture,
                              Block &block,
                              const llvm::DenseMap<Value, Value> &uniform,
                              const Place &place, unsigned queryArgument) {
  TileSlice slice;
  int64_t dimOf[2] = {-1, -1}; // of the query, of the key
  for (auto [d, position] : llvm::enumerate(element.getPositions())) {
    Value known = uniform.lookup(position);
    int64_t axis = 0;
    if (!known) {
      auto argument = dyn_cast<BlockArgument>(position);
      unsigned number = argument ? argument.getArgNumber() : 0;
      if (!argument || number < queryArgument || number > queryArgument + 1 ||
          dimOf[number - queryArgument] >= 0)
        return element.emitOpError("reads at a position computed from the "
                                   "query's or the key's, which is not "
                                   "supported yet"),
               failure();
      bool isKey = number == queryArgument + 1;
      known = isKey ? place.key : place.query;
      axis = isKey ? 1 - place.queryAxis : place.queryAxis;
      dimOf[isKey] = d;
    }
    bool spans = position == block.getArgument(queryArgument) ||
                 position == block.getArgument(queryArgument + 1);
    slice.offsets.push_back(known);
    slice.sizes.push_back(spans ? place.type.getDimSize(axis) : 1);
  }
  if (dimOf[0] < 0 && dimOf[1] < 0) {
    FailureOr<Value> scalar = deriver.scalar(capture, slice.offsets);
    if (failed(scalar))
      return failure();
    return Value(tile::SplatOp::create(
        b, loc,
        place.of(graph::tensorType(element.getResult()).getElementType()),
        *scalar));
  }
  for (int64_t axis : {0, 1}) {
    int64_t dim = dimOf[axis == place.queryAxis ? 0 : 1];
    if (dim >= 0)
      slice.order.push_back(dim);
  }
  FailureOr<Value> tile = deriver.tile(capture, slice);
  if (failed(tile) || slice.order.size() == 2)
    return tile;
  int64_t newAxis = dimOf[0] < 0 ? place.queryAxis : 1 - place.queryAxis;
  return spread(*tile, newAxis, place.type.getDimSize(newAxis));
}

FailureOr<Value> AttentionBuilder::mask(Region &region, const Place &place,
                                        int64_t keys, int64_t keyBlock) {
  Value keep;
  if (!region.empty()) {
    FailureOr<Value> mask = apply(region, {}, place);
    if (failed(mask))
      return failure();
    keep = *mask;
  }
  if (keys % keyBlock != 0) {
    auto numbers = place.of(b.getI32Type());
    Value key =
        tile::IotaOp::create(b, loc, numbers, place.key, 1 - place.queryAxis);
    Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, key,
                                         number(numbers, double(keys)));
    keep =
        keep ? arith::AndIOp::create(b, loc, keep, inside).getResult() : inside;
  }
  return keep;
}

/// Whether the mask is `key <= query`: then blocks above the diagonal are never
/// visited.
static bool isCausal(Region &mask) {
  if (mask.empty())
    return false;
  Block &block = mask.front();
  auto compare =
      block.getTerminator()->getOperand(0).getDefiningOp<graph::CompareOp>();
  if (!compare)
    return false;
  Value query = block.getArgument(2), key = block.getArgument(3);
  return (compare.getPredicate() == graph::Predicate::le &&
          compare.getLhs() == key && compare.getRhs() == query) ||
         (compare.getPredicate() == graph::Predicate::ge &&
          compare.getLhs() == query && compare.getRhs() == key);
}

/// Of a forward or a backward pass whose heads have `columns` columns.
template <typename Op>
static AttentionBlock chooseBlock(const TileSizes &sizes, Op op,
                                  int64_t columns) {
  auto q = graph::tensorType(op.getQ()), k = graph::tensorType(op.getK());
  AttentionShape shape;
  shape.queries = q.getDimSize(2);
  shape.keys = k.getDimSize(2);
  shape.columns = std::max(columns, q.getDimSize(3));
  shape.elementBytes = llvm::divideCeil(q.getElementTypeBitWidth(), 8);
  shape.isCausal = isCausal(op.getMask());
  shape.isBackward = std::is_same_v<Op, graph::AttentionBackwardOp>;
  return sizes.attention(shape);
}

namespace {

class AttentionForward : public TileProgram {
public:
  AttentionForward(graph::AttentionOp op, const TileSizes &sizes) : op(op) {
    ArrayRef<int64_t> q = graph::tensorType(op.getQ()).getShape();
    ArrayRef<int64_t> k = graph::tensorType(op.getK()).getShape();
    batch = q[0], heads = q[1], queries = q[2];
    group = heads / k[1], keys = k[2];
    columns = graph::tensorType(op.getV()).getShape()[3];
    block = chooseBlock(sizes, op, columns);
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
    if (isCausal(op.getMask()))
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
      Value s = a.mul(a.dot(*q, *k, zero, false, true),
                      a.number(scores, op.getScale()));
      if (!op.getScore().empty()) {
        FailureOr<Value> changed = a.apply(op.getScore(), s, place);
        if (failed(changed))
          return failure();
        s = *changed;
      }
      FailureOr<Value> keep = a.mask(op.getMask(), place, keys, block.keys);
      if (failed(keep))
        return failure();
      if (*keep)
        s = a.select(
            *keep, s,
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
    block = chooseBlock(sizes, op, columns);
  }
  Grid grid() override {
    Grid grid;
    grid.add(batch, 1);
    grid.add(keyHeads, 1);
    return grid;
  }
  tile::Access access(unsigned output) override {
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
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    if (!op.getDq().getType().getElementType().isF32())
      return op.emitOpError("accumulates its gradients in f32 only");
    AttentionBuilder a(deriver, op, op.getCaptures());
    OpBuilder &b = deriver.b;
    Value at = positions[0], keyHead = positions[1];
    auto keyLoop = scf::ForOp::create(b, a.loc, a.index(0), a.index(keys),
                                      a.index(block.keys));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(keyLoop.getBody());
    deriver.enterLoop();
    LogicalResult result =
        buildKeyBlock(a, at, keyHead, keyLoop.getInductionVar());
    deriver.leaveLoop();
    return result;
  }

private:
  LogicalResult buildKeyBlock(AttentionBuilder &a, Value at, Value keyHead,
                              Value key) {
    OpBuilder &b = a.b;
    FailureOr<Value> k = a.head(op.getK(), at, keyHead, key, block.keys);
    FailureOr<Value> v = a.head(op.getV(), at, keyHead, key, block.keys);
    if (failed(k) || failed(v))
      return failure();
    Value gk = a.number(a.f32({block.keys, depth}), 0);
    Value gv = a.number(a.f32({block.keys, columns}), 0);
    // The query heads that share this key head, one after the other.
    for (int64_t member = 0; member != group; ++member) {
      Value head = keyHead;
      if (group != 1)
        head = arith::AddIOp::create(
            b, a.loc, arith::MulIOp::create(b, a.loc, keyHead, a.index(group)),
            a.index(member));
      Value begin = a.index(0);
      if (isCausal(op.getMask())) {
        // Queries before this block of keys see none of it.
        begin = arith::DivUIOp::create(b, a.loc, key, a.index(block.queries));
        begin = arith::MulIOp::create(b, a.loc, begin, a.index(block.queries));
      }
      auto loop =
          scf::ForOp::create(b, a.loc, begin, a.index(queries),
                             a.index(block.queries), ValueRange{gk, gv});
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      a.deriver.enterLoop();
      SmallVector<Value> next;
      LogicalResult built =
          buildTile(a, at, keyHead, head, key, loop.getInductionVar(), *k, *v,
                    loop.getRegionIterArg(0), loop.getRegionIterArg(1), next);
      a.deriver.leaveLoop();
      if (failed(built))
        return failure();
      scf::YieldOp::create(b, a.loc, next);
      gk = loop.getResult(0);
      gv = loop.getResult(1);
    }
    // After the last loop, which the guard above left.
    b.setInsertionPoint(key.getParentBlock()->getTerminator());
    TileSlice slice;
    slice.offsets = {at, keyHead, key, b.getIndexAttr(0)};
    slice.sizes = {1, 1, block.keys, depth};
    slice.order = {2, 3};
    if (failed(storeThrough(a.deriver, op.getDk(), gk, slice)))
      return failure();
    slice.sizes[3] = columns;
    return storeThrough(a.deriver, op.getDv(), gv, slice);
  }

  /// One block of keys by one block of queries; scores lie keys by queries.
  LogicalResult buildTile(AttentionBuilder &a, Value at, Value keyHead,
                          Value head, Value key, Value row, Value k, Value v,
                          Value gk, Value gv, SmallVectorImpl<Value> &next) {
    OpBuilder &b = a.b;
    auto scores = a.f32({block.keys, block.queries});
    FailureOr<Value> q = a.head(op.getQ(), at, head, row, block.queries);
    FailureOr<Value> g = a.head(op.getGrad(), at, head, row, block.queries);
    FailureOr<Value> o = a.head(op.getOut(), at, head, row, block.queries);
    FailureOr<Value> lse =
        a.headVector(op.getLse(), at, head, row, block.queries);
    if (failed(q) || failed(g) || failed(o) || failed(lse))
      return failure();
    AttentionBuilder::Place place{at, head, row, key, scores, 1};
    Value scale = a.number(scores, op.getScale());
    Value product =
        a.mul(a.dot(k, *q, a.number(scores, 0), false, true), scale);
    Value s = product;
    if (!op.getScore().empty()) {
      FailureOr<Value> changed = a.apply(op.getScore(), s, place);
      if (failed(changed))
        return failure();
      s = *changed;
    }
    FailureOr<Value> keep = a.mask(op.getMask(), place, keys, block.keys);
    if (failed(keep))
      return failure();
    Value p = a.exp(a.sub(s, a.spread(*lse, 0, block.keys)));
    if (*keep)
      p = a.select(*keep, p, a.number(scores, 0));
    Value dp = a.dot(v, *g, a.number(scores, 0), false, true);
    Value delta =
        a.reduce(a.mul(a.widen(*o), a.widen(*g)), tile::ReduceKind::Sum, 1);
    Value ds = a.mul(p, a.sub(dp, a.spread(delta, 0, block.keys)));
    if (!op.getScoreGradient().empty()) {
      FailureOr<Value> changed =
          a.apply(op.getScoreGradient(), ValueRange{ds, product}, place);
      if (failed(changed))
        return failure();
      ds = *changed;
    }
    // Factors of the products that follow.
    Type element = graph::tensorType(op.getQ()).getElementType();
    ds = a.narrow(a.mul(ds, scale), element);
    Value nextV = a.dot(a.narrow(p, element), *g, gv, false, false);
    Value nextK = a.dot(ds, *q, gk, false, false);
    Value zero = a.number(a.f32({block.queries, depth}), 0);
    Value dq = a.dot(ds, k, zero, true, false);
    next.assign({nextK, nextV});
    // dQ, where the cluster wants it.
    TileSlice slice;
    slice.offsets = {at, head, row, b.getIndexAttr(0)};
    slice.sizes = {1, 1, block.queries, depth};
    slice.order = {2, 3};
    auto cluster = cast<graph::ClusterOp>(op->getParentOp());
    auto yield = cast<graph::YieldOp>(op->getBlock()->getTerminator());
    return forEachStore(
        b, op.getDq(), slice, [&](Value output, const TileSlice &place) {
          for (auto [i, operand] : llvm::enumerate(yield.getOperands()))
            if (operand == output)
              tile::AccumulateOp::create(b, a.loc, dq,
                                         a.deriver.getKernel().getBuffer(
                                             cluster.getInputs().size() + i),
                                         place.offsets, ValueRange(), Value(),
                                         place.order);
          return success();
        });
  }

  graph::AttentionBackwardOp op;
  int64_t batch, heads, queries, depth, keyHeads, keys, group, columns;
  AttentionBlock block;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createAttention(graph::AttentionOp op,
                                                   const TileSizes &sizes) {
  return std::make_unique<AttentionForward>(op, sizes);
}

std::unique_ptr<TileProgram>
tarn::createAttentionBackward(graph::AttentionBackwardOp op,
                              const TileSizes &sizes) {
  return std::make_unique<AttentionBackward>(op, sizes);
}
