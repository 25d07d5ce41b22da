//===- MaterializeTiles.cpp - write the tile program of every cluster -----===//

#include "passes/Tile/Passes.h"

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Tile/Materializer.h"
#include "passes/Tile/Programs.h"
#include "passes/Tile/TileSizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/raw_ostream.h"

namespace tarn {
#define GEN_PASS_DEF_TARNMATERIALIZETILES
#include "passes/Tile/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

std::unique_ptr<TileProgram> tarn::createProgram(graph::ClusterOp cluster,
                                                 Operation *anchor,
                                                 const TileSizes &sizes) {
  if (auto op = dyn_cast<graph::AttentionOp>(anchor))
    return createAttention(op, sizes);
  if (auto op = dyn_cast<graph::AttentionBackwardOp>(anchor))
    return createAttentionBackward(op, sizes);
  if (auto op = dyn_cast<graph::ScatterAddOp>(anchor))
    return createScatterAdd(op);
  if (auto op = dyn_cast<graph::UpdateSliceOp>(anchor))
    return createUpdate(op, sizes);
  if (auto op = dyn_cast<graph::CumsumOp>(anchor))
    return createCumsum(op, sizes);
  if (auto op = dyn_cast<graph::SortOp>(anchor))
    return createSort(op, sizes);
  if (auto op = dyn_cast<graph::TopKOp>(anchor))
    return createTopK(op, sizes);
  if (auto op = dyn_cast<graph::GroupRowsOp>(anchor))
    return createGroupRows(op);
  if (auto op = dyn_cast<graph::GroupedDotOp>(anchor))
    return createGroupedDot(op, sizes);
  if (auto op = dyn_cast<graph::GroupedOuterOp>(anchor))
    return createGroupedOuter(op, sizes);
  anchor->emitOpError("has no tile program");
  return nullptr;
}

std::optional<DotShape> tarn::shapeOf(graph::ProductOp product) {
  std::optional<graph::ProductShape> shape = product.getProductShape();
  if (!shape)
    return std::nullopt;
  Value factor = product->getOperand(product.getFactors()[0]);
  int64_t bits = graph::tensorType(factor).getElementTypeBitWidth();
  return DotShape{shape->batch,
                  shape->rows,
                  shape->columns,
                  shape->depth,
                  int64_t(llvm::divideCeil(bits, 8)),
                  product.isTf32()};
}

namespace {

/// Elementwise work and rows: blocks of the domain.
class BlockProgram : public TileProgram {
public:
  BlockProgram(graph::ClusterOp cluster, const ClusterInfo &info,
               const TileSizes &sizes)
      : cluster(cluster), info(info) {
    // Dims beyond the primary output's are held by reductions; they are those
    // of its own rows, unless it has none.
    rank = graph::tensorType(info.primary).getRank();
    int64_t held = 1;
    if (!llvm::is_contained(ArrayRef(info.whole).take_front(rank), true))
      for (int64_t extent : ArrayRef(info.domain).drop_front(rank))
        held = std::max(held, extent);
    block = sizes.block(ArrayRef(info.domain).take_front(rank),
                        ArrayRef(info.whole).take_front(rank), held);
    // Blocks end where a part of an output does.
    for (Value output : outputs()) {
      WrittenPart part = writtenPartOf(output);
      for (auto [d, dim] : llvm::enumerate(info.ties.find(part.value)->second))
        if (part.isPart(d))
          block[dim] = 1;
    }
  }
  Grid grid() override {
    Grid grid;
    for (int64_t d = 0; d != rank; ++d)
      if (!info.whole[d])
        grid.add(info.domain[d], block[d]);
    if (grid.sizes.empty())
      grid.add(1, 1);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    SmallVector<OpFoldResult> at;
    unsigned next = 0;
    for (int64_t d = 0; d != rank; ++d)
      at.push_back(info.whole[d] ? OpFoldResult(deriver.b.getIndexAttr(0))
                                 : OpFoldResult(positions[next++]));
    // Outputs along dims that a sum takes away from the primary one.
    SmallVector<int64_t> block(this->block);
    for (int64_t d = rank, e = info.domain.size(); d != e; ++d) {
      at.push_back(deriver.b.getIndexAttr(0));
      block.push_back(info.domain[d]);
    }
    SmallVector<std::tuple<Value, Value, TileSlice>> stores;
    for (Value output : outputs()) {
      WrittenPart part = writtenPartOf(output);
      TileSlice slice;
      for (auto [d, dim] :
           llvm::enumerate(info.ties.find(part.value)->second)) {
        slice.offsets.push_back(at[dim]);
        slice.sizes.push_back(block[dim]);
        if (block[dim] > 1)
          slice.order.push_back(d);
      }
      FailureOr<Value> tile = deriver.tile(part.value, slice);
      if (failed(tile))
        return failure();
      stores.push_back({output, *tile, placeOf(deriver.b, part, slice)});
    }
    for (auto &[output, tile, slice] : stores)
      if (failed(deriver.store(output, tile, slice)))
        return failure();
    return success();
  }

private:
  ValueRange outputs() {
    return cluster.getBody().front().getTerminator()->getOperands();
  }

  graph::ClusterOp cluster;
  const ClusterInfo &info;
  SmallVector<int64_t> block;
  int64_t rank;
};

/// One product and the elementwise ops behind it.
class DotProgram : public TileProgram {
public:
  DotProgram(graph::ClusterOp cluster, const ClusterInfo &info,
             const TileSizes &sizes)
      : cluster(cluster), dot(cast<graph::DotOp>(info.anchor)) {
    shape = llvm::to_vector(graph::tensorType(dot.getResult()).getShape());
    rank = shape.size();
    DotShape whole = *shapeOf(dot);
    depth = whole.depth;
    block = sizes.dot(whole);
  }
  Grid grid() override {
    Grid grid;
    for (int64_t d = 0; d + 2 < rank; ++d)
      grid.add(shape[d], 1);
    // Rows fastest: neighbours share the columns of B.
    grid.add(shape[rank - 1], block.columns);
    grid.add(shape[rank - 2], block.rows);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    SmallVector<OpFoldResult> batch(positions.begin(),
                                    positions.begin() + (rank - 2));
    OpFoldResult column = positions[rank - 2], row = positions[rank - 1];
    auto accType =
        RankedTensorType::get({block.rows, block.columns}, b.getF32Type());
    Location loc = dot.getLoc();
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(accType));
    auto multiply = [&](OpFoldResult k, Value acc) -> FailureOr<Value> {
      bool ta, tb;
      FailureOr<Value> x = operand(deriver, dot.getA(), batch, row, block.rows,
                                   k, !dot.getTransposeA(), ta);
      FailureOr<Value> y = operand(deriver, dot.getB(), batch, column,
                                   block.columns, k, dot.getTransposeB(), tb);
      if (failed(x) || failed(y))
        return failure();
      // `operand` says whether k is the tile's last dim.
      return Value(
          tile::DotOp::create(b, loc, *x, *y, acc, !ta, tb, dot.getTf32()));
    };
    FailureOr<Value> product;
    if (block.depth == depth) {
      product = multiply(b.getIndexAttr(0), zero);
    } else {
      auto index = [&](int64_t value) {
        return arith::ConstantIndexOp::create(b, loc, value);
      };
      auto loop = scf::ForOp::create(b, loc, index(0), index(depth),
                                     index(block.depth), zero);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      deriver.enterLoop();
      product = multiply(OpFoldResult(loop.getInductionVar()),
                         loop.getRegionIterArg(0));
      deriver.leaveLoop();
      if (failed(product))
        return failure();
      scf::YieldOp::create(b, loc, *product);
      product = loop.getResult(0);
    }
    if (failed(product))
      return failure();
    TileSlice slice;
    slice.offsets = batch;
    slice.offsets.append({row, column});
    slice.sizes.assign(rank - 2, 1);
    slice.sizes.append({block.rows, block.columns});
    slice.order = {rank - 2, rank - 1};
    return deriver.finish(dot.getResult(), *product, slice);
  }

private:
  /// A tile of one operand: `extent` of its own dim from `at`, a step of the
  /// summed dim from `k`. `depthLast` says how the operand is stored; the tile
  /// is taken in the order in which memory runs, and `result` says whether the
  /// summed dim is the tile's last.
  FailureOr<Value> operand(TileDeriver &deriver, Value value,
                           ArrayRef<OpFoldResult> batch, OpFoldResult at,
                           int64_t extent, OpFoldResult k, bool depthLast,
                           bool &result) {
    TileSlice slice;
    slice.offsets.assign(batch.begin(), batch.end());
    slice.sizes.assign(rank - 2, 1);
    if (depthLast) {
      slice.offsets.append({at, k});
      slice.sizes.append({extent, block.depth});
    } else {
      slice.offsets.append({k, at});
      slice.sizes.append({block.depth, extent});
    }
    slice.order = {rank - 2, rank - 1};
    result = depthLast;
    if (deriver.contiguousDim(value) == rank - 2) {
      std::swap(slice.order[0], slice.order[1]);
      result = !result;
    }
    return deriver.tile(value, slice);
  }

  graph::ClusterOp cluster;
  graph::DotOp dot;
  SmallVector<int64_t> shape;
  int64_t rank, depth;
  DotBlock block;
};

/// One reduction, block of terms after block of terms.
class SerialProgram : public TileProgram {
public:
  SerialProgram(graph::ClusterOp cluster, const ClusterInfo &info)
      : cluster(cluster), op(cast<graph::IndexedOp>(info.anchor)) {
    bounds = op.getLoopBounds();
    for (auto [loop, kind] : llvm::enumerate(op.getLoopKinds()))
      isReduced.push_back(kind == utils::IteratorType::reduction);
    block.assign(bounds.size(), 1);
    // The innermost loop in vectors; one reduced loop in chunks beside it.
    int64_t spanned = 0;
    for (size_t i = bounds.size(); i-- > 0;) {
      if (bounds[i] == 1)
        continue;
      if (spanned == 0)
        block[i] = isReduced[i] ? chooseChunk(bounds[i], 4096)
                                : std::min<int64_t>(bounds[i], 64);
      else if (spanned == 1 && isReduced[i])
        block[i] = chooseChunk(bounds[i], 64);
      else
        continue;
      ++spanned;
    }
  }
  Grid grid() override {
    Grid grid;
    for (auto [bound, tile, reduced] : llvm::zip(bounds, block, isReduced))
      if (!reduced)
        grid.add(bound, tile);
    if (grid.sizes.empty())
      grid.add(1, 1);
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange positions) override {
    OpBuilder &b = deriver.b;
    Location loc = op->getLoc();
    TileSlice loops, output;
    unsigned next = 0;
    for (size_t i = 0; i != bounds.size(); ++i) {
      loops.offsets.push_back(isReduced[i] ? OpFoldResult(b.getIndexAttr(0))
                                           : OpFoldResult(positions[next++]));
      loops.sizes.push_back(block[i]);
    }
    SmallVector<AffineMap> maps = op.getIndexingMaps();
    SmallVector<int64_t> kept;
    for (auto [d, expr] : llvm::enumerate(maps.back().getResults())) {
      int64_t loop = cast<AffineDimExpr>(expr).getPosition();
      output.offsets.push_back(loops.offsets[loop]);
      output.sizes.push_back(block[loop]);
      if (block[loop] > 1) {
        output.order.push_back(d);
        kept.push_back(loop);
      }
    }
    Type element = graph::tensorType(op->getResult(0)).getElementType();
    Type wide = element.isBF16() || element.isF16() ? b.getF32Type() : element;
    SmallVector<int64_t> shape;
    for (int64_t d : output.order)
      shape.push_back(output.sizes[d]);
    auto type = RankedTensorType::get(shape, wide);
    bool sum = op.getCombiner() == arith::AtomicRMWKind::addf ||
               op.getCombiner() == arith::AtomicRMWKind::addi;
    Value start = neutral(b, loc, type, sum);
    FailureOr<Value> total = sumLoops(deriver, loops, 0, start, sum);
    if (failed(total))
      return failure();
    Value value = *total;
    if (wide != element)
      value = arith::TruncFOp::create(b, loc, type.clone(element), value);
    return deriver.store(op->getResult(0), value, output);
  }

private:
  static Value neutral(OpBuilder &b, Location loc, RankedTensorType type,
                       bool sum) {
    if (sum)
      return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    if (auto integers = dyn_cast<IntegerType>(type.getElementType()))
      return arith::ConstantOp::create(
          b, loc,
          DenseElementsAttr::get(
              type, llvm::APInt::getSignedMinValue(integers.getWidth())));
    auto floats = cast<FloatType>(type.getElementType());
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(
            type, llvm::APFloat::getInf(floats.getFloatSemantics(), true)));
  }

  /// Loops over the reduced dims from `loop` on, adding to `start`.
  FailureOr<Value> sumLoops(TileDeriver &deriver, TileSlice &loops, size_t loop,
                            Value start, bool sum) {
    OpBuilder &b = deriver.b;
    Location loc = op->getLoc();
    while (loop != bounds.size() &&
           (!isReduced[loop] || bounds[loop] == block[loop]))
      ++loop;
    if (loop == bounds.size())
      return addTerms(deriver, loops, start, sum);
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    auto nest = scf::ForOp::create(b, loc, index(0), index(bounds[loop]),
                                   index(block[loop]), start);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(nest.getBody());
      deriver.enterLoop();
      loops.offsets[loop] = nest.getInductionVar();
      FailureOr<Value> next =
          sumLoops(deriver, loops, loop + 1, nest.getRegionIterArg(0), sum);
      deriver.leaveLoop();
      if (failed(next))
        return failure();
      scf::YieldOp::create(b, loc, *next);
    }
    return Value(nest.getResult(0));
  }

  FailureOr<Value> addTerms(TileDeriver &deriver, const TileSlice &loops,
                            Value start, bool sum) {
    OpBuilder &b = deriver.b;
    Location loc = op->getLoc();
    // Kept dims first, then the reduced ones, which go away from the back.
    AffineMap map = op.getIndexingMaps()[0];
    TileSlice terms;
    SmallVector<int64_t> keptDims, reducedDims;
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      int64_t loop = cast<AffineDimExpr>(expr).getPosition();
      terms.offsets.push_back(loops.offsets[loop]);
      terms.sizes.push_back(loops.sizes[loop]);
      if (block[loop] == 1)
        continue;
      (isReduced[loop] ? reducedDims : keptDims).push_back(d);
    }
    // In the order of memory: an outer dim that goes away stays in front.
    bool outerFirst = !keptDims.empty() && !reducedDims.empty() &&
                      reducedDims.back() < keptDims.front();
    if (outerFirst) {
      terms.order = reducedDims;
      llvm::append_range(terms.order, keptDims);
    } else {
      terms.order = keptDims;
      llvm::append_range(terms.order, reducedDims);
    }
    FailureOr<Value> tile = deriver.tile(op->getOperand(0), terms);
    if (failed(tile))
      return failure();
    Value value = *tile;
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getElementType().isBF16() || type.getElementType().isF16())
      value = arith::ExtFOp::create(b, loc, type.clone(b.getF32Type()), value);
    for (size_t i = 0; i != reducedDims.size(); ++i) {
      int64_t axis =
          outerFirst ? int64_t(reducedDims.size() - 1 - i)
                     : cast<RankedTensorType>(value.getType()).getRank() - 1;
      value = tile::ReduceOp::create(
          b, loc, value, sum ? tile::ReduceKind::Sum : tile::ReduceKind::Max,
          axis);
    }
    if (sum && isa<FloatType>(getElementTypeOrSelf(value.getType())))
      return Value(arith::AddFOp::create(b, loc, start, value));
    if (sum)
      return Value(arith::AddIOp::create(b, loc, start, value));
    if (isa<IntegerType>(getElementTypeOrSelf(value.getType())))
      return Value(arith::MaxSIOp::create(b, loc, start, value));
    return Value(arith::MaximumFOp::create(b, loc, start, value));
  }

  graph::ClusterOp cluster;
  graph::IndexedOp op;
  SmallVector<int64_t> bounds, block;
  SmallVector<bool> isReduced;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createProgram(graph::ClusterOp cluster,
                                                 const ClusterInfo &info,
                                                 const TileSizes &sizes) {
  switch (info.kind) {
  case ClusterKind::elementwise:
  case ClusterKind::row:
    return std::make_unique<BlockProgram>(cluster, info, sizes);
  case ClusterKind::serial:
    return std::make_unique<SerialProgram>(cluster, info);
  case ClusterKind::dot:
    if (auto conv = dyn_cast<graph::ConvOp>(info.anchor))
      return createConv(conv, sizes);
    if (auto weights = dyn_cast<graph::ConvWeightsOp>(info.anchor))
      return createConvWeights(weights, sizes);
    return std::make_unique<DotProgram>(cluster, info, sizes);
  case ClusterKind::program:
    return createProgram(cluster, info.anchor, sizes);
  }
  llvm_unreachable("a kind without a program");
}

namespace {

struct MaterializeTiles
    : tarn::impl::TarnMaterializeTilesBase<MaterializeTiles> {
  using Base::Base;

  /// Notes who runs products.
  LogicalResult noteProducts() {
    std::optional<Tuning> tuning;
    if (!tuneFile.empty()) {
      rt::Result<Tuning> read = readTuning(tuneFile);
      if (!read.ok()) {
        getOperation()->setAttr("tarn.bad_option",
                                UnitAttr::get(&getContext()));
        return emitError(UnknownLoc::get(&getContext()),
                         read.status().message());
      }
      tuning = read.take();
    }
    if (DictionaryAttr says = describeGemm(&getContext(), gemm, architecture,
                                           tuning ? &*tuning : nullptr))
      getOperation()->setAttr(gemmAttr, says);
    return success();
  }

  void runOnOperation() override {
    if (forGpu)
      setMachine(getOperation(), Machine::gpu, architecture);
    if (forGpu && failed(noteProducts()))
      return signalPassFailure();
    Materializer materializer(getOperation());
    SmallVector<graph::ClusterOp> clusters;
    getOperation().walk(
        [&](graph::ClusterOp cluster) { clusters.push_back(cluster); });
    for (graph::ClusterOp cluster : clusters)
      if (failed(materializer.visit(cluster)))
        return signalPassFailure();
  }
};

} // namespace
