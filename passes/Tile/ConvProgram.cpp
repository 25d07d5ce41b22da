//===- ConvProgram.cpp - products through windows -------------------------===//
//
// Implicit GEMM. A tap of a row of windows reads rows of the image: their
// numbers are computed, and the tile is gathered. What lies outside of the
// image has the number `outside`, and a gather gives zeros there. The product
// sums over taps and channels (conv), or over windows (conv_weights), in one
// loop. Where every channel is apart from all others nothing is a product of
// matrices: the same rows are multiplied element by element.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/Programs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tarn;
using graph::Windows;

/// A row that no image has, whatever is added to it.
static constexpr int64_t outside = -(1 << 30);

/// Terms of one step: rows of an operand stay in the first two cache levels.
static constexpr int64_t mostDepth = 256;

/// The depth of a step, of `extent` in all. `other` is the operand that is not
/// gathered: if it is loaded, both have zeros outside.
static int64_t depthOf(int64_t extent, int64_t chosen, Value other,
                       const TileSizes &sizes) {
  int64_t depth = std::min(chosen, mostDepth);
  if (chosen > mostDepth && chooseChunk(extent, mostDepth) >= mostDepth / 4)
    depth = chooseChunk(extent, mostDepth);
  bool isHalf = graph::tensorType(other).getElementTypeBitWidth() == 16;
  if (isHalf && isa<BlockArgument>(other))
    depth = llvm::alignTo(depth, sizes.termsAtOnce());
  return depth;
}

namespace {

/// The rows of images that windows read, tap by tap.
class WindowRows {
public:
  /// `count` windows from `first` on.
  WindowRows(TileDeriver &deriver, const Windows &windows, OpFoldResult first,
             int64_t count)
      : b(deriver.b), loc(deriver.loc), windows(windows),
        type(RankedTensorType::get({count}, deriver.b.getI32Type())) {
    Value rest = tile::IotaOp::create(b, loc, type, deriver.asValue(first), 0);
    starts.resize(windows.rank());
    for (unsigned d = windows.rank(); d-- > 0;) {
      Value at = binary<arith::RemSIOp>(rest, windows.out[d]);
      rest = binary<arith::DivSIOp>(rest, windows.out[d]);
      starts[d] = binary<arith::AddIOp>(
          binary<arith::MulIOp>(at, windows.strides[d]), windows.offsets[d]);
    }
    image = rest;
  }

  /// The rows that tap `tap` (an index) reads; `outside` where it is.
  Value read(Value tap) {
    Value row = image, inside;
    auto require = [&](Value condition) {
      inside =
          inside ? arith::AndIOp::create(b, loc, inside, condition).getResult()
                 : condition;
    };
    int64_t inner = windows.tapCount();
    for (unsigned d = 0; d != windows.rank(); ++d) {
      inner /= windows.taps[d];
      Value at = starts[d];
      if (windows.taps[d] > 1) {
        Value t = scalar<arith::DivUIOp>(tap, inner);
        if (d != 0)
          t = scalar<arith::RemUIOp>(t, windows.taps[d]);
        t = scalar<arith::MulIOp>(t, windows.dilations[d]);
        t = arith::IndexCastOp::create(b, loc, b.getI32Type(), t);
        at = arith::AddIOp::create(b, loc, at,
                                   tile::SplatOp::create(b, loc, type, t));
      }
      int64_t spacing = windows.spacing[d], end = windows.in[d] * spacing;
      if (mayLeave(d, end))
        require(compare(arith::CmpIPredicate::ult, at, end));
      if (spacing > 1)
        require(compare(arith::CmpIPredicate::eq,
                        binary<arith::RemSIOp>(at, spacing), 0));
      row = binary<arith::MulIOp>(row, windows.in[d]);
      row = arith::AddIOp::create(b, loc, row,
                                  binary<arith::DivSIOp>(at, spacing));
    }
    if (!inside)
      return row;
    return arith::SelectOp::create(b, loc, inside, row, number(outside));
  }

private:
  Value number(int64_t value) {
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, int32_t(value)));
  }
  Value compare(arith::CmpIPredicate predicate, Value x, int64_t y) {
    return arith::CmpIOp::create(b, loc, predicate, x, number(y));
  }
  /// x op y, where that is not x or 0.
  template <typename OpTy> Value binary(Value x, int64_t y) {
    constexpr bool isSum = std::is_same_v<OpTy, arith::AddIOp>;
    constexpr bool isRest = std::is_same_v<OpTy, arith::RemSIOp>;
    if (isSum ? y == 0 : y == 1)
      return isRest ? number(0) : x;
    return OpTy::create(b, loc, x, number(y));
  }
  template <typename OpTy> Value scalar(Value x, int64_t y) {
    if (y == 1 && !std::is_same_v<OpTy, arith::RemUIOp>)
      return x;
    return OpTy::create(b, loc, x, arith::ConstantIndexOp::create(b, loc, y));
  }
  /// Whether some tap of some window is not in [0, end).
  bool mayLeave(unsigned d, int64_t end) const {
    int64_t far = (windows.taps[d] - 1) * windows.dilations[d];
    int64_t low = windows.offsets[d] + std::min<int64_t>(far, 0);
    int64_t high = windows.offsets[d] + std::max<int64_t>(far, 0) +
                   (windows.out[d] - 1) * windows.strides[d];
    return low < 0 || high >= end;
  }

  OpBuilder &b;
  Location loc;
  const Windows &windows;
  RankedTensorType type;
  /// The image of each window, and where it starts along each dim.
  Value image;
  SmallVector<Value> starts;
};

/// What both programs share: an accumulator over steps, and the end.
class WindowProgram : public TileProgram {
public:
  WindowProgram(graph::IndexedOp op, Value x, const Windows &windows)
      : op(op), x(x), windows(windows) {}

protected:
  /// Sums what `step` adds to an accumulator, for index 0, size, .. < steps.
  FailureOr<Value>
  sum(TileDeriver &deriver, ArrayRef<int64_t> shape, int64_t steps,
      int64_t size,
      llvm::function_ref<FailureOr<Value>(Value index, Value sum)> step) {
    OpBuilder &b = deriver.b;
    Location loc = op->getLoc();
    Type element = graph::tensorType(x).getElementType();
    auto type = RankedTensorType::get(shape, element.isF64() ? element
                                                             : b.getF32Type());
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    if (steps <= size)
      return step(index(0), zero);
    auto loop =
        scf::ForOp::create(b, loc, index(0), index(steps), index(size), zero);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    deriver.enterLoop();
    FailureOr<Value> next =
        step(loop.getInductionVar(), loop.getRegionIterArg(0));
    deriver.leaveLoop();
    if (failed(next))
      return failure();
    scf::YieldOp::create(b, loc, *next);
    return Value(loop.getResult(0));
  }

  /// Rows of x, `extent` channels of each from `channel` on.
  FailureOr<Value> gather(TileDeriver &deriver, Value rows,
                          OpFoldResult channel, int64_t extent) {
    TileSlice slice;
    slice.offsets = {deriver.b.getIndexAttr(0), channel};
    slice.sizes = {cast<RankedTensorType>(rows.getType()).getDimSize(0),
                   extent};
    slice.order = {0, 1};
    return deriver.gather(op, x, rows, slice);
  }

  /// Channel `at` of a group of `size` channels.
  OpFoldResult channelOf(TileDeriver &deriver, OpFoldResult group, int64_t size,
                         OpFoldResult at) {
    if (getConstantIntValue(group))
      return at;
    OpBuilder &b = deriver.b;
    Value first = arith::MulIOp::create(
        b, op->getLoc(), deriver.asValue(group),
        arith::ConstantIndexOp::create(b, op->getLoc(), size));
    return deriver.add(first, at);
  }

  /// acc + a * b, element by element and wide.
  Value multiplyAdd(OpBuilder &b, Value x, Value y, Value acc, bool reduces) {
    Location loc = op->getLoc();
    auto wide = cast<RankedTensorType>(x.getType())
                    .clone(getElementTypeOrSelf(acc.getType()));
    auto widen = [&](Value value) -> Value {
      if (value.getType() == wide)
        return value;
      return arith::ExtFOp::create(b, loc, wide, value);
    };
    Value product = arith::MulFOp::create(b, loc, widen(x), widen(y));
    if (reduces)
      product =
          tile::ReduceOp::create(b, loc, product, tile::ReduceKind::Sum, 0);
    return arith::AddFOp::create(b, loc, acc, product);
  }

  graph::IndexedOp op;
  Value x;
  Windows windows;
};

class Conv : public WindowProgram {
public:
  Conv(graph::ConvOp conv, const TileSizes &sizes)
      : WindowProgram(conv, conv.getX(), conv.getWindows()), conv(conv),
        result(graph::tensorType(conv.getResult()).getShape()) {
    std::optional<DotShape> shape = shapeOf(conv);
    if (!shape) {
      SmallVector<int64_t> tile =
          sizes.block(result, {false, false}, windows.tapCount());
      block = {tile[0], tile[1], 0};
      return;
    }
    groups = shape->batch;
    features = shape->columns;
    channels = shape->depth;
    block = sizes.dot(*shape);
    block.depth = depthOf(channels, block.depth, conv.getW(), sizes);
    // The channels of the next group lie behind those of this one.
    if (groups > 1) {
      block.columns = chooseChunk(features, block.columns);
      block.depth = chooseChunk(channels, block.depth);
    }
  }
  Grid grid() override {
    Grid grid;
    if (groups > 1)
      grid.add(groups, 1);
    // Rows fastest: neighbours share the weights.
    grid.add(features ? features : result[1], block.columns);
    grid.add(result[0], block.rows);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpFoldResult row = positions.back(), column = positions.drop_back().back();
    WindowRows rows(deriver, windows, row, block.rows);
    OpFoldResult group = deriver.b.getIndexAttr(0);
    if (groups > 1)
      group = positions[0];
    bool isProduct = block.depth;
    int64_t parts = isProduct ? llvm::divideCeil(channels, block.depth) : 1;
    FailureOr<Value> total =
        sum(deriver, {block.rows, block.columns}, windows.tapCount() * parts, 1,
            [&](Value step, Value acc) {
              return isProduct ? multiply(deriver, rows, step, parts, group,
                                          column, acc)
                               : scale(deriver, rows, step, column, acc);
            });
    if (failed(total))
      return failure();
    TileSlice slice;
    slice.offsets = {row, channelOf(deriver, group, features, column)};
    slice.sizes = {block.rows, block.columns};
    slice.order = {0, 1};
    return deriver.finish(op->getResult(0), *total, slice);
  }

private:
  /// One tap and one part of the channels.
  FailureOr<Value> multiply(TileDeriver &deriver, WindowRows &rows, Value step,
                            int64_t parts, OpFoldResult group,
                            OpFoldResult column, Value acc) {
    OpBuilder &b = deriver.b;
    Location loc = conv.getLoc();
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    Value tap = step;
    OpFoldResult channel = b.getIndexAttr(0);
    if (parts > 1) {
      tap = arith::DivUIOp::create(b, loc, step, index(parts));
      Value part = arith::RemUIOp::create(b, loc, step, index(parts));
      channel =
          arith::MulIOp::create(b, loc, part, index(block.depth)).getResult();
    }
    FailureOr<Value> left =
        gather(deriver, rows.read(tap),
               channelOf(deriver, group, channels, channel), block.depth);
    TileSlice slice;
    bool transposed = conv.getTransposeW();
    slice.offsets = {tap, group, channel, column};
    slice.sizes = {1, 1, block.depth, block.columns};
    if (transposed) {
      std::swap(slice.offsets[2], slice.offsets[3]);
      std::swap(slice.sizes[2], slice.sizes[3]);
    }
    slice.order = {2, 3};
    // In the order in which memory runs.
    if (deriver.contiguousDim(conv.getW()) == 2) {
      std::swap(slice.order[0], slice.order[1]);
      transposed = !transposed;
    }
    FailureOr<Value> right = deriver.tile(conv.getW(), slice);
    if (failed(left) || failed(right))
      return failure();
    return Value(tile::DotOp::create(b, loc, *left, *right, acc, false,
                                     transposed, conv.getTf32()));
  }

  /// Channels apart from each other: elements times a weight for each tap.
  FailureOr<Value> scale(TileDeriver &deriver, WindowRows &rows, Value tap,
                         OpFoldResult column, Value acc) {
    OpBuilder &b = deriver.b;
    FailureOr<Value> left =
        gather(deriver, rows.read(tap), column, block.columns);
    TileSlice slice;
    slice.offsets = {tap, column, b.getIndexAttr(0), b.getIndexAttr(0)};
    slice.sizes = {1, block.columns, 1, 1};
    slice.order = {1};
    FailureOr<Value> weight = deriver.tile(conv.getW(), slice);
    if (failed(left) || failed(weight))
      return failure();
    Value right = tile::BroadcastOp::create(b, conv.getLoc(), (*left).getType(),
                                            *weight, 0);
    return multiplyAdd(b, *left, right, acc, /*reduces=*/false);
  }

  graph::ConvOp conv;
  ArrayRef<int64_t> result;
  /// Features and channels of a group; 0: one of each in all groups.
  int64_t groups = 1, features = 0, channels = 0;
  DotBlock block; ///< depth 0: element by element
};

class ConvWeights : public WindowProgram {
public:
  ConvWeights(graph::ConvWeightsOp weights, const TileSizes &sizes)
      : WindowProgram(weights, weights.getX(), weights.getWindows()),
        weights(weights),
        result(graph::tensorType(weights.getResult()).getShape()),
        rows(graph::tensorType(weights.getY()).getDimSize(0)) {
    if (std::optional<DotShape> shape = shapeOf(weights)) {
      block = sizes.dot(*shape);
      block.depth = depthOf(rows, block.depth, weights.getY(), sizes);
    } else {
      // Neighbours in memory, as many as vectors are worth.
      block = {0, std::min<int64_t>(result[1], 64),
               chooseChunk(rows, mostDepth)};
    }
  }
  Grid grid() override {
    Grid grid;
    grid.add(result[0], 1);
    if (!block.rows) {
      grid.add(result[1], block.columns);
      return grid;
    }
    if (result[1] > 1)
      grid.add(result[1], 1);
    grid.add(result[3], block.columns);
    grid.add(result[2], block.rows);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    bool isProduct = block.rows;
    OpFoldResult zero = b.getIndexAttr(0), group = zero, column = zero,
                 row = zero;
    Value tap = positions[0];
    if (!isProduct || result[1] > 1)
      group = positions[1];
    if (isProduct) {
      row = positions.back();
      column = positions.drop_back().back();
    }
    auto step = [&](Value from, Value acc) -> FailureOr<Value> {
      WindowRows read(deriver, windows, from, block.depth);
      FailureOr<Value> left = gather(deriver, read.read(tap),
                                     channelOf(deriver, group, result[2], row),
                                     isProduct ? block.rows : block.columns);
      TileSlice slice;
      slice.offsets = {from, channelOf(deriver, group, result[3], column)};
      slice.sizes = {block.depth, block.columns};
      slice.order = {0, 1};
      FailureOr<Value> right = deriver.tile(weights.getY(), slice);
      if (failed(left) || failed(right))
        return failure();
      if (!isProduct)
        return multiplyAdd(b, *left, *right, acc, /*reduces=*/true);
      return Value(tile::DotOp::create(b, weights.getLoc(), *left, *right, acc,
                                       /*transpose_a=*/true,
                                       /*transpose_b=*/false,
                                       weights.getTf32()));
    };
    SmallVector<int64_t> shape{block.columns};
    if (isProduct)
      shape.insert(shape.begin(), block.rows);
    FailureOr<Value> total = sum(deriver, shape, rows, block.depth, step);
    if (failed(total))
      return failure();
    TileSlice slice;
    slice.offsets = {tap, group, row, column};
    slice.sizes = {1, 1, block.rows, block.columns};
    slice.order = {2, 3};
    if (!isProduct) {
      slice.sizes = {1, block.columns, 1, 1};
      slice.order = {1};
    }
    return deriver.finish(op->getResult(0), *total, slice);
  }

private:
  graph::ConvWeightsOp weights;
  ArrayRef<int64_t> result;
  int64_t rows;
  DotBlock block; ///< no rows: element by element
};

} // namespace

std::unique_ptr<TileProgram> tarn::createConv(graph::ConvOp op,
                                              const TileSizes &sizes) {
  return std::make_unique<Conv>(op, sizes);
}

std::unique_ptr<TileProgram> tarn::createConvWeights(graph::ConvWeightsOp op,
                                                     const TileSizes &sizes) {
  return std::make_unique<ConvWeights>(op, sizes);
}
