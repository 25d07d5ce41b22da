//===- Dot.cpp - matrix products on register tiles ------------------------===//
//
// C is computed in register tiles of a few rows by two vectors. The rows of a
// block are split into panels of two heights that differ by one, so that no
// mask is needed; columns are padded to whole vectors. B is packed into panels
// that the innermost loop reads in order; A's elements are broadcast from where
// they lie.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

namespace tarn::cpu {

class DotEmitter {
public:
  DotEmitter(Emitter &e, tile::DotOp dot)
      : e(e), dot(dot), b(e.b), loc(dot.getLoc()) {}
  LogicalResult emit();

private:
  LogicalResult findA();
  bool scattersPages();
  LogicalResult packA();
  Value elementOfA(Value row, Value k);
  LogicalResult packRows(Value firstColumn, int64_t columns);
  LogicalResult packTransposed(Value firstColumn, int64_t columns);
  void emitTile(int64_t height, Value firstRow, Value firstColumn);
  Value factor(Value vector);
  void transposeEight(SmallVectorImpl<Value> &rows);
  bool staysInPlace(tile::LoadOp load);

  Emitter &e;
  tile::DotOp dot;
  OpBuilder &b;
  Location loc;
  int64_t rows, columns, depth, width, vectors;
  bool start; ///< the accumulator is zero: set C instead of adding to it
  Storage c;
  /// A in scratch, or in a buffer.
  Storage a;
  tile::LoadOp loadA;
  /// A packed in panels of a register tile's rows: [panel][k][row].
  Value panelsOfA;
  /// Rows of the higher panels, their number, and the number of lower ones.
  int64_t tall, talls, lows;
  Value panel;
};

} // namespace tarn::cpu

/// Elements of an operand as they are multiplied: f32, rounded to tf32 where
/// the product says so.
Value DotEmitter::factor(Value vector) {
  Value x = e.convertFloat(vector, b.getF32Type());
  return dot.getTf32() ? e.roundToTf32(x) : x;
}

/// A tile of f32 inside a buffer may be read where it lies.
bool DotEmitter::staysInPlace(tile::LoadOp load) {
  auto buffer = cast<MemRefType>(load.getBuffer().getType());
  if (!buffer.getElementType().isF32() || dot.getTf32())
    return false;
  SmallVector<OpFoldResult> at = load.getMixedPositions();
  SmallVector<int64_t> dims = load.getTileDims();
  for (int64_t d = 0, rank = buffer.getRank(); d != rank; ++d) {
    const auto *spanned = llvm::find(dims, d);
    int64_t extent =
        spanned == dims.end()
            ? 1
            : load.getTileType().getDimSize(spanned - dims.begin());
    if (!staysInside(e.kernel, at[d], extent, buffer.getDimSize(d)))
      return false;
  }
  return true;
}

LogicalResult DotEmitter::findA() {
  Value value = dot.getA();
  auto found = e.storages.find(value);
  if (found != e.storages.end() && !dot.getTf32() &&
      cast<RankedTensorType>(value.getType()).getElementType().isF32()) {
    a = found->second;
    return success();
  }
  if (auto load = value.getDefiningOp<tile::LoadOp>();
      load && staysInPlace(load)) {
    loadA = load;
    return success();
  }
  // Anything else is copied, as f32.
  auto type = cast<RankedTensorType>(value.getType());
  a = e.allocate(type.clone(b.getF32Type()));
  OpBuilder::InsertionGuard guard(b);
  auto loop = scf::ForOp::create(b, loc, e.constantIndex(0),
                                 e.constantIndex(type.getDimSize(0)),
                                 e.constantIndex(1));
  b.setInsertionPointToStart(loop.getBody());
  int64_t extent = type.getDimSize(1), lanes = e.mainLanes(extent);
  auto piece = [&](Value at, int64_t count) -> LogicalResult {
    e.memo.clear();
    Point point{{loop.getInductionVar(), at}, count};
    FailureOr<Value> vector = e.evaluate(value, point);
    e.memo.clear();
    if (failed(vector))
      return failure();
    e.storeStorage(a, factor(*vector), point);
    return success();
  };
  int64_t whole = extent / lanes * lanes;
  {
    OpBuilder::InsertionGuard inner(b);
    auto across =
        scf::ForOp::create(b, loc, e.constantIndex(0), e.constantIndex(whole),
                           e.constantIndex(lanes));
    b.setInsertionPointToStart(across.getBody());
    if (failed(piece(across.getInductionVar(), lanes)))
      return failure();
  }
  for (int64_t at = whole; at < extent; at += lanes) {
    while (lanes > extent - at)
      lanes /= 2;
    if (failed(piece(e.constantIndex(at), lanes)))
      return failure();
  }
  return success();
}

/// A is read in place and transposed, and nearly each k is in a page of its
/// own: more than the translation buffer holds.
bool DotEmitter::scattersPages() {
  if (!loadA || !dot.getTransposeA() || columns <= 2 * width)
    return false;
  auto shape = cast<MemRefType>(loadA.getBuffer().getType()).getShape();
  int64_t stride = 1;
  for (int64_t extent : shape.drop_front(loadA.getTileDims()[0] + 1))
    stride *= extent;
  return stride * int64_t(sizeof(float)) > 2048 && depth >= 64;
}

/// A is stored as [k, row]: its rows are cut into the panels' pieces.
LogicalResult DotEmitter::packA() {
  panelsOfA = e.newScratch(rows * depth, b.getF32Type());
  OpBuilder::InsertionGuard guard(b);
  auto loop = scf::ForOp::create(b, loc, e.constantIndex(0),
                                 e.constantIndex(depth), e.constantIndex(1));
  b.setInsertionPointToStart(loop.getBody());
  Value k = loop.getInductionVar();
  auto strip = [&](int64_t height, int64_t from,
                   int64_t number) -> LogicalResult {
    if (number == 0)
      return success();
    OpBuilder::InsertionGuard inner(b);
    auto each = scf::ForOp::create(b, loc, e.constantIndex(from),
                                   e.constantIndex(from + number * height),
                                   e.constantIndex(height));
    b.setInsertionPointToStart(each.getBody());
    Value row = each.getInductionVar();
    Value to = e.add(e.scale(row, depth), e.scale(k, height));
    for (int64_t at = 0, lanes = e.level.lanes; at != height; at += lanes) {
      while (lanes > height - at)
        lanes /= 2;
      e.memo.clear();
      FailureOr<Value> piece = e.evaluate(
          dot.getA(), Point{{k, e.add(row, e.constantIndex(at))}, lanes});
      e.memo.clear();
      if (failed(piece))
        return failure();
      vector::StoreOp::create(b, loc, *piece, panelsOfA,
                              e.add(to, e.constantIndex(at)));
    }
    return success();
  };
  if (failed(strip(tall, 0, talls)))
    return failure();
  return strip(tall - 1, talls * tall, lows);
}

/// Element (row, k) of op(A).
Value DotEmitter::elementOfA(Value row, Value k) {
  Value i = dot.getTransposeA() ? k : row, j = dot.getTransposeA() ? row : k;
  if (!loadA)
    return memref::LoadOp::create(b, loc, a.memref, e.linearIndex(a, {i, j}));
  SmallVector<Value> index;
  SmallVector<int64_t> dims = loadA.getTileDims();
  for (auto [d, position] : llvm::enumerate(loadA.getMixedPositions())) {
    Value at = e.indexOf(position);
    if (int64_t(d) == dims[0])
      at = e.add(at, i);
    else if (int64_t(d) == dims[1])
      at = e.add(at, j);
    index.push_back(at);
  }
  return memref::LoadOp::create(
      b, loc, e.scalars.lookup<Value>(loadA.getBuffer()), index);
}

/// Rows of 8 f32 -> their transposition, in 24 shuffles.
void DotEmitter::transposeEight(SmallVectorImpl<Value> &rows) {
  auto shuffle = [&](Value x, Value y, ArrayRef<int64_t> mask) -> Value {
    return vector::ShuffleOp::create(b, loc, x, y, mask);
  };
  SmallVector<Value> t, u;
  for (int i = 0; i != 8; i += 2) {
    t.push_back(shuffle(rows[i], rows[i + 1], {0, 8, 1, 9, 4, 12, 5, 13}));
    t.push_back(shuffle(rows[i], rows[i + 1], {2, 10, 3, 11, 6, 14, 7, 15}));
  }
  for (int half : {0, 4})
    for (int odd : {0, 1}) {
      Value x = t[half + odd], y = t[half + odd + 2];
      u.push_back(shuffle(x, y, {0, 1, 8, 9, 4, 5, 12, 13}));
      u.push_back(shuffle(x, y, {2, 3, 10, 11, 6, 7, 14, 15}));
    }
  for (int i = 0; i != 4; ++i) {
    rows[i] = shuffle(u[i], u[i + 4], {0, 1, 2, 3, 8, 9, 10, 11});
    rows[i + 4] = shuffle(u[i], u[i + 4], {4, 5, 6, 7, 12, 13, 14, 15});
  }
}

/// B[k, column..] is contiguous: copy rows of the panel.
LogicalResult DotEmitter::packRows(Value firstColumn, int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  auto loop = scf::ForOp::create(b, loc, e.constantIndex(0),
                                 e.constantIndex(depth), e.constantIndex(1));
  b.setInsertionPointToStart(loop.getBody());
  Value k = loop.getInductionVar();
  Value rowStart = e.scale(k, width);
  for (int64_t at = 0; at < width;) {
    int64_t left = count - at, lanes = std::min(e.level.lanes, width - at);
    Value vector;
    if (left <= 0) {
      vector = e.zeroOf(VectorType::get(lanes, b.getF32Type()));
    } else {
      while (lanes > left)
        lanes /= 2;
      e.memo.clear();
      FailureOr<Value> loaded = e.evaluate(
          dot.getB(),
          Point{{k, e.add(firstColumn, e.constantIndex(at))}, lanes});
      e.memo.clear();
      if (failed(loaded))
        return failure();
      vector = factor(*loaded);
    }
    vector::StoreOp::create(b, loc, vector, panel,
                            e.add(rowStart, e.constantIndex(at)));
    at += lanes;
  }
  return success();
}

/// B is stored as [column, k]: transpose blocks of 8 by 8.
LogicalResult DotEmitter::packTransposed(Value firstColumn, int64_t count) {
  auto load = [&](Value column, Value k, int64_t lanes) -> FailureOr<Value> {
    e.memo.clear();
    FailureOr<Value> loaded = e.evaluate(dot.getB(), Point{{column, k}, lanes});
    e.memo.clear();
    if (failed(loaded))
      return failure();
    return factor(*loaded);
  };
  auto eight = VectorType::get(8, b.getF32Type());
  int64_t whole = depth / 8 * 8;
  {
    OpBuilder::InsertionGuard guard(b);
    auto loop = scf::ForOp::create(b, loc, e.constantIndex(0),
                                   e.constantIndex(whole), e.constantIndex(8));
    b.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    for (int64_t at = 0; at < width; at += 8) {
      SmallVector<Value> lines;
      for (int64_t line = 0; line != 8; ++line) {
        if (at + line >= count) {
          lines.push_back(e.zeroOf(eight));
          continue;
        }
        FailureOr<Value> loaded =
            load(e.add(firstColumn, e.constantIndex(at + line)), k, 8);
        if (failed(loaded))
          return failure();
        lines.push_back(*loaded);
      }
      transposeEight(lines);
      for (auto [i, line] : llvm::enumerate(lines)) {
        Value row = e.scale(e.add(k, e.constantIndex(i)), width);
        vector::StoreOp::create(b, loc, line, panel,
                                e.add(row, e.constantIndex(at)));
      }
    }
  }
  for (int64_t k = whole; k != depth; ++k)
    for (int64_t at = 0; at != width; ++at) {
      Value element = e.zeroOf(VectorType::get(1, b.getF32Type()));
      if (at < count) {
        FailureOr<Value> loaded = load(e.add(firstColumn, e.constantIndex(at)),
                                       e.constantIndex(k), 1);
        if (failed(loaded))
          return failure();
        element = *loaded;
      }
      vector::StoreOp::create(b, loc, element, panel,
                              e.constantIndex(k * width + at));
    }
  return success();
}

/// One register tile: `height` rows by `width` columns over the whole depth.
void DotEmitter::emitTile(int64_t height, Value firstRow, Value firstColumn) {
  auto vectorType = VectorType::get(e.level.lanes, b.getF32Type());
  SmallVector<Value> zeros(height * vectors, e.zeroOf(vectorType));
  Value panelStart = e.scale(firstRow, depth);
  auto loop =
      scf::ForOp::create(b, loc, e.constantIndex(0), e.constantIndex(depth),
                         e.constantIndex(1), zeros);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    Value rowStart = e.scale(k, width);
    SmallVector<Value> columnsOfB, sums(loop.getRegionIterArgs());
    for (int64_t v = 0; v != vectors; ++v)
      columnsOfB.push_back(vector::LoadOp::create(
          b, loc, vectorType, panel,
          e.add(rowStart, e.constantIndex(v * e.level.lanes))));
    for (int64_t i = 0; i != height; ++i) {
      Value scalar;
      if (panelsOfA)
        scalar = memref::LoadOp::create(
            b, loc, panelsOfA,
            ValueRange{e.add(e.add(panelStart, e.scale(k, height)),
                             e.constantIndex(i))});
      else
        scalar = elementOfA(e.add(firstRow, e.constantIndex(i)), k);
      Value spread = vector::BroadcastOp::create(b, loc, vectorType, scalar);
      for (int64_t v = 0; v != vectors; ++v) {
        Value &sum = sums[i * vectors + v];
        sum = math::FmaOp::create(b, loc, spread, columnsOfB[v], sum);
      }
    }
    scf::YieldOp::create(b, loc, sums);
  }
  for (int64_t i = 0; i != height; ++i)
    for (int64_t v = 0; v != vectors; ++v) {
      Value row = e.scale(e.add(firstRow, e.constantIndex(i)), c.pitch);
      Value at =
          e.add(row, e.add(firstColumn, e.constantIndex(v * e.level.lanes)));
      Value sum = loop.getResult(i * vectors + v);
      if (!start)
        sum = arith::AddFOp::create(
            b, loc, vector::LoadOp::create(b, loc, vectorType, c.memref, at),
            sum);
      vector::StoreOp::create(b, loc, sum, c.memref, at);
    }
}

LogicalResult DotEmitter::emit() {
  RankedTensorType type = dot.getResult().getType();
  if (!type.getElementType().isF32())
    return dot.emitOpError("in f64 is not supported by the CPU target yet");
  if (failed(e.flush()))
    return failure();
  rows = type.getDimSize(0);
  columns = type.getDimSize(1);
  depth = dot.getK();
  int64_t lanes = e.level.lanes;
  vectors = columns > lanes ? 2 : 1;
  width = vectors * lanes;
  start = matchPattern(dot.getAcc(), m_AnyZeroFloat());

  // C: the accumulator's own memory when it has some.
  int64_t pitch = llvm::alignTo(columns, width);
  auto found = e.storages.find(dot.getAcc());
  // (Not from outside of a loop: every turn starts with the same values.)
  if (found != e.storages.end() && found->second.pitch == pitch &&
      dot.getAcc().getParentBlock() == dot->getBlock() &&
      !matchPattern(dot.getAcc(), m_Constant())) {
    c = found->second;
  } else {
    c = e.allocate(type, pitch);
    if (!start && failed(e.materialize(dot.getAcc(), c)))
      return failure();
  }
  // Two heights that differ by one and fill the rows exactly.
  int64_t most = e.level.registers == 32 ? 28 / vectors : 12 / vectors;
  most = std::min<int64_t>(most, e.level.registers == 32 ? 14 : 6);
  int64_t panels = llvm::divideCeil(rows, most);
  tall = rows / panels + 1;
  talls = rows % panels;
  lows = panels - talls;
  if (failed(findA()))
    return failure();
  if (scattersPages() && failed(packA()))
    return failure();
  panel = e.newScratch(depth * width, b.getF32Type());

  auto column = [&](Value first, int64_t count) -> LogicalResult {
    if (failed(dot.getTransposeB() ? packTransposed(first, count)
                                   : packRows(first, count)))
      return failure();
    auto strip = [&](int64_t height, int64_t from, int64_t number) {
      if (number == 0)
        return;
      OpBuilder::InsertionGuard guard(b);
      auto loop = scf::ForOp::create(b, loc, e.constantIndex(from),
                                     e.constantIndex(from + number * height),
                                     e.constantIndex(height));
      b.setInsertionPointToStart(loop.getBody());
      emitTile(height, loop.getInductionVar(), first);
    };
    strip(tall, 0, talls);
    strip(tall - 1, talls * tall, lows);
    return success();
  };
  int64_t whole = columns / width * width;
  if (whole) {
    OpBuilder::InsertionGuard guard(b);
    auto loop =
        scf::ForOp::create(b, loc, e.constantIndex(0), e.constantIndex(whole),
                           e.constantIndex(width));
    b.setInsertionPointToStart(loop.getBody());
    if (failed(column(loop.getInductionVar(), width)))
      return failure();
  }
  if (whole != columns &&
      failed(column(e.constantIndex(whole), columns - whole)))
    return failure();
  e.storages[dot.getResult()] = c;
  return success();
}

LogicalResult Emitter::emitDot(tile::DotOp dot) {
  return DotEmitter(*this, dot).emit();
}
