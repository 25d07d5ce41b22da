//===- MemoryAccess.cpp - elements of buffers and scratch -----------------===//
//
// A slice of a buffer may reach outside it: loads give the pad there, stores
// are dropped. Where the bounds prove that it cannot, nothing is tested. Else
// rows are tested once a vector, and lanes by a mask.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

namespace {

/// A slice of a buffer at one point of a tile.
struct Address {
  /// The index in each buffer dim.
  SmallVector<Value> index;
  /// All outer dims are inside (i1); null = proven.
  Value outer;
  /// The buffer dim the lanes run along; -1 when there is one lane only.
  int64_t laneDim = -1;
  /// The lane dim may reach outside.
  bool laneChecked = false;
};

} // namespace

/// 0 <= index < size.
static Value inside(OpBuilder &b, Location loc, Value index, int64_t size) {
  Value limit = arith::ConstantIndexOp::create(b, loc, size);
  // As unsigned numbers negatives are large.
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, index, limit);
}

static Value both(OpBuilder &b, Location loc, Value x, Value y) {
  if (!x || !y)
    return x ? x : y;
  return arith::AndIOp::create(b, loc, x, y);
}

/// Lanes that lie inside the buffer, as a mask; null = all do.
static Value laneMask(OpBuilder &b, Location loc, const Address &address,
                      int64_t size, int64_t lanes) {
  auto type = VectorType::get(lanes, b.getI1Type());
  Value mask;
  if (address.laneChecked) {
    auto numbers = VectorType::get(lanes, b.getI64Type());
    SmallVector<int64_t> iota = llvm::to_vector(llvm::seq<int64_t>(0, lanes));
    Value offsets = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(numbers, ArrayRef<int64_t>(iota)));
    Value start = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                             address.index[address.laneDim]);
    Value at = arith::AddIOp::create(
        b, loc, vector::BroadcastOp::create(b, loc, numbers, start), offsets);
    Value limit = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(numbers, size));
    mask = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, at, limit);
  }
  if (address.outer)
    mask = both(b, loc, mask,
                vector::BroadcastOp::create(b, loc, type, address.outer));
  return mask;
}

FailureOr<Value> Emitter::loadElements(Operation *op, Value buffer,
                                       ArrayRef<OpFoldResult> at,
                                       ArrayRef<int64_t> dims, Type elementType,
                                       TypedAttr pad, const Point &point,
                                       Value row) {
  auto type = cast<MemRefType>(buffer.getType());
  Value memory = scalars.lookup(buffer);
  Address address;
  auto tileShape =
      cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  for (int64_t d = 0, e = type.getRank(); d != e; ++d) {
    const auto *spanned = llvm::find(dims, d);
    Value index = indexOf(at[d]);
    int64_t extent = 1;
    bool lane = false;
    bool safe;
    if (spanned != dims.end()) {
      int64_t t = spanned - dims.begin();
      extent = tileShape[t];
      lane = t + 1 == int64_t(dims.size()) && !(row && t == 0);
      if (row && t == 0) {
        index = add(index, row);
        safe = false;
      } else {
        index = add(index, point.index[t]);
        safe = staysInside(kernel, at[d], extent, type.getDimSize(d));
      }
    } else {
      safe = staysInside(kernel, at[d], 1, type.getDimSize(d));
    }
    if (lane) {
      address.laneDim = d;
      address.laneChecked = !safe;
    } else if (!safe) {
      address.outer = both(b, loc, address.outer,
                           inside(b, loc, index, type.getDimSize(d)));
    }
    address.index.push_back(index);
  }
  Type inMemory = memoryType(elementType);
  auto vectorType = VectorType::get(point.lanes, inMemory);
  int64_t laneSize =
      address.laneDim >= 0 ? type.getDimSize(address.laneDim) : 1;
  bool contiguous = point.lanes == 1 || address.laneDim == type.getRank() - 1;
  Value mask = laneMask(b, loc, address, laneSize, point.lanes);
  Value fill;
  if (mask) {
    fill = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
    if (pad)
      fill = toMemory(arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(vectorType.clone(elementType), pad)));
  }
  if (type.getRank() == 0)
    return fromMemory(vector::BroadcastOp::create(
                          b, loc, vectorType,
                          memref::LoadOp::create(b, loc, memory, ValueRange())),
                      elementType);
  Value loaded;
  if (contiguous && !mask) {
    loaded = vector::LoadOp::create(b, loc, vectorType, memory, address.index);
  } else if (contiguous) {
    loaded = vector::MaskedLoadOp::create(b, loc, vectorType, memory,
                                          address.index, mask, fill);
  } else {
    // Lanes far apart: one by one. Indices outside are moved inside and the
    // result is replaced.
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane != point.lanes; ++lane) {
      SmallVector<Value> index(address.index);
      Value &moving = index[address.laneDim];
      moving = add(moving, constantIndex(lane));
      if (mask)
        for (auto [d, i] : llvm::enumerate(index)) {
          Value limit = constantIndex(type.getDimSize(d) - 1);
          i = arith::MinUIOp::create(b, loc, i, limit);
        }
      lanes.push_back(memref::LoadOp::create(b, loc, memory, index));
    }
    loaded = vector::FromElementsOp::create(b, loc, vectorType, lanes);
    if (mask)
      loaded = arith::SelectOp::create(b, loc, mask, loaded, fill);
  }
  return fromMemory(loaded, elementType);
}

LogicalResult Emitter::storeElements(Operation *op, Value value, Value buffer,
                                     ArrayRef<OpFoldResult> at,
                                     ArrayRef<int64_t> dims, const Point &point,
                                     Value row, ArrayRef<Value> leading,
                                     bool accumulate) {
  auto type = cast<MemRefType>(buffer.getType());
  Value memory = scalars.lookup(buffer);
  Address address;
  address.index.assign(leading.begin(), leading.end());
  for (int64_t d = leading.size(), e = type.getRank(); d != e; ++d) {
    const auto *spanned = llvm::find(dims, d);
    OpFoldResult start = at[d - leading.size()];
    Value index = indexOf(start);
    bool safe, lane = false;
    if (spanned != dims.end()) {
      int64_t t = spanned - dims.begin();
      // The extent of the tile at its operand (slots come before it).
      auto shape =
          cast<RankedTensorType>(op->getOperand(0).getType()).getShape();
      lane = t + 1 == int64_t(dims.size()) && !(row && t == 0);
      safe = !(row && t == 0) &&
             staysInside(kernel, start, shape[t], type.getDimSize(d));
      index = add(index, row && t == 0 ? row : point.index[t]);
    } else {
      safe = staysInside(kernel, start, 1, type.getDimSize(d));
    }
    if (lane) {
      address.laneDim = d;
      address.laneChecked = !safe;
    } else if (!safe) {
      address.outer = both(b, loc, address.outer,
                           inside(b, loc, index, type.getDimSize(d)));
    }
    address.index.push_back(index);
  }
  Type elementType = type.getElementType();
  value = toMemory(value);
  auto vectorType = cast<VectorType>(value.getType());
  int64_t laneSize =
      address.laneDim >= 0 ? type.getDimSize(address.laneDim) : 1;
  bool contiguous = point.lanes == 1 || address.laneDim == type.getRank() - 1;
  Value mask = laneMask(b, loc, address, laneSize, point.lanes);
  auto sum = [&](Value old, Value increment) -> Value {
    if (!isNarrowFloat(elementType))
      return arith::AddFOp::create(b, loc, old, increment);
    Value wide = arith::AddFOp::create(
        b, loc, convertFloat(fromMemory(old, elementType), b.getF32Type()),
        convertFloat(fromMemory(increment, elementType), b.getF32Type()));
    return toMemory(convertFloat(wide, elementType));
  };
  if (type.getRank() == 0) {
    Value scalar = vector::ExtractOp::create(b, loc, value, int64_t(0));
    if (accumulate)
      scalar =
          sum(memref::LoadOp::create(b, loc, memory, ValueRange()), scalar);
    memref::StoreOp::create(b, loc, scalar, memory, ValueRange());
    return success();
  }
  if (contiguous && !mask) {
    if (accumulate)
      value =
          sum(vector::LoadOp::create(b, loc, vectorType, memory, address.index),
              value);
    vector::StoreOp::create(b, loc, value, memory, address.index);
    return success();
  }
  if (contiguous) {
    if (accumulate) {
      Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
      value = sum(vector::MaskedLoadOp::create(b, loc, vectorType, memory,
                                               address.index, mask, zero),
                  value);
    }
    vector::MaskedStoreOp::create(b, loc, memory, address.index, mask, value);
    return success();
  }
  for (int64_t lane = 0; lane != point.lanes; ++lane) {
    SmallVector<Value> index(address.index);
    Value &moving = index[address.laneDim];
    moving = add(moving, constantIndex(lane));
    OpBuilder::InsertionGuard guard(b);
    if (mask) {
      Value keep = vector::ExtractOp::create(b, loc, mask, lane);
      auto branch = scf::IfOp::create(b, loc, keep, /*withElseRegion=*/false);
      b.setInsertionPointToStart(branch.thenBlock());
    }
    Value scalar = vector::ExtractOp::create(b, loc, value, lane);
    if (accumulate)
      scalar = sum(memref::LoadOp::create(b, loc, memory, index), scalar);
    memref::StoreOp::create(b, loc, scalar, memory, index);
  }
  return success();
}

Value Emitter::linearIndex(const Storage &storage, ArrayRef<Value> index) {
  if (index.empty())
    return constantIndex(0);
  Value row = constantIndex(0);
  if (index.size() == 3)
    row = add(scale(index[0], storage.rows), index[1]);
  else if (index.size() == 2)
    row = index[0];
  return add(scale(row, storage.pitch), index.back());
}

Value Emitter::loadStorage(const Storage &storage, Type elementType,
                           const Point &point) {
  auto type = VectorType::get(point.lanes, memoryType(elementType));
  Value at = linearIndex(storage, point.index);
  return fromMemory(vector::LoadOp::create(b, loc, type, storage.memref, at),
                    elementType);
}

void Emitter::storeStorage(const Storage &storage, Value vector,
                           const Point &point) {
  vector::StoreOp::create(b, loc, toMemory(vector), storage.memref,
                          linearIndex(storage, point.index));
}
