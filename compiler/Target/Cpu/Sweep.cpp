//===- Sweep.cpp - loops over the elements of tiles -----------------------===//
//
// Roots wait until something needs their result, then share one sweep.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

static RankedTensorType tileType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Lanes of a sweep's main loop: several registers, so that the latency of a
/// polynomial is hidden and reductions have several accumulators.
int64_t Emitter::mainLanes(int64_t extent) {
  int64_t lanes = std::max<int64_t>(32, 2 * level.lanes);
  while (lanes > 1 && lanes > extent)
    lanes /= 2;
  return lanes;
}

//===----------------------------------------------------------------------===//
// Roots
//===----------------------------------------------------------------------===//

/// The tile whose elements a root goes over.
static RankedTensorType sweepShape(Operation *root) {
  return tileType(root->getOperand(0));
}

bool Emitter::waitsForPending(Value value, bool sameElement,
                              llvm::DenseSet<Value> &seen) {
  if (!isa<RankedTensorType>(value.getType()) || !seen.insert(value).second)
    return false;
  for (const Root &root : pending) {
    // A value that is being materialised may be used by the same element.
    if (root.value == value)
      return !sameElement;
    if (root.op && root.op->getNumResults() && root.op->getResult(0) == value)
      return true;
  }
  if (storages.contains(value))
    return false;
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  bool same = sameElement && OpTrait::hasElementwiseMappableTraits(op);
  for (Value operand : op->getOperands())
    if (waitsForPending(operand, same, seen))
      return true;
  return false;
}

LogicalResult Emitter::addRoot(Operation *root) {
  RankedTensorType shape = sweepShape(root);
  auto reduce = dyn_cast<tile::ReduceOp>(root);
  bool alone = reduce && int64_t(reduce.getAxis()) + 1 != shape.getRank();
  bool waits = alone;
  for (Value operand : root->getOperands()) {
    llvm::DenseSet<Value> seen;
    waits |= waitsForPending(operand, true, seen);
  }
  if (!pending.empty() && (waits || ArrayRef(pendingShape) != shape.getShape()))
    if (failed(flush()))
      return failure();
  if (reduce)
    storages.try_emplace(reduce.getResult(), Storage());
  if (alone)
    return emitColumnReduction(reduce);
  if (reduce) // known from here on, filled by the sweep
    storages.erase(reduce.getResult());
  pendingShape.assign(shape.getShape().begin(), shape.getShape().end());
  Root entry;
  entry.op = root;
  if (reduce)
    entry.into = allocate(tileType(reduce.getResult()));
  pending.push_back(entry);
  return success();
}

LogicalResult Emitter::addRoot(Value value) {
  RankedTensorType shape = tileType(value);
  llvm::DenseSet<Value> seen;
  bool waits = waitsForPending(value, true, seen);
  if (!pending.empty() && (waits || ArrayRef(pendingShape) != shape.getShape()))
    if (failed(flush()))
      return failure();
  pendingShape.assign(shape.getShape().begin(), shape.getShape().end());
  Root entry;
  entry.value = value;
  // In place of an operand that is used here last: an element is read before
  // it is written.
  if (Operation *op = value.getDefiningOp())
    if (OpTrait::hasElementwiseMappableTraits(op))
      for (Value operand : op->getOperands()) {
        auto found = storages.find(operand);
        if (found != storages.end() && operand.hasOneUse() &&
            isa<BlockArgument>(operand) &&
            operand.getType() == value.getType() &&
            cast<BlockArgument>(operand).getOwner() == op->getBlock()) {
          entry.into = found->second;
          break;
        }
      }
  if (!entry.into.memref)
    entry.into = allocate(shape);
  pending.push_back(entry);
  return success();
}

LogicalResult Emitter::flush() {
  if (pending.empty())
    return success();
  auto shape = RankedTensorType::get(pendingShape, b.getF32Type());
  LogicalResult result = emitRowSweep(shape);
  for (const Root &root : pending) {
    if (root.value)
      storages[root.value] = root.into;
    else if (root.op->getNumResults())
      storages[root.op->getResult(0)] = root.into;
  }
  pending.clear();
  memo.clear();
  return result;
}

//===----------------------------------------------------------------------===//
// Sweeps
//===----------------------------------------------------------------------===//

Value Emitter::neutral(tile::ReduceOp reduce, int64_t lanes) {
  // Narrow floats are summed in f32.
  Type element = tileType(reduce.getResult()).getElementType();
  if (isNarrowFloat(element))
    element = b.getF32Type();
  auto type = VectorType::get(lanes, element);
  if (reduce.getKind() == tile::ReduceKind::Sum)
    return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Attribute least;
  if (auto floats = dyn_cast<FloatType>(element))
    least = b.getFloatAttr(
        floats, llvm::APFloat::getInf(floats.getFloatSemantics(), true));
  else
    least = b.getIntegerAttr(element, llvm::APInt::getSignedMinValue(
                                          element.getIntOrFloatBitWidth()));
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, least));
}

Value Emitter::combine(tile::ReduceOp reduce, Value x, Value y) {
  Type element = getElementTypeOrSelf(x.getType());
  if (isNarrowFloat(getElementTypeOrSelf(y.getType())))
    y = convertFloat(y, element);
  bool floats = isa<FloatType>(element);
  if (reduce.getKind() == tile::ReduceKind::Sum)
    return floats ? arith::AddFOp::create(b, loc, x, y).getResult()
                  : arith::AddIOp::create(b, loc, x, y).getResult();
  return floats ? maximum(x, y)
                : arith::MaxSIOp::create(b, loc, x, y).getResult();
}

/// One vector, in halves: a fixed tree, the same on every machine.
static Value reduceLanes(OpBuilder &b, Location loc, Value vector,
                         llvm::function_ref<Value(Value, Value)> combine) {
  int64_t lanes = cast<VectorType>(vector.getType()).getDimSize(0);
  while (lanes > 1) {
    lanes /= 2;
    SmallVector<int64_t> low = llvm::to_vector(llvm::seq<int64_t>(0, lanes));
    SmallVector<int64_t> high =
        llvm::to_vector(llvm::seq<int64_t>(lanes, 2 * lanes));
    Value first = vector::ShuffleOp::create(b, loc, vector, vector, low);
    Value second = vector::ShuffleOp::create(b, loc, vector, vector, high);
    vector = combine(first, second);
  }
  return vector::ExtractOp::create(b, loc, vector, int64_t(0));
}

LogicalResult Emitter::emitRoot(Operation *op, const Point &point) {
  FailureOr<Value> value = evaluate(op->getOperand(0), point);
  if (failed(value))
    return failure();
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return storeElements(op, *value, store.getBuffer(),
                         store.getMixedPositions(), store.getTileDims(), point,
                         Value(), {}, false);
  if (auto store = dyn_cast<tile::StorePartialOp>(op)) {
    SmallVector<Value> slots;
    for (Value position : store.getSlots()) {
      int64_t extent = kernel.getGridTiles()[*kernel.getGridDim(position)];
      slots.push_back(arith::DivUIOp::create(b, loc, indexOf(position),
                                             constantIndex(extent)));
    }
    return storeElements(op, *value, store.getBuffer(),
                         store.getMixedPositions(), store.getTileDims(), point,
                         Value(), slots, false);
  }
  auto byRows = [&](Value buffer, SmallVector<OpFoldResult> positions,
                    SmallVector<int64_t> dims, Value rows,
                    bool accumulate) -> LogicalResult {
    auto storeAt = [&](Value vector, const Point &at) -> LogicalResult {
      Value row;
      if (rows) {
        FailureOr<Value> number = evaluateScalar(rows, at.index[0]);
        if (failed(number))
          return failure();
        row = arith::IndexCastOp::create(b, loc, b.getIndexType(), *number);
      }
      return storeElements(op, vector, buffer, positions, dims, at, row, {},
                           accumulate);
    };
    if (!rows || point.index.size() > 1 || point.lanes == 1)
      return storeAt(*value, point);
    // Lanes of narrow floats are moved as bits: not every machine has them.
    Type elementType = getElementTypeOrSelf(value->getType());
    bool isNarrow = isNarrowFloat(elementType);
    Value bits = isNarrow ? toMemory(*value) : *value;
    for (int64_t lane = 0; lane != point.lanes; ++lane) {
      Point one;
      one.index = {add(point.index[0], constantIndex(lane))};
      Value element = vector::ExtractStridedSliceOp::create(
          b, loc, bits, ArrayRef<int64_t>{lane}, ArrayRef<int64_t>{1},
          ArrayRef<int64_t>{1});
      if (isNarrow)
        element = fromMemory(element, elementType);
      if (failed(storeAt(element, one)))
        return failure();
    }
    return success();
  };
  if (auto scatter = dyn_cast<tile::ScatterOp>(op))
    return byRows(scatter.getBuffer(), scatter.getMixedPositions(),
                  scatter.getTileDims(), scatter.getRows(), false);
  auto accumulate = cast<tile::AccumulateOp>(op);
  return byRows(accumulate.getBuffer(), accumulate.getMixedPositions(),
                accumulate.getTileDims(), accumulate.getRows(), true);
}

/// One vector of every pending root; `sums` holds an accumulator for each
/// reduction among them.
LogicalResult Emitter::emitPiece(const Point &point,
                                 SmallVectorImpl<Value> &sums) {
  memo.clear();
  // All elements are read before the first is written: a buffer that is read
  // may be the one that is written.
  for (const Root &root : pending)
    if (failed(
            evaluate(root.value ? root.value : root.op->getOperand(0), point)))
      return failure();
  unsigned reduction = 0;
  for (const Root &root : pending) {
    if (root.value) {
      FailureOr<Value> vector = evaluate(root.value, point);
      if (failed(vector))
        return failure();
      storeStorage(root.into, *vector, point);
    } else if (auto reduce = dyn_cast<tile::ReduceOp>(root.op)) {
      FailureOr<Value> vector = evaluate(reduce.getOperand(), point);
      if (failed(vector))
        return failure();
      Value &sum = sums[reduction++];
      sum = combine(reduce, sum, *vector);
    } else if (failed(emitRoot(root.op, point))) {
      return failure();
    }
  }
  memo.clear();
  return success();
}

LogicalResult Emitter::emitRowSweep(RankedTensorType shape) {
  OpBuilder::InsertionGuard guard(b);
  Point point;
  // The outer dims, as loops (a dim of one element needs none).
  for (int64_t extent : shape.getShape().drop_back(shape.getRank() ? 1 : 0)) {
    if (extent == 1) {
      point.index.push_back(constantIndex(0));
      continue;
    }
    auto loop = scf::ForOp::create(b, loc, constantIndex(0),
                                   constantIndex(extent), constantIndex(1));
    b.setInsertionPointToStart(loop.getBody());
    point.index.push_back(loop.getInductionVar());
  }
  SmallVector<tile::ReduceOp> reduces;
  SmallVector<Storage> into;
  for (const Root &root : pending)
    if (auto reduce = dyn_cast_or_null<tile::ReduceOp>(root.op)) {
      reduces.push_back(reduce);
      into.push_back(root.into);
    }
  if (shape.getRank() == 0) {
    SmallVector<Value> none;
    return emitPiece(point, none);
  }

  int64_t extent = shape.getShape().back();
  int64_t lanes = mainLanes(extent);
  int64_t trips = extent / lanes;
  point.index.push_back(constantIndex(0));
  SmallVector<Value> totals(reduces.size());
  // Lanes of one width at a time; their sums join in this order.
  auto join = [&](ArrayRef<Value> sums) {
    for (auto [i, reduce] : llvm::enumerate(reduces)) {
      auto two = [&](Value x, Value y) { return combine(reduce, x, y); };
      Value total = reduceLanes(b, loc, sums[i], two);
      totals[i] = totals[i] ? two(totals[i], total) : total;
    }
  };
  SmallVector<Value> sums;
  for (tile::ReduceOp reduce : reduces)
    sums.push_back(neutral(reduce, lanes));
  if (trips > 1) {
    auto loop = scf::ForOp::create(b, loc, constantIndex(0),
                                   constantIndex(trips * lanes),
                                   constantIndex(lanes), sums);
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> carried(loop.getRegionIterArgs());
    point.index.back() = loop.getInductionVar();
    point.lanes = lanes;
    if (failed(emitPiece(point, carried)))
      return failure();
    // A loop without results already has its terminator.
    if (carried.empty())
      b.setInsertionPointToEnd(loop.getBody());
    else
      scf::YieldOp::create(b, loc, carried);
    sums.assign(loop.getResults().begin(), loop.getResults().end());
  } else {
    point.lanes = lanes;
    if (failed(emitPiece(point, sums)))
      return failure();
  }
  join(sums);
  for (int64_t at = trips * lanes, left = extent - at; left;) {
    while (lanes > left)
      lanes /= 2;
    sums.clear();
    for (tile::ReduceOp reduce : reduces)
      sums.push_back(neutral(reduce, lanes));
    point.index.back() = constantIndex(at);
    point.lanes = lanes;
    if (failed(emitPiece(point, sums)))
      return failure();
    join(sums);
    at += lanes;
    left -= lanes;
  }
  for (auto [reduce, storage, total] : llvm::zip(reduces, into, totals)) {
    ArrayRef<Value> index(point.index);
    Type element = tileType(reduce.getResult()).getElementType();
    if (isNarrowFloat(element))
      total = convertFloat(total, element);
    memref::StoreOp::create(b, loc, toMemory(total), storage.memref,
                            linearIndex(storage, index.drop_back()));
  }
  return success();
}

Point Emitter::loopOverOthers(RankedTensorType shape, int64_t axis) {
  int64_t rank = shape.getRank();
  Point point;
  point.index.resize(rank);
  for (int64_t d = 0; d + 1 < rank; ++d) {
    if (d == axis)
      continue;
    auto loop = scf::ForOp::create(b, loc, constantIndex(0),
                                   constantIndex(shape.getDimSize(d)),
                                   constantIndex(1));
    b.setInsertionPointToStart(loop.getBody());
    point.index[d] = loop.getInductionVar();
  }
  return point;
}

FailureOr<Value> Emitter::evaluateAfresh(Value tile, const Point &point) {
  memo.clear();
  FailureOr<Value> vector = evaluate(tile, point);
  memo.clear();
  return vector;
}

LogicalResult Emitter::emitColumnReduction(tile::ReduceOp reduce) {
  storages.erase(reduce.getResult());
  Storage into = allocate(tileType(reduce.getResult()));
  {
    OpBuilder::InsertionGuard guard(b);
    RankedTensorType shape = tileType(reduce.getOperand());
    Type element = shape.getElementType();
    int64_t axis = reduce.getAxis();
    Point point = loopOverOthers(shape, axis);
    auto column = [&](Value at, int64_t lanes) -> LogicalResult {
      point.index.back() = at;
      point.lanes = lanes;
      auto loop = scf::ForOp::create(b, loc, constantIndex(0),
                                     constantIndex(shape.getDimSize(axis)),
                                     constantIndex(1), neutral(reduce, lanes));
      {
        OpBuilder::InsertionGuard inner(b);
        b.setInsertionPointToStart(loop.getBody());
        point.index[axis] = loop.getInductionVar();
        FailureOr<Value> vector = evaluateAfresh(reduce.getOperand(), point);
        if (failed(vector))
          return failure();
        scf::YieldOp::create(
            b, loc, combine(reduce, loop.getRegionIterArg(0), *vector));
      }
      Point result = point;
      result.index.erase(result.index.begin() + axis);
      Value total = loop.getResult(0);
      if (isNarrowFloat(element))
        total = convertFloat(total, element);
      storeStorage(into, total, result);
      return success();
    };
    int64_t extent = shape.getShape().back();
    int64_t lanes = mainLanes(extent), whole = extent / lanes * lanes;
    {
      OpBuilder::InsertionGuard inner(b);
      auto loop = scf::ForOp::create(
          b, loc, constantIndex(0), constantIndex(whole), constantIndex(lanes));
      b.setInsertionPointToStart(loop.getBody());
      if (failed(column(loop.getInductionVar(), lanes)))
        return failure();
    }
    for (int64_t at = whole; at < extent; at += lanes) {
      while (lanes > extent - at)
        lanes /= 2;
      if (failed(column(constantIndex(at), lanes)))
        return failure();
    }
  }
  storages[reduce.getResult()] = into;
  return success();
}
