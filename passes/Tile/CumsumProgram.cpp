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
  Cumsum(graph::CumsumOp op, const TileSizes &sizes) : op(op) {
    shape = llvm::to_vector(graph::tensorType(op.getX()).getShape());
    rank = shape.size();
    axis = op.getDim();
    bool isLast = axis + 1 == rank;
    int64_t longest = isLast
                          ? longestLine
                          : std::max(longestColumn, longestLine / shape.back());
    chunk = std::min(shape[axis], longest);
    if (rank == 1)
      return;
    beside = isLast ? rank - 2 : rank - 1;
    int64_t depth = std::max<int64_t>(2, chunk);
    lines = isLast ? sizes.block({shape[beside], depth}, {false, true})[0]
                   : sizes.block({depth, shape[beside]}, {true, false})[1];
  }

  Grid grid() override {
    Grid grid;
    for (int64_t d = 0; d != rank; ++d)
      if (d != axis)
        grid.add(shape[d], d == beside ? lines : 1);
    if (grid.sizes.empty())
      grid.add(1, 1);
    return grid;
  }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    TileSlice slice;
    SmallVector<int64_t> tile, line;
    int64_t along = 0; // the axis, among the tile's
    for (int64_t d = 0; d != rank; ++d) {
      slice.offsets.push_back(d == axis ? OpFoldResult(b.getIndexAttr(0))
                                        : positions[d - (d > axis)]);
      slice.sizes.push_back(d == axis ? chunk : d == beside ? lines : 1);
      if (d == axis)
        along = tile.size();
      else if (d == beside)
        line.push_back(lines);
      if (d == axis || d == beside) {
        slice.order.push_back(d);
        tile.push_back(slice.sizes.back());
      }
    }
    Type element = graph::tensorType(op.getX()).getElementType();
    Type wide = element.isF64() ? element : b.getF32Type();
    Value zero = m.constant(RankedTensorType::get(line, wide), 0);
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

    int64_t extent = shape[axis];
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
      Value number = m.iota(from.offsets[axis], tile, along);
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
  graph::CumsumOp op;
  SmallVector<int64_t> shape;
  int64_t rank, axis, chunk, beside = -1, lines = 1;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createCumsum(graph::CumsumOp op,
                                                const TileSizes &sizes) {
  return std::make_unique<Cumsum>(op, sizes);
}
