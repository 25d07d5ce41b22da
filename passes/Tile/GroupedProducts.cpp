//===- GroupedProducts.cpp - products of groups of rows -------------------===//
//
// Which rows a group has is read from memory, block-uniformly: a block of
// grouped_dot finds the groups that its rows belong to, and multiplies by the
// matrix of each; a block of grouped_outer goes through the rows of its group.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tarn;

/// Tensor cores take rows in multiples of it.
static constexpr int64_t leastRows = 16;

namespace {

/// What both have in common.
class GroupedProduct : public TileProgram {
public:
  GroupedProduct(Operation *op, Value x, Value offsets)
      : op(op), offsets(offsets) {
    auto type = graph::tensorType(x);
    rows = type.getDimSize(0);
    bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    groups = graph::tensorType(offsets).getDimSize(0) - 1;
    isDouble = type.getElementType().isF64();
  }

protected:
  /// Where group `group` begins.
  FailureOr<Value> begin(TileDeriver &deriver, ProgramMath &m,
                         OpFoldResult group) {
    FailureOr<Value> number = deriver.scalar(offsets, {group});
    if (failed(number))
      return failure();
    return m.asIndex(*number);
  }
  Value zero(ProgramMath &m, ArrayRef<int64_t> shape) {
    Type element = isDouble ? m.b.getF64Type() : m.b.getF32Type();
    return m.constant(RankedTensorType::get(shape, element), 0);
  }
  static Value least(ProgramMath &m, Value x, Value y) {
    return arith::MinSIOp::create(m.b, m.loc, x, y);
  }
  static Value most(ProgramMath &m, Value x, Value y) {
    return arith::MaxSIOp::create(m.b, m.loc, x, y);
  }
  /// A tile of two dims of a value in the order in which memory runs, and
  /// whether that is the other order than the dims have.
  static FailureOr<Value> matrix(TileDeriver &deriver, Value value,
                                 ArrayRef<OpFoldResult> at,
                                 ArrayRef<int64_t> sizes, bool &isSwapped) {
    int64_t rank = at.size();
    TileSlice slice;
    slice.offsets.assign(at.begin(), at.end());
    slice.sizes.assign(sizes.begin(), sizes.end());
    slice.order = {rank - 2, rank - 1};
    isSwapped = deriver.contiguousDim(value) == rank - 2;
    if (isSwapped)
      std::swap(slice.order[0], slice.order[1]);
    return deriver.tile(value, slice);
  }
  LogicalResult finish(TileDeriver &deriver, ProgramMath &m, Value result,
                       Value tile, const TileSlice &slice) {
    Type element = graph::tensorType(result).getElementType();
    return storeThrough(deriver, result, m.cast(tile, element), slice);
  }

  Operation *op;
  Value offsets;
  int64_t rows, bytes, groups;
  bool isDouble;
};

class GroupedDot : public GroupedProduct {
public:
  GroupedDot(graph::GroupedDotOp op, const TileSizes &sizes)
      : GroupedProduct(op, op.getX(), op.getOffsets()), dot(op) {
    depth = graph::tensorType(op.getX()).getDimSize(1);
    columns = graph::tensorType(op.getResult()).getDimSize(1);
    // Rows of two groups meet the matrices of both: blocks of no more rows than
    // a group has.
    int64_t share = llvm::divideCeil(rows, groups);
    block = sizes.dot({groups, std::min(rows, std::max(share, leastRows)),
                       columns, depth, bytes, op.getTf32()});
  }

  Grid grid() override {
    Grid grid;
    // Rows fastest: neighbours share the columns of a matrix.
    grid.add(columns, block.columns);
    grid.add(rows, block.rows);
    return grid;
  }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, dot.getLoc());
    Value column = positions[0], row = positions[1];
    Value below = arith::AddIOp::create(b, m.loc, row, m.index(block.rows));
    // Groups that end in front of the block, and those that begin before its
    // end.
    FailureOr<Value> first = search(deriver, m, 1, [&](Value at) -> Value {
      return arith::CmpIOp::create(b, m.loc, arith::CmpIPredicate::sle, at,
                                   row);
    });
    FailureOr<Value> last = search(deriver, m, 0, [&](Value at) -> Value {
      return arith::CmpIOp::create(b, m.loc, arith::CmpIPredicate::slt, at,
                                   below);
    });
    if (failed(first) || failed(last))
      return failure();
    SmallVector<int64_t> shape{block.rows, block.columns};
    auto loop =
        scf::ForOp::create(b, m.loc, *first, *last, m.index(1), zero(m, shape));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      FailureOr<Value> next = addGroup(deriver, m, loop.getInductionVar(), row,
                                       below, column, loop.getRegionIterArg(0));
      deriver.leaveLoop();
      if (failed(next))
        return failure();
      scf::YieldOp::create(b, m.loc, *next);
    }
    TileSlice slice;
    slice.offsets = {row, column};
    slice.sizes = shape;
    slice.order = {0, 1};
    return finish(deriver, m, dot.getResult(), loop.getResult(0), slice);
  }

private:
  /// The number of groups, the first ones, of whose offset (the next one's
  /// with `shift` = 1) `holds` is true.
  FailureOr<Value> search(TileDeriver &deriver, ProgramMath &m, int64_t shift,
                          llvm::function_ref<Value(Value)> holds) {
    OpBuilder &b = deriver.b;
    int64_t steps = llvm::Log2_64_Ceil(groups + 1);
    auto loop =
        scf::ForOp::create(b, m.loc, m.index(0), m.index(steps), m.index(1),
                           ValueRange{m.index(0), m.index(groups)});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value from = loop.getRegionIterArg(0), to = loop.getRegionIterArg(1);
    Value middle = arith::DivUIOp::create(
        b, m.loc, arith::AddIOp::create(b, m.loc, from, to), m.index(2));
    FailureOr<Value> offset =
        begin(deriver, m, deriver.add(OpFoldResult(middle), shift));
    if (failed(offset))
      return failure();
    Value isLeft =
        arith::CmpIOp::create(b, m.loc, arith::CmpIPredicate::slt, from, to);
    Value above = arith::AndIOp::create(b, m.loc, isLeft, holds(*offset));
    Value next = arith::AddIOp::create(b, m.loc, middle, m.index(1));
    scf::YieldOp::create(
        b, m.loc, {m.select(above, next, from), m.select(above, to, middle)});
    return Value(loop.getResult(0));
  }

  /// `result` with the block's rows of one group.
  FailureOr<Value> addGroup(TileDeriver &deriver, ProgramMath &m, Value group,
                            Value row, Value below, Value column,
                            Value result) {
    OpBuilder &b = deriver.b;
    FailureOr<Value> from = begin(deriver, m, group);
    FailureOr<Value> to = begin(deriver, m, deriver.add(group, 1));
    if (failed(from) || failed(to))
      return failure();
    // Nothing is multiplied for a group without rows.
    Value some = arith::SubIOp::create(b, m.loc, least(m, *to, below),
                                       most(m, *from, row));
    some = most(m, least(m, some, m.index(1)), m.index(0));
    Value end = least(m, arith::MulIOp::create(b, m.loc, some, m.index(depth)),
                      m.index(depth));
    SmallVector<int64_t> shape{block.rows, block.columns};
    auto loop = scf::ForOp::create(b, m.loc, m.index(0), end,
                                   m.index(block.depth), zero(m, shape));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      Value k = loop.getInductionVar();
      bool swapsX, swapsW, transposes = dot.getTransposeW();
      FailureOr<Value> x = matrix(deriver, dot.getX(), {row, k},
                                  {block.rows, block.depth}, swapsX);
      FailureOr<Value> w =
          transposes ? matrix(deriver, dot.getW(), {group, column, k},
                              {1, block.columns, block.depth}, swapsW)
                     : matrix(deriver, dot.getW(), {group, k, column},
                              {1, block.depth, block.columns}, swapsW);
      deriver.leaveLoop();
      if (failed(x) || failed(w))
        return failure();
      Value next =
          tile::DotOp::create(b, m.loc, *x, *w, loop.getRegionIterArg(0),
                              swapsX, transposes != swapsW, dot.getTf32());
      scf::YieldOp::create(b, m.loc, next);
    }
    Value number = m.iota(row, shape, 0);
    auto isBelow = [&](Value limit) {
      return m.isLess(number, m.splat(m.asNumber(limit), shape));
    };
    Value isOwn = m.andOf(isBelow(*to), m.notOf(isBelow(*from)));
    return m.select(isOwn, loop.getResult(0), result);
  }

  graph::GroupedDotOp dot;
  int64_t depth, columns;
  DotBlock block;
};

class GroupedOuter : public GroupedProduct {
public:
  GroupedOuter(graph::GroupedOuterOp op, const TileSizes &sizes)
      : GroupedProduct(op, op.getX(), op.getOffsets()), outer(op) {
    height = graph::tensorType(op.getX()).getDimSize(1);
    width = graph::tensorType(op.getY()).getDimSize(1);
    int64_t share = llvm::divideCeil(rows, groups);
    block = sizes.dot({groups, height, width,
                       int64_t(llvm::alignTo(share, leastRows)), bytes,
                       op.getTf32()});
  }

  Grid grid() override {
    Grid grid;
    grid.add(groups, 1);
    grid.add(width, block.columns);
    grid.add(height, block.rows);
    return grid;
  }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, outer.getLoc());
    Value group = positions[0], column = positions[1], row = positions[2];
    FailureOr<Value> from = begin(deriver, m, group);
    FailureOr<Value> to = begin(deriver, m, deriver.add(group, 1));
    if (failed(from) || failed(to))
      return failure();
    Value begin = most(m, *from, m.index(0)),
          end = least(m, *to, m.index(rows));
    auto loop = scf::ForOp::create(b, m.loc, begin, end, m.index(block.depth),
                                   zero(m, {block.rows, block.columns}));
    // A group has its share of the rows, on the average.
    loop->setAttr(
        "tile.turns",
        b.getF64FloatAttr(double(rows) / double(groups * block.depth)));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      Value at = loop.getInductionVar();
      bool swapsX, swapsY;
      FailureOr<Value> x = matrix(deriver, outer.getX(), {at, row},
                                  {block.depth, block.rows}, swapsX);
      FailureOr<Value> y = matrix(deriver, outer.getY(), {at, column},
                                  {block.depth, block.columns}, swapsY);
      deriver.leaveLoop();
      if (failed(x) || failed(y))
        return failure();
      Value left = keep(m, *x, at, end, swapsX);
      Value right = keep(m, *y, at, end, swapsY);
      Value next =
          tile::DotOp::create(b, m.loc, left, right, loop.getRegionIterArg(0),
                              !swapsX, swapsY, outer.getTf32());
      scf::YieldOp::create(b, m.loc, next);
    }
    TileSlice slice;
    slice.offsets = {group, row, column};
    slice.sizes = {1, block.rows, block.columns};
    slice.order = {1, 2};
    return finish(deriver, m, outer.getResult(), loop.getResult(0), slice);
  }

private:
  /// A tile without the rows of the groups that follow.
  static Value keep(ProgramMath &m, Value tile, Value at, Value end,
                    bool isSwapped) {
    ArrayRef<int64_t> shape = m.typeOf(tile).getShape();
    Value number = m.iota(at, shape, isSwapped ? 1 : 0);
    Value isOwn = m.isLess(number, m.splat(m.asNumber(end), shape));
    return m.select(isOwn, tile, m.constant(tile, 0));
  }

  graph::GroupedOuterOp outer;
  int64_t height, width;
  DotBlock block;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createGroupedDot(graph::GroupedDotOp op,
                                                    const TileSizes &sizes) {
  return std::make_unique<GroupedDot>(op, sizes);
}

std::unique_ptr<TileProgram> tarn::createGroupedOuter(graph::GroupedOuterOp op,
                                                      const TileSizes &sizes) {
  return std::make_unique<GroupedOuter>(op, sizes);
}
