//===- GroupRowsProgram.cpp - rows in the order of their groups -----------===//
//
// A stable counting sort with a block for each group, and one for the rows of
// none: it counts the rows of the groups before it, and then numbers its own,
// which nobody else writes.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/ProgramMath.h"
#include "passes/Tile/Programs.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tarn;

/// Rows that a block looks at in one step, at most.
static constexpr int64_t mostRows = 2048;

namespace {

class GroupRows : public TileProgram {
public:
  explicit GroupRows(graph::GroupRowsOp op)
      : op(op), rows(graph::tensorType(op.getGroups()).getDimSize(0)),
        count(op.getCount()), chunk(std::min(rows, mostRows)) {}

  Grid grid() override {
    Grid grid;
    grid.add(count + 1, 1);
    return grid;
  }

  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    ProgramMath m(b, op.getLoc());
    Value own = m.asNumber(positions[0]);
    auto number = RankedTensorType::get({}, b.getI32Type());
    FailureOr<Value> before =
        walk(deriver, m, m.constant(number, 0),
             [&](Value at, Value group, Value total) -> FailureOr<Value> {
               Value isBefore = m.isLess(group, m.splat(own, {chunk}));
               return m.add(total, m.sum(m.cast(isBefore, b.getI32Type()), 0));
             });
    if (failed(before))
      return failure();
    TileSlice offset;
    offset.offsets = {positions[0]};
    offset.sizes = {1};
    if (failed(storeThrough(deriver, op.getOffsets(), *before, offset)))
      return failure();
    return walk(
        deriver, m, *before,
        [&](Value at, Value group, Value next) -> FailureOr<Value> {
          Value isOwn = m.isEqual(group, m.splat(own, {chunk}));
          Value one = m.cast(isOwn, b.getI32Type());
          Value number = tile::ScanOp::create(b, m.loc, one, 0);
          Value place = m.sub(m.add(m.spread(next, 0, chunk), number),
                              m.constant(number, 1));
          Value row = m.iota(at, {chunk}, 0);
          Value none = m.constant(row, -1);
          TileSlice all = TileSlice::whole(b, {rows});
          if (failed(scatterThrough(deriver, op.getOrder(), row,
                                    m.select(isOwn, place, none), all)) ||
              failed(scatterThrough(deriver, op.getPlaces(), place,
                                    m.select(isOwn, row, none), all)))
            return failure();
          return m.add(next, m.sum(one, 0));
        });
  }

private:
  using Body = llvm::function_ref<FailureOr<Value>(Value, Value, Value)>;

  /// Goes through the rows, `body` from a place, a tile of groups (`count` for
  /// none, more behind the last row) and a number to the next number.
  FailureOr<Value> walk(TileDeriver &deriver, ProgramMath &m, Value start,
                        Body body) {
    OpBuilder &b = deriver.b;
    auto loop = scf::ForOp::create(b, m.loc, m.index(0), m.index(rows),
                                   m.index(chunk), start);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    deriver.enterLoop();
    Value at = loop.getInductionVar();
    TileSlice slice;
    slice.offsets = {at};
    slice.sizes = {chunk};
    slice.order = {0};
    FailureOr<Value> loaded = deriver.tile(op.getGroups(), slice);
    if (failed(loaded))
      return failure();
    Value group = *loaded, none = m.constant(group, double(count));
    Value isSome =
        m.andOf(m.isLess(m.constant(group, -1), group), m.isLess(group, none));
    group = m.select(isSome, group, none);
    if (rows % chunk != 0) {
      Value row = m.iota(at, {chunk}, 0);
      group = m.select(m.isLess(row, m.constant(row, double(rows))), group,
                       m.constant(group, double(count + 1)));
    }
    FailureOr<Value> next = body(at, group, loop.getRegionIterArg(0));
    deriver.leaveLoop();
    if (failed(next))
      return failure();
    scf::YieldOp::create(b, m.loc, *next);
    return Value(loop.getResult(0));
  }

  graph::GroupRowsOp op;
  int64_t rows, count, chunk;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createGroupRows(graph::GroupRowsOp op) {
  return std::make_unique<GroupRows>(op);
}
