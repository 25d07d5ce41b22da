//===- Derivation.cpp - tiles of values, on demand ------------------------===//

#include "passes/Tile/Derivation.h"

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Tile/Programs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::TileKind;

TileSlice TileSlice::whole(OpBuilder &b, ArrayRef<int64_t> shape) {
  TileSlice slice;
  slice.offsets.assign(shape.size(), b.getIndexAttr(0));
  slice.sizes.assign(shape.begin(), shape.end());
  for (int64_t d = 0, e = shape.size(); d != e; ++d)
    slice.order.push_back(d);
  return slice;
}

RankedTensorType tarn::tileTypeOf(Value value, const TileSlice &slice) {
  SmallVector<int64_t> shape;
  for (int64_t dim : slice.order)
    shape.push_back(slice.sizes[dim]);
  return RankedTensorType::get(shape,
                               graph::tensorType(value).getElementType());
}

TileDeriver::TileDeriver(OpBuilder &b, graph::ClusterOp cluster,
                         tile::KernelOp kernel)
    : b(b), loc(cluster.getLoc()), cluster(cluster), kernel(kernel), memo(1) {}

//===----------------------------------------------------------------------===//
// Small pieces
//===----------------------------------------------------------------------===//

Value TileDeriver::asValue(OpFoldResult index) {
  if (auto value = dyn_cast<Value>(index))
    return value;
  return arith::ConstantIndexOp::create(b, loc, *getConstantIntValue(index));
}

OpFoldResult TileDeriver::add(OpFoldResult offset, int64_t constant) {
  return add(offset, OpFoldResult(b.getIndexAttr(constant)));
}

OpFoldResult TileDeriver::add(OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> a = getConstantIntValue(x), c = getConstantIntValue(y);
  if (a && c)
    return b.getIndexAttr(*a + *c);
  if (a == 0)
    return y;
  if (c == 0)
    return x;
  return arith::AddIOp::create(b, loc, asValue(x), asValue(y)).getResult();
}

TileDeriver::Key TileDeriver::keyOf(Value value, const TileSlice &slice) {
  std::vector<void *> offsets;
  for (OpFoldResult offset : slice.offsets)
    offsets.push_back(offset.getOpaqueValue());
  return {value.getAsOpaquePointer(), offsets,
          std::vector<int64_t>(slice.sizes.begin(), slice.sizes.end()),
          std::vector<int64_t>(slice.order.begin(), slice.order.end())};
}

void TileDeriver::remember(Value value, const TileSlice &slice, Value tile) {
  memo.back()[keyOf(value, slice)] = tile;
}

Value TileDeriver::bufferOf(Value input) {
  auto argument = dyn_cast<BlockArgument>(input);
  if (!argument || argument.getOwner() != &cluster.getBody().front())
    return Value();
  return kernel.getBuffer(argument.getArgNumber());
}

FailureOr<Value> TileDeriver::scalar(Value input, ArrayRef<OpFoldResult> at) {
  if (Value buffer = bufferOf(input))
    return Value(tile::LoadScalarOp::create(b, loc, buffer, at));
  // Free ops are seen through; anything else is a border (ClusterAnalysis).
  Operation *op = input.getDefiningOp();
  if (auto constant = dyn_cast_or_null<graph::ConstantOp>(op))
    if (auto value = dyn_cast<SplatElementsAttr>(constant.getValue()))
      return Value(arith::ConstantOp::create(
          b, loc, cast<TypedAttr>(value.getSplatValue<Attribute>())));
  if (auto iota = dyn_cast_or_null<graph::IotaOp>(op))
    if (auto type = dyn_cast<IntegerType>(
            graph::tensorType(iota.getResult()).getElementType()))
      return Value(
          arith::IndexCastOp::create(b, loc, type, asValue(at[iota.getDim()])));
  SmallVector<OpFoldResult> below;
  if (op && seeThrough(op, at, below))
    return scalar(op->getOperand(0), below);
  return cluster.emitError("a position that a kernel reads must be in memory "
                           "before it"),
         failure();
}

bool TileDeriver::seeThrough(Operation *op, ArrayRef<OpFoldResult> at,
                             SmallVectorImpl<OpFoldResult> &below,
                             SmallVectorImpl<int64_t> *dimOf) {
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed || indexed.getTileKind() != TileKind::view ||
      op->getNumOperands() != 1)
    return false;
  SmallVector<AffineMap> maps = mapsOf(indexed);
  if (maps.size() != 2 || !maps[1].isIdentity())
    return false;
  if (dimOf)
    dimOf->assign(at.size(), -1);
  for (auto [d, result] : llvm::enumerate(maps[0].getResults())) {
    AffineExpr expr = result;
    int64_t shift = 0;
    if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
      below.push_back(b.getIndexAttr(constant.getValue()));
      continue;
    }
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(expr))
      if (auto constant = dyn_cast<AffineConstantExpr>(sum.getRHS())) {
        shift = constant.getValue();
        expr = sum.getLHS();
      }
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return false;
    below.push_back(add(at[dim.getPosition()], shift));
    if (dimOf)
      (*dimOf)[dim.getPosition()] = d;
  }
  return true;
}

int64_t TileDeriver::contiguousDim(Value value) {
  int64_t last = graph::tensorType(value).getRank() - 1;
  Operation *op = value.getDefiningOp();
  if (!op)
    return last;
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed || indexed.getTileKind() != TileKind::view ||
      op->getNumOperands() != 1)
    return -1;
  int64_t below = contiguousDim(op->getOperand(0));
  if (below < 0)
    return -1;
  SmallVector<AffineMap> maps = mapsOf(indexed);
  AffineExpr expr = maps[0].getResult(below);
  // Offsets do not change along which dim memory runs.
  int64_t loop = -1;
  expr.walk([&](AffineExpr e) {
    if (auto dim = dyn_cast<AffineDimExpr>(e))
      loop = dim.getPosition();
  });
  for (auto [d, result] : llvm::enumerate(maps.back().getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      if (int64_t(dim.getPosition()) == loop)
        return d;
  return -1;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

FailureOr<Value> TileDeriver::tile(Value value, const TileSlice &slice) {
  Key key = keyOf(value, slice);
  for (auto &level : memo)
    if (auto found = level.find(key); found != level.end())
      return found->second;
  FailureOr<Value> built = build(value, slice);
  if (succeeded(built))
    memo.back()[key] = *built;
  return built;
}

FailureOr<Value> TileDeriver::build(Value value, const TileSlice &slice) {
  if (Value buffer = bufferOf(value))
    return Value(tile::LoadOp::create(b, loc, tileTypeOf(value, slice), buffer,
                                      slice.offsets, slice.order));
  Operation *op = value.getDefiningOp();
  auto indexed = dyn_cast_or_null<IndexedOp>(op);
  if (!indexed)
    return cluster.emitError("holds a value without loops"), failure();
  if (auto update = dyn_cast<graph::UpdateSliceOp>(op))
    return buildUpdate(update, slice);
  if (indexed.getTileKind() == TileKind::gather)
    return buildGather(indexed, slice);
  return buildIndexed(indexed, slice);
}

namespace {

/// What an op's body may ask.
class BodyContext : public graph::TileBodyContext {
public:
  BodyContext(TileDeriver &deriver, IndexedOp op, const TileSlice &loops)
      : deriver(deriver), op(op), loops(loops) {
    for (int64_t loop : loops.order)
      shape.push_back(loops.sizes[loop]);
  }
  ArrayRef<int64_t> getTileShape() override { return shape; }
  Value indexTile(OpBuilder &b, Location loc, unsigned loopDim) override {
    auto type = RankedTensorType::get(shape, b.getI32Type());
    for (auto [axis, loop] : llvm::enumerate(loops.order))
      if (loop == int64_t(loopDim))
        return tile::IotaOp::create(
            b, loc, type, deriver.asValue(loops.offsets[loopDim]), axis);
    Value number = arith::IndexCastOp::create(
        b, loc, b.getI32Type(), deriver.asValue(loops.offsets[loopDim]));
    return tile::SplatOp::create(b, loc, type, number);
  }
  Value splatElement(OpBuilder &b, Location loc, unsigned operand,
                     ArrayRef<int64_t> position) override {
    SmallVector<OpFoldResult> at;
    for (int64_t p : position)
      at.push_back(b.getIndexAttr(p));
    Value source = op->getOperand(operand);
    FailureOr<Value> number = deriver.scalar(source, at);
    if (failed(number))
      return Value();
    auto type = RankedTensorType::get(
        shape, graph::tensorType(source).getElementType());
    return tile::SplatOp::create(b, loc, type, *number);
  }

private:
  TileDeriver &deriver;
  IndexedOp op;
  const TileSlice &loops;
  SmallVector<int64_t> shape;
};

} // namespace

/// The tile of an operand over a box of the op's loops, repeated along loops
/// that its map does not have.
FailureOr<Value> TileDeriver::operandTile(IndexedOp op, unsigned operand,
                                          const TileSlice &loops) {
  AffineMap map = mapsOf(op)[operand];
  Value source = op->getOperand(operand);
  TileSlice slice;
  SmallVector<int64_t> dimOfLoop(loops.sizes.size(), -1);
  for (auto [d, result] : llvm::enumerate(map.getResults())) {
    AffineExpr expr = result;
    int64_t shift = 0;
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
        sum && sum.getKind() == AffineExprKind::Add) {
      if (auto constant = dyn_cast<AffineConstantExpr>(sum.getRHS())) {
        shift = constant.getValue();
        expr = sum.getLHS();
      }
    }
    if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
      slice.offsets.push_back(b.getIndexAttr(constant.getValue() + shift));
      slice.sizes.push_back(1);
      continue;
    }
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      return op->emitOpError("reads at places that no tile program has yet"),
             failure();
    dimOfLoop[loop.getPosition()] = d;
    slice.offsets.push_back(add(loops.offsets[loop.getPosition()], shift));
    slice.sizes.push_back(loops.sizes[loop.getPosition()]);
  }
  for (int64_t loop : loops.order)
    if (dimOfLoop[loop] >= 0)
      slice.order.push_back(dimOfLoop[loop]);
  FailureOr<Value> result = tile(source, slice);
  if (failed(result))
    return failure();
  Value value = *result;
  for (auto [axis, loop] : llvm::enumerate(loops.order)) {
    if (dimOfLoop[loop] >= 0)
      continue;
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.insert(shape.begin() + axis, loops.sizes[loop]);
    value = tile::BroadcastOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), value,
        axis);
  }
  return value;
}

FailureOr<Value> TileDeriver::buildIndexed(IndexedOp op,
                                           const TileSlice &slice) {
  Location outer = loc;
  loc = op->getLoc();
  SmallVector<int64_t> bounds = op.getLoopBounds();
  SmallVector<AffineMap> maps = mapsOf(op);
  if (maps.empty())
    return op->emitOpError("has no tile program"), failure();
  // The box of loops behind the slice of the result; reduced loops whole.
  TileSlice loops;
  loops.offsets.assign(bounds.size(), b.getIndexAttr(0));
  loops.sizes = bounds;
  SmallVector<int64_t> loopOfDim;
  for (auto [d, expr] : llvm::enumerate(maps.back().getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      return op->emitOpError("writes at places that no tile program has yet"),
             failure();
    loopOfDim.push_back(loop.getPosition());
    loops.offsets[loop.getPosition()] = slice.offsets[d];
    loops.sizes[loop.getPosition()] = slice.sizes[d];
  }
  for (int64_t dim : slice.order)
    loops.order.push_back(loopOfDim[dim]);
  // A reduced loop lies where an operand has it: the tile of the terms then is
  // the one that other results of the cluster need, and lanes run along memory.
  SmallVector<int64_t> reduced;
  auto placeOf = [&](int64_t loop) -> int64_t {
    for (unsigned i = 0; i != op->getNumOperands(); ++i)
      if (maps[i])
        for (auto [at, expr] : llvm::enumerate(maps[i].getResults()))
          if (expr == b.getAffineDimExpr(loop))
            return at;
    return bounds.size();
  };
  for (auto [loop, kind] : llvm::enumerate(op.getLoopKinds())) {
    if (kind != utils::IteratorType::reduction)
      continue;
    auto *after = llvm::find_if(loops.order, [&](int64_t other) {
      return placeOf(other) > placeOf(loop);
    });
    loops.order.insert(after, loop);
    reduced.push_back(loop);
  }
  if (loops.order.size() > 3)
    return op->emitOpError("needs a tile of more than three dims"), failure();

  SmallVector<Value> operands;
  for (unsigned i = 0; i != op->getNumOperands(); ++i) {
    if (!maps[i]) {
      operands.push_back(Value());
      continue;
    }
    FailureOr<Value> operand = operandTile(op, i, loops);
    if (failed(operand))
      return failure();
    operands.push_back(*operand);
  }
  Value result;
  if (op.getTileKind() == TileKind::view && operands.size() == 1) {
    result = operands[0]; // moved nothing
  } else {
    BodyContext context(*this, op, loops);
    FailureOr<SmallVector<Value>> body =
        op.buildTileBody(b, op->getLoc(), context, operands);
    if (failed(body))
      return op->emitOpError("has no tile body"), failure();
    result = (*body)[0];
  }
  std::optional<arith::AtomicRMWKind> combiner = op.getCombiner();
  SmallVector<int64_t> left(loops.order);
  for (int64_t loop : llvm::reverse(reduced)) {
    bool sum = combiner == arith::AtomicRMWKind::addf ||
               combiner == arith::AtomicRMWKind::addi;
    int64_t axis = llvm::find(left, loop) - left.begin();
    left.erase(left.begin() + axis);
    result = tile::ReduceOp::create(
        b, op->getLoc(), result,
        sum ? tile::ReduceKind::Sum : tile::ReduceKind::Max, axis);
  }
  // Terms are summed in f32; the value is what its type can hold.
  Type element = graph::tensorType(op->getResult(0)).getElementType();
  auto type = cast<RankedTensorType>(result.getType());
  if (!reduced.empty() && type.getElementType() != element)
    result =
        arith::TruncFOp::create(b, op->getLoc(), type.clone(element), result);
  loc = outer;
  return result;
}

/// What lies behind the views of a table: places, dims of tiles and the dim of
/// its rows become those there.
Value TileDeriver::findTable(Value source,
                             SmallVectorImpl<OpFoldResult> &positions,
                             MutableArrayRef<int64_t> dims, int64_t &rowDim) {
  while (!bufferOf(source) && source.getDefiningOp()) {
    SmallVector<OpFoldResult> below;
    SmallVector<int64_t> dimOf;
    if (!seeThrough(source.getDefiningOp(), positions, below, &dimOf))
      break;
    for (int64_t &dim : dims)
      dim = dimOf[dim];
    if (llvm::is_contained(dims, -1) || dimOf[rowDim] < 0)
      break;
    rowDim = dimOf[rowDim];
    positions = below;
    source = source.getDefiningOp()->getOperand(0);
  }
  return source;
}

bool TileDeriver::isSameAlong(Value value, int64_t dim) {
  Operation *op = value.getDefiningOp();
  auto indexed = dyn_cast_or_null<IndexedOp>(op);
  if (!indexed)
    return false;
  if (auto constant = dyn_cast<graph::ConstantOp>(op))
    return constant.getValue().isSplat();
  if (indexed.getTileKind() != TileKind::view || op->getNumOperands() != 1)
    return false;
  SmallVector<AffineMap> maps = mapsOf(indexed);
  if (maps.size() != 2 || !maps[1].isIdentity())
    return false;
  for (auto [d, expr] : llvm::enumerate(maps[0].getResults()))
    if (expr.isFunctionOfDim(dim))
      return isa<AffineDimExpr>(expr) && isSameAlong(op->getOperand(0), d);
  return true;
}

FailureOr<Value> TileDeriver::gather(Operation *op, Value value, Value rows,
                                     const TileSlice &slice) {
  RankedTensorType type = tileTypeOf(value, slice);
  int64_t rowDim = slice.order[0];
  if (!isSameAlong(value, rowDim)) {
    SmallVector<OpFoldResult> positions(slice.offsets);
    SmallVector<int64_t> dims(slice.order);
    Value buffer = bufferOf(findTable(value, positions, dims, rowDim));
    if (!buffer)
      return op->emitOpError("gathers from a value that is not in memory"),
             failure();
    return Value(
        tile::GatherOp::create(b, loc, type, buffer, positions, rows, dims));
  }
  FailureOr<Value> all = tile(value, slice);
  if (failed(all))
    return failure();
  auto numbers = cast<RankedTensorType>(rows.getType());
  Value count = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(
          numbers, int32_t(graph::tensorType(value).getDimSize(rowDim))));
  Value inside =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, rows, count);
  for (int64_t axis = 1; axis != type.getRank(); ++axis)
    inside = tile::BroadcastOp::create(
        b, loc,
        RankedTensorType::get(type.getShape().take_front(axis + 1),
                              b.getI1Type()),
        inside, axis);
  Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  return Value(arith::SelectOp::create(b, loc, inside, *all, none));
}

/// Rows of a table by an index, or one element of each row.
FailureOr<Value> TileDeriver::buildGather(IndexedOp op,
                                          const TileSlice &slice) {
  if (auto take = dyn_cast<graph::TakeAlongOp>(op.getOperation())) {
    // A masked sum along the row.
    TileSlice row = slice;
    int64_t last = graph::tensorType(take.getX()).getRank() - 1;
    row.offsets.push_back(b.getIndexAttr(0));
    row.sizes.push_back(graph::tensorType(take.getX()).getDimSize(last));
    row.order.push_back(last);
    FailureOr<Value> x = tile(take.getX(), row);
    FailureOr<Value> at = tile(take.getIndices(), slice);
    if (failed(x) || failed(at))
      return failure();
    auto type = cast<RankedTensorType>((*x).getType());
    int64_t axis = type.getRank() - 1;
    auto numbers = type.clone(b.getI32Type());
    Value zero = asValue(b.getIndexAttr(0));
    Value iota = tile::IotaOp::create(b, loc, numbers, zero, axis);
    Value wanted = tile::BroadcastOp::create(b, loc, numbers, *at, axis);
    Value hit =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, iota, wanted);
    Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    Value kept = arith::SelectOp::create(b, loc, hit, *x, none);
    return Value(
        tile::ReduceOp::create(b, loc, kept, tile::ReduceKind::Sum, axis));
  }
  if (auto element = dyn_cast<graph::ElementOp>(op.getOperation())) {
    SmallVector<OpFoldResult> at;
    for (Value position : element.getPositions()) {
      FailureOr<Value> number = scalar(position, {});
      if (failed(number))
        return failure();
      at.push_back(arith::IndexCastOp::create(b, loc, b.getIndexType(), *number)
                       .getResult());
    }
    FailureOr<Value> number = scalar(element.getX(), at);
    if (failed(number))
      return failure();
    return Value(tile::SplatOp::create(
        b, loc, tileTypeOf(op->getResult(0), slice), *number));
  }
  auto gather = dyn_cast<graph::GatherOp>(op.getOperation());
  if (!gather)
    return op->emitOpError("has no tile program yet"), failure();
  int64_t indexRank = graph::tensorType(gather.getIndices()).getRank();
  TileSlice indices;
  SmallVector<OpFoldResult> positions{b.getIndexAttr(0)};
  SmallVector<int64_t> dims;
  int64_t spanned = 0, rowDim = 0;
  for (int64_t d = 0, e = slice.sizes.size(); d != e; ++d) {
    if (d < indexRank) {
      indices.offsets.push_back(slice.offsets[d]);
      indices.sizes.push_back(slice.sizes[d]);
    } else {
      positions.push_back(slice.offsets[d]);
    }
  }
  for (auto [axis, dim] : llvm::enumerate(slice.order)) {
    if (dim < indexRank) {
      indices.order.push_back(dim);
      dims.push_back(0);
      ++spanned;
      if (axis != 0)
        return op->emitOpError("gathers along an inner dim of its tile"),
               failure();
    } else {
      dims.push_back(1 + dim - indexRank);
    }
  }
  if (spanned > 1)
    return op->emitOpError("gathers along two dims of its tile"), failure();
  RankedTensorType type = tileTypeOf(op->getResult(0), slice);
  // The table's own place behind views of it.
  Value source = findTable(gather.getTable(), positions, dims, rowDim);
  Value table = bufferOf(source);
  if (!table)
    return op->emitOpError("gathers from a value that is not in memory"),
           failure();
  if (spanned == 1) {
    FailureOr<Value> rows = tile(gather.getIndices(), indices);
    if (failed(rows))
      return failure();
    return Value(
        tile::GatherOp::create(b, loc, type, table, positions, *rows, dims));
  }
  FailureOr<Value> row = scalar(gather.getIndices(), indices.offsets);
  if (failed(row))
    return failure();
  positions[rowDim] = add(
      positions[rowDim],
      arith::IndexCastOp::create(b, loc, b.getIndexType(), *row).getResult());
  return Value(tile::LoadOp::create(b, loc, type, table, positions, dims));
}

/// `base` with a box replaced: both are loaded, and the box is chosen by index.
FailureOr<Value> TileDeriver::buildUpdate(graph::UpdateSliceOp op,
                                          const TileSlice &slice) {
  FailureOr<Value> base = tile(op.getBase(), slice);
  if (failed(base))
    return failure();
  auto type = cast<RankedTensorType>((*base).getType());
  auto numbers = type.clone(b.getI32Type());
  ArrayRef<int64_t> whole = graph::tensorType(op.getBase()).getShape();
  ArrayRef<int64_t> box = graph::tensorType(op.getUpdate()).getShape();
  TileSlice moved = slice;
  Value inside;
  for (auto [d, position] : llvm::enumerate(op.getPositions())) {
    // Clamped, so that the box always lies inside.
    FailureOr<Value> number = scalar(position, {});
    if (failed(number))
      return failure();
    Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), *number);
    at = arith::MaxSIOp::create(b, loc, at, asValue(b.getIndexAttr(0)));
    at = arith::MinSIOp::create(b, loc, at,
                                asValue(b.getIndexAttr(whole[d] - box[d])));
    Value offset = arith::SubIOp::create(b, loc, asValue(slice.offsets[d]), at);
    moved.offsets[d] = offset;
    if (whole[d] == box[d])
      continue;
    Value relative;
    auto found = llvm::find(slice.order, int64_t(d));
    if (found != slice.order.end())
      relative = tile::IotaOp::create(b, loc, numbers, offset,
                                      found - slice.order.begin());
    else
      relative = tile::SplatOp::create(
          b, loc, numbers,
          arith::IndexCastOp::create(b, loc, b.getI32Type(), offset));
    // 0 <= relative < size, as unsigned numbers.
    Value size = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(numbers, int32_t(box[d])));
    Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult,
                                       relative, size);
    inside =
        inside ? arith::AndIOp::create(b, loc, inside, here).getResult() : here;
  }
  FailureOr<Value> update = tile(op.getUpdate(), moved);
  if (failed(update) || !inside)
    return update;
  return Value(arith::SelectOp::create(b, loc, inside, *update, *base));
}

LogicalResult TileDeriver::store(Value output, Value tile,
                                 const TileSlice &slice) {
  auto yield = cast<graph::YieldOp>(cluster.getBody().front().getTerminator());
  bool stored = false;
  for (auto [i, operand] : llvm::enumerate(yield.getOperands())) {
    if (operand != output)
      continue;
    tile::StoreOp::create(b, loc, tile,
                          kernel.getBuffer(cluster.getInputs().size() + i),
                          slice.offsets, slice.order);
    stored = true;
  }
  if (!stored)
    return cluster.emitError("stores a value that is no output");
  return success();
}

LogicalResult TileDeriver::finish(Value result, Value sum,
                                  const TileSlice &slice) {
  Type element = graph::tensorType(result).getElementType();
  auto type = cast<RankedTensorType>(sum.getType());
  if (type.getElementType() != element)
    sum = arith::TruncFOp::create(b, loc, type.clone(element), sum);
  remember(result, slice, sum);
  auto yield = cast<graph::YieldOp>(cluster.getBody().front().getTerminator());
  for (Value output : yield.getOperands()) {
    WrittenPart part = writtenPartOf(output);
    FailureOr<Value> stored = tile(part.value, slice);
    if (failed(stored) ||
        failed(store(output, *stored, placeOf(b, part, slice))))
      return failure();
  }
  return success();
}
