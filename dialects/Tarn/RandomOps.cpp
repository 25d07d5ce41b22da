//===- RandomOps.cpp - counter-based random numbers -----------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Loops.h"
#include "dialects/Tarn/Threefry.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

// The salt and the number of elements of all random ops.
static LogicalResult verifySalt(Operation *op, int64_t salt) {
  // random_bits.C1, random_uniform.C1, random_normal.C1
  if (salt < 0 || salt > INT32_MAX)
    return Complaint(op) << "has salt " << salt << ", which must lie in [0, "
                         << INT32_MAX << "]";
  return success();
}

static LogicalResult verifyCount(Operation *op) {
  // random_bits.C3, random_uniform.C2, random_normal.C2
  int64_t elements = resultType(op).getNumElements();
  if (elements > (int64_t(1) << 32))
    return Complaint(op) << "draws " << elements << " elements, at most "
                         << (int64_t(1) << 32) << " have their own counter";
  return success();
}

LogicalResult RandomBitsOp::verify() {
  if (failed(verifySalt(*this, getSalt())))
    return failure();
  // random_bits.C2
  if (getWord() != 0 && getWord() != 1)
    return Complaint(*this) << "takes word " << getWord() << " of 0 and 1";
  return verifyCount(*this);
}

LogicalResult RandomUniformOp::verify() {
  return success(succeeded(verifySalt(*this, getSalt())) &&
                 succeeded(verifyCount(*this)));
}

LogicalResult RandomNormalOp::verify() {
  return success(succeeded(verifySalt(*this, getSalt())) &&
                 succeeded(verifyCount(*this)));
}

static Maps keylessMaps(Operation *op) {
  Maps maps(op->getNumOperands());
  maps.push_back(AffineMap::getMultiDimIdentityMap(resultType(op).getRank(),
                                                   op->getContext()));
  return maps;
}

Maps RandomBitsOp::getIndexingMaps() { return keylessMaps(*this); }
Maps RandomUniformOp::getIndexingMaps() { return keylessMaps(*this); }
Maps RandomNormalOp::getIndexingMaps() { return keylessMaps(*this); }

// A number as the i32 with the same bits.
static double asI32(uint32_t bits) { return double(int32_t(bits)); }

// The row-major index of each element, modulo 2^32.
static Value counterTile(TileMath &m, TileBodyContext &context, Operation *op,
                         RankedTensorType type) {
  ArrayRef<int64_t> shape = resultType(op).getShape();
  Value index;
  for (auto [d, stride] : llvm::enumerate(rowMajorStrides(shape))) {
    if (shape[d] == 1)
      continue;
    Value step = context.indexTile(m.b, m.loc, d);
    if (stride != 1)
      step = m.mul(step, m.constant(type, asI32(uint32_t(stride))));
    index = index ? m.add(index, step) : step;
  }
  return index ? index : m.constant(type, 0);
}

// Both words of Threefry for each element.
static std::pair<Value, Value> drawTiles(TileMath &m, TileBodyContext &context,
                                         Operation *op, int64_t salt) {
  auto type = RankedTensorType::get(context.getTileShape(), m.b.getI32Type());
  auto constant = [&](uint32_t bits) { return m.constant(type, asI32(bits)); };
  Value k0 = context.splatElement(m.b, m.loc, 0, {0});
  Value k1 = context.splatElement(m.b, m.loc, 0, {1});
  Value keys[3] = {k0, k1,
                   m.xorOf(m.xorOf(k0, k1), constant(threefry::parity))};
  Value x0 = m.add(counterTile(m, context, op, type), k0);
  Value x1 = m.add(k1, constant(uint32_t(salt)));
  if (op->getNumOperands() > 1) {
    x0 = m.add(x0, context.splatElement(m.b, m.loc, 1, {0}));
    x1 = m.add(x1, context.splatElement(m.b, m.loc, 1, {1}));
  }
  for (int round = 0; round != threefry::rounds; ++round) {
    x0 = m.add(x0, x1);
    int left = threefry::rotations[round % 8];
    Value high = arith::ShLIOp::create(m.b, m.loc, x1, constant(left));
    Value low = arith::ShRUIOp::create(m.b, m.loc, x1, constant(32 - left));
    x1 = m.xorOf(m.orOf(high, low), x0);
    if (round % 4 == 3) {
      int turn = round / 4 + 1;
      x0 = m.add(x0, keys[turn % 3]);
      x1 = m.add(m.add(x1, keys[(turn + 1) % 3]), constant(turn));
    }
  }
  return {x0, x1};
}

// (bits >> 8) * 2^-24
static Value uniformTile(TileMath &m, Value bits) {
  Value high = arith::ShRUIOp::create(m.b, m.loc, bits, m.constant(bits, 8));
  Value number = m.cast(high, m.b.getF32Type());
  return m.mul(number, m.constant(number, 0x1p-24));
}

FailureOr<SmallVector<Value>>
RandomBitsOp::buildTileBody(OpBuilder &builder, Location loc,
                            TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  auto [first, second] = drawTiles(m, context, *this, getSalt());
  return SmallVector<Value>{getWord() == 0 ? first : second};
}

FailureOr<SmallVector<Value>>
RandomUniformOp::buildTileBody(OpBuilder &builder, Location loc,
                               TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  auto [bits, unused] = drawTiles(m, context, *this, getSalt());
  return SmallVector<Value>{uniformTile(m, bits)};
}

FailureOr<SmallVector<Value>>
RandomNormalOp::buildTileBody(OpBuilder &builder, Location loc,
                              TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  auto [first, second] = drawTiles(m, context, *this, getSalt());
  Value u = uniformTile(m, first), v = uniformTile(m, second);
  Value radius =
      m.sqrt(m.mul(m.constant(u, -2), m.log(m.sub(m.constant(u, 1), u))));
  Value angle = m.mul(v, m.constant(v, 2 * M_PI));
  return SmallVector<Value>{m.mul(radius, m.cos(angle))};
}
