//===- RandomOps.cpp - counter-based random numbers -----------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Loops.h"
#include "dialects/Tarn/Threefry.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

// C1 of all random ops.
static LogicalResult verifySalt(Operation *op, int64_t salt) {
  if (salt < 0 || salt > INT32_MAX)
    return Complaint(op) << "has salt " << salt << ", which must lie in [0, "
                         << INT32_MAX << "]";
  return success();
}

LogicalResult RandomBitsOp::verify() {
  // random_bits.C1
  if (failed(verifySalt(*this, getSalt())))
    return failure();
  // random_bits.C2
  if (getWord() != 0 && getWord() != 1)
    return Complaint(*this) << "takes word " << getWord() << " of 0 and 1";
  // random_bits.C3
  int64_t elements = tensorType(getResult()).getNumElements();
  if (elements > (int64_t(1) << 32))
    return Complaint(*this) << "draws " << elements << " elements, at most "
                            << (int64_t(1) << 32) << " have their own counter";
  return success();
}

LogicalResult RandomUniformOp::verify() {
  // random_uniform.C1
  return verifySalt(*this, getSalt());
}

LogicalResult RandomNormalOp::verify() {
  // random_normal.C1
  return verifySalt(*this, getSalt());
}

// The key is no elementwise operand: the body asks for its two words.
Maps RandomBitsOp::getIndexingMaps() {
  unsigned rank = tensorType(getResult()).getRank();
  return {AffineMap(), AffineMap::getMultiDimIdentityMap(rank, getContext())};
}

FailureOr<SmallVector<Value>>
RandomBitsOp::buildTileBody(OpBuilder &builder, Location loc,
                            TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  auto type =
      RankedTensorType::get(context.getTileShape(), builder.getI32Type());
  auto constant = [&](int64_t value) {
    return m.constant(type, double(int32_t(uint32_t(value))));
  };

  // The row-major index, modulo 2^32.
  ArrayRef<int64_t> shape = tensorType(getResult()).getShape();
  SmallVector<int64_t> strides = rowMajorStrides(shape);
  Value index = constant(0);
  for (auto [d, stride] : llvm::enumerate(strides))
    if (shape[d] != 1)
      index = m.add(
          index, m.mul(context.indexTile(builder, loc, d), constant(stride)));

  Value k0 = context.splatElement(builder, loc, 0, {0});
  Value k1 = context.splatElement(builder, loc, 0, {1});
  Value keys[3] = {k0, k1,
                   m.xorOf(m.xorOf(k0, k1), constant(threefry::parity))};
  Value x0 = m.add(index, keys[0]);
  Value x1 = m.add(constant(getSalt()), keys[1]);
  for (int round = 0; round != threefry::rounds; ++round) {
    x0 = m.add(x0, x1);
    int left = threefry::rotations[round % 8];
    Value high = arith::ShLIOp::create(builder, loc, x1, constant(left));
    Value low = arith::ShRUIOp::create(builder, loc, x1, constant(32 - left));
    x1 = m.xorOf(m.orOf(high, low), x0);
    if (round % 4 == 3) {
      int turn = round / 4 + 1;
      x0 = m.add(x0, keys[turn % 3]);
      x1 = m.add(m.add(x1, keys[(turn + 1) % 3]), constant(turn));
    }
  }
  return SmallVector<Value>{getWord() == 0 ? x0 : x1};
}
