//===- SortProgram.cpp - rows in order ------------------------------------===//
//
// An element's place is the number of those before it. A block has some
// elements of a row, counts against all of them, tile after tile, and puts its
// own where they belong; places are distinct, so no two blocks meet.
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

namespace {

class Sort : public TileProgram {
public:
  explicit Sort(graph::SortOp op)
      : op(op), shape(llvm::to_vector(graph::tensorType(op.getX()).getShape())),
        width(shape.back()), own(std::min(width, mostOwn)),
        others(std::min(width, mostOthers)) {}

  Grid grid() override {
    Grid grid;
    for (int64_t extent : ArrayRef(shape).drop_back())
      grid.add(extent, 1);
    grid.add(width, own);
    return grid;
  }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    TileSlice row;
    for (Value position : positions.drop_back())
      row.offsets.push_back(position);
    row.offsets.push_back(b.getIndexAttr(0));
    row.sizes.assign(shape.size(), 1);
    row.sizes.back() = width;
    row.order = {int64_t(shape.size()) - 1};

    TileSlice mine = row;
    mine.offsets.back() = positions.back();
    mine.sizes.back() = own;
    FailureOr<Keys> left = load(deriver, m, mine);
    if (failed(left))
      return failure();
    auto counts = RankedTensorType::get({own}, b.getI32Type());
    auto loop = scf::ForOp::create(b, m.loc, m.index(0), m.index(width),
                                   m.index(others), m.constant(counts, 0));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      TileSlice slice = row;
      slice.offsets.back() = loop.getInductionVar();
      slice.sizes.back() = others;
      FailureOr<Keys> right = load(deriver, m, slice);
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

    Value place = loop.getResult(0);
    Value number = m.iota(positions.back(), {own}, 0);
    if (failed(storeThrough(deriver, op.getPlaces(), place, mine)))
      return failure();
    if (width % own != 0)
      place = m.select(isInside(m, number), place, m.constant(place, -1));
    if (failed(scatterThrough(deriver, op.getValues(), left->x, place, row)))
      return failure();
    return scatterThrough(deriver, op.getIndices(), number, place, row);
  }

private:
  /// Elements, and what they are ordered by: keys, then numbers.
  struct Keys {
    Value x, key, number;
  };

  Value isInside(ProgramMath &m, Value number) {
    return m.isLess(number, m.constant(number, double(width)));
  }

  /// NaN is ordered as infinity, but behind it, or before it where the largest
  /// come first; what is outside of the row comes last.
  FailureOr<Keys> load(TileDeriver &deriver, ProgramMath &m,
                       const TileSlice &slice) {
    FailureOr<Value> loaded = deriver.tile(op.getX(), slice);
    if (failed(loaded))
      return failure();
    bool descending = op.getDescending();
    int64_t count = slice.sizes.back();
    Value x = m.widen(*loaded);
    Value number = m.iota(slice.offsets.back(), {count}, 0);
    Value shifted =
        m.add(number, m.constant(number, double(descending ? -width : width)));
    Value largest = m.constant(x, std::numeric_limits<double>::infinity());
    Value isNan =
        m.compare(arith::CmpFPredicate::UNO, arith::CmpIPredicate::ne, x, x);
    Value isOutside;
    if (width % count != 0)
      isOutside = m.notOf(isInside(m, number));
    Value key = m.select(isNan, largest, x);
    Value order = m.select(isNan, shifted, number);
    if (isOutside) {
      key = m.select(isOutside, descending ? m.neg(largest) : largest, key);
      order = m.select(isOutside, descending ? number : shifted, order);
    }
    return Keys{*loaded, key, order};
  }

  graph::SortOp op;
  SmallVector<int64_t> shape;
  int64_t width, own, others;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createSort(graph::SortOp op) {
  return std::make_unique<Sort>(op);
}
