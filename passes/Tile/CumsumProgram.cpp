//===- CumsumProgram.cpp - running sums -----------------------------------===//
//
// A block has some lines and goes along them, tile after tile: the sums in a
// tile, and what the tiles before it have, which a loop carries.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tarn;

/// Elements of a line in one tile, at most; fewer where the tile has columns.
static constexpr int64_t longestLine = 1024, longestColumn = 64;

namespace {

class Cumsum : public TileProgram {
public:
  Cumsum(graph::CumsumOp op, const TileSizes &sizes)
      : op(op), axis(op.getDim()), extent(op.getX().getType().getDimSize(axis)),
        chunk(std::min(extent, longest(op))),
        lines(op.getX().getType(), axis, chunk, sizes) {}

  Grid grid() override { return lines.grid(); }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    TileSlice slice = lines.slice(b, positions, chunk);
    int64_t along = lines.axisOfTile();
    Type element = graph::tensorType(op.getX()).getElementType();
    bool isNarrow = element.isBF16() || element.isF16();
    Type wide = isNarrow ? b.getF32Type() : element;
    Value zero = m.constant(RankedTensorType::get(lines.line(), wide), 0);
    bool reverse = op.getReverse(), exclusive = op.getExclusive();
    // Without itself: sums lie one element further, and nothing comes first.
    // Backwards it is the elements that are taken from one further.
    if (exclusive && !reverse) {
      TileSlice first = slice;
      first.sizes[axis] = 1;
      llvm::erase(first.order, axis);
      if (failed(storeThrough(deriver, op.getResult(), m.cast(zero, element),
                              first)))
        return failure();
    }

    int64_t last = (extent - 1) / chunk * chunk;
    auto loop = scf::ForOp::create(b, m.loc, m.index(0), m.index(extent),
                                   m.index(chunk), zero);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    deriver.enterLoop();
    Value at = loop.getInductionVar(), before = loop.getRegionIterArg(0);
    if (reverse)
      at = arith::SubIOp::create(b, m.loc, m.index(last), at);
    TileSlice from = slice, into = slice;
    from.offsets[axis] = into.offsets[axis] = at;
    if (exclusive) {
      OpFoldResult &further = (reverse ? from : into).offsets[axis];
      further = deriver.add(further, 1);
    }
    FailureOr<Value> loaded = deriver.tile(op.getX(), from);
    if (failed(loaded))
      return failure();
    Value x = m.widen(*loaded);
    if (extent % chunk != 0 || (exclusive && reverse)) {
      Value number = m.iota(from.offsets[axis], lines.tile(chunk), along);
      x = m.select(m.isLess(number, m.constant(number, double(extent))), x,
                   m.constant(x, 0));
    }
    Value sums = tile::ScanOp::create(b, m.loc, x, along, reverse);
    sums = m.add(m.spread(before, along, chunk), sums);
    deriver.leaveLoop();
    if (failed(
            storeThrough(deriver, op.getResult(), m.cast(sums, element), into)))
      return failure();
    scf::YieldOp::create(b, m.loc, m.add(before, m.sum(x, along)));
    return success();
  }

private:
  static int64_t longest(graph::CumsumOp op) {
    ArrayRef<int64_t> shape = op.getX().getType().getShape();
    return op.getDim() + 1 == int64_t(shape.size())
               ? longestLine
               : std::max(longestColumn, longestLine / shape.back());
  }

  graph::CumsumOp op;
  int64_t axis, extent, chunk;
  Lines lines;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createCumsum(graph::CumsumOp op,
                                                const TileSizes &sizes) {
  return std::make_unique<Cumsum>(op, sizes);
}
