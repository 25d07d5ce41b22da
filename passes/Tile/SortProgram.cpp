//===- SortProgram.cpp - rows in order ------------------------------------===//
//
// A block that has a row sorts it. Where a row does not fit into a block, or is
// so short that this takes less, an element's place is the number of those
// before it: a block has some elements of a row, counts against all of them,
// tile after tile, and puts its own where they belong; places are distinct, so
// no two blocks meet.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace tarn;

/// Elements that a block has, and those that it counts in one step, at most.
static constexpr int64_t mostOwn = 64, mostOthers = 128;

/// The longest row that is counted although a block could sort it. On AVX2 rows
/// of 32 take 0.6 of the time so, and rows of 64 1.3 times as much.
static constexpr int64_t longestCounted = 32;

namespace {

/// What both programs have.
class Sort : public TileProgram {
public:
  Sort(graph::SortOp op, int64_t own)
      : op(op), shape(op.getX().getType().getShape()), width(shape.back()),
        own(own) {}

  Grid grid() override {
    Grid grid;
    for (int64_t extent : ArrayRef(shape).drop_back())
      grid.add(extent, 1);
    grid.add(width, own);
    return grid;
  }

protected:
  /// A part of the block's row.
  TileSlice slice(OpBuilder &b, ValueRange positions, OpFoldResult from,
                  int64_t extent) {
    TileSlice part;
    for (Value position : positions.drop_back())
      part.offsets.push_back(position);
    part.offsets.push_back(from);
    part.sizes.assign(shape.size(), 1);
    part.sizes.back() = extent;
    part.order = {int64_t(shape.size()) - 1};
    return part;
  }

  /// Stores the block's own elements, and puts them where they belong.
  LogicalResult finish(TileDeriver &deriver, ProgramMath &m,
                       ValueRange positions, Value x, Value place) {
    TileSlice mine = slice(deriver.b, positions, positions.back(), own);
    TileSlice row =
        slice(deriver.b, positions, deriver.b.getIndexAttr(0), width);
    Value number = m.iota(positions.back(), {own}, 0);
    if (failed(storeThrough(deriver, op.getPlaces(), place, mine)))
      return failure();
    if (width % own != 0)
      place = m.select(isInside(m, number), place, m.constant(place, -1));
    if (failed(scatterThrough(deriver, op.getValues(), x, place, row)))
      return failure();
    return scatterThrough(deriver, op.getIndices(), number, place, row);
  }

  Value isInside(ProgramMath &m, Value number) {
    return m.isLess(number, m.constant(number, double(width)));
  }

  graph::SortOp op;
  SmallVector<int64_t> shape;
  int64_t width, own;
};

class SortInBlock : public Sort {
public:
  explicit SortInBlock(graph::SortOp op)
      : Sort(op, op.getX().getType().getShape().back()) {}

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    FailureOr<Value> x =
        deriver.tile(op.getX(), slice(b, positions, positions.back(), width));
    if (failed(x))
      return failure();
    Value place = tile::PlacesOp::create(
        b, m.loc, RankedTensorType::get({width}, b.getI32Type()), m.widen(*x),
        op.getDescending());
    return finish(deriver, m, positions, *x, place);
  }
};

class SortByCounting : public Sort {
public:
  explicit SortByCounting(graph::SortOp op)
      : Sort(op, std::min(op.getX().getType().getShape().back(), mostOwn)),
        others(std::min(width, mostOthers)) {}

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    FailureOr<Keys> left =
        load(deriver, m, slice(b, positions, positions.back(), own));
    if (failed(left))
      return failure();
    auto counts = RankedTensorType::get({own}, b.getI32Type());
    auto loop = scf::ForOp::create(b, m.loc, m.index(0), m.index(width),
                                   m.index(others), m.constant(counts, 0));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      FailureOr<Keys> right =
          load(deriver, m, slice(b, positions, loop.getInductionVar(), others));
      deriver.leaveLoop();
      if (failed(right))
        return failure();
      Value key = m.spread(left->key, 1, others);
      Value number = m.spread(left->number, 1, others);
      Value other = m.spread(right->key, 0, own);
      Value otherNumber = m.spread(right->number, 0, own);
      Value isBefore = m.orOf(
          op.getDescending() ? m.isLess(key, other) : m.isLess(other, key),
          m.andOf(m.isEqual(other, key), m.isLess(otherNumber, number)));
      Value count = m.sum(m.cast(isBefore, b.getI32Type()), 1);
      scf::YieldOp::create(b, m.loc, m.add(loop.getRegionIterArg(0), count));
    }
    return finish(deriver, m, positions, left->x, loop.getResult(0));
  }

private:
  /// Elements, and what they are ordered by: keys, then numbers.
  struct Keys {
    Value x, key, number;
  };

  /// NaN is ordered as infinity, but behind it, or before it where the largest
  /// come first; what is outside of the row comes last.
  FailureOr<Keys> load(TileDeriver &deriver, ProgramMath &m,
                       const TileSlice &slice) {
    FailureOr<Value> loaded = deriver.tile(op.getX(), slice);
    if (failed(loaded))
      return failure();
    bool descending = op.getDescending();
    int64_t count = slice.sizes.back();
    Keys keys{*loaded, m.widen(*loaded),
              m.iota(slice.offsets.back(), {count}, 0)};
    Value number = keys.number;
    Value shifted =
        m.add(number, m.constant(number, double(descending ? -width : width)));
    if (isa<FloatType>(m.typeOf(keys.key).getElementType())) {
      Value isNan = m.compare(arith::CmpFPredicate::UNO,
                              arith::CmpIPredicate::ne, keys.key, keys.key);
      keys.number = m.select(isNan, shifted, number);
      keys.key =
          m.select(isNan, last(m, keys.key, /*isLargest=*/true), keys.key);
    }
    if (width % count != 0) {
      Value isOutside = m.notOf(isInside(m, number));
      keys.key = m.select(isOutside, last(m, keys.key, !descending), keys.key);
      keys.number =
          m.select(isOutside, descending ? number : shifted, keys.number);
    }
    return keys;
  }

  /// The largest number, or the smallest.
  Value last(ProgramMath &m, Value like, bool isLargest) {
    RankedTensorType type = m.typeOf(like);
    auto integer = dyn_cast<IntegerType>(type.getElementType());
    if (!integer)
      return m.constant(like, isLargest
                                  ? std::numeric_limits<double>::infinity()
                                  : -std::numeric_limits<double>::infinity());
    unsigned bits = integer.getWidth();
    return arith::ConstantOp::create(
        m.b, m.loc,
        DenseElementsAttr::get(type, isLargest
                                         ? APInt::getSignedMaxValue(bits)
                                         : APInt::getSignedMinValue(bits)));
  }

  int64_t others;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createSort(graph::SortOp op,
                                              const TileSizes &sizes) {
  auto type = op.getX().getType();
  // Short floats are compared as f32.
  int64_t bytes = std::max<int64_t>(type.getElementTypeBitWidth() / 8, 4);
  int64_t width = type.getShape().back();
  if (width > longestCounted && width <= sizes.longestSort(bytes))
    return std::make_unique<SortInBlock>(op);
  return std::make_unique<SortByCounting>(op);
}
