//===- TopKProgram.cpp - the largest elements of rows ---------------------===//
//
// Rows and their elements have an order: larger ones first, of equal ones the
// one at the smaller index. The next element is the largest of those that come
// after the last one, so that two numbers for each row are all that a turn
// leaves to the next.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace tarn;

static constexpr double infinity = std::numeric_limits<double>::infinity();

namespace {

class TopK : public TileProgram {
public:
  TopK(graph::TopKOp op, const TileSizes &sizes)
      : op(op), width(op.getX().getType().getShape().back()),
        lines(op.getX().getType(), op.getX().getType().getRank() - 1, width,
              sizes) {}

  Grid grid() override { return lines.grid(); }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    TileSlice row = lines.slice(b, positions, width);
    SmallVector<int64_t> vector = lines.line(), tile = lines.tile(width);
    int64_t axis = lines.axisOfTile();
    auto spread = [&](Value x) { return m.spread(x, axis, width); };

    FailureOr<Value> loaded = deriver.tile(op.getX(), row);
    if (failed(loaded))
      return failure();
    Value x = m.widen(*loaded);
    // What is no number comes first, beside infinity.
    Value isNan =
        m.compare(arith::CmpFPredicate::UNO, arith::CmpIPredicate::ne, x, x);
    Value key = m.select(isNan, m.constant(x, infinity), x);
    Value number = m.iota(b.getIndexAttr(0), tile, axis);
    Type wide = m.typeOf(x).getElementType();
    Value last = m.constant(RankedTensorType::get(vector, wide), infinity);
    Value place = m.constant(RankedTensorType::get(vector, b.getI32Type()), -1);
    auto loop = scf::ForOp::create(b, m.loc, m.index(0), m.index(op.getK()),
                                   m.index(1), ValueRange{last, place});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    deriver.enterLoop();
    last = spread(loop.getRegionIterArg(0));
    place = spread(loop.getRegionIterArg(1));
    Value isLeft =
        m.orOf(m.isLess(key, last),
               m.andOf(m.isEqual(key, last), m.isLess(place, number)));
    Value next =
        m.largest(m.select(isLeft, key, m.constant(key, -infinity)), axis);
    Value isNext = m.andOf(isLeft, m.isEqual(key, spread(next)));
    Value at = m.smallest(
        m.select(isNext, number, m.constant(number, double(width))), axis);
    Value isAt = m.isEqual(number, spread(at));
    Value value = m.largest(m.select(isAt, x, m.constant(x, -infinity)), axis);
    deriver.leaveLoop();

    TileSlice one = row;
    one.offsets.back() = loop.getInductionVar();
    one.sizes.back() = 1;
    one.order.pop_back();
    Type element = graph::tensorType(op.getValues()).getElementType();
    if (failed(storeThrough(deriver, op.getValues(), m.cast(value, element),
                            one)) ||
        failed(storeThrough(deriver, op.getIndices(), at, one)))
      return failure();
    scf::YieldOp::create(b, m.loc, ValueRange{next, at});
    return success();
  }

private:
  graph::TopKOp op;
  int64_t width;
  Lines lines;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createTopK(graph::TopKOp op,
                                              const TileSizes &sizes) {
  return std::make_unique<TopK>(op, sizes);
}
