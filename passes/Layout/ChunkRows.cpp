//===- ChunkRows.cpp - the largest rows of a step, a part at a time -------===//
//
// A product that makes far more per row than it reads (logits: a number per
// word of the vocabulary), what follows row by row, and what the backward pass
// makes of it row by row, up to sums over rows: these ops run for one part of
// the rows after the other, so that only one part of the large values exists
// at a time. What belongs to it is found by the loops of the ops: Liger's fused
// linear cross-entropy (arXiv 2410.10989) is one case of it.
//
//===----------------------------------------------------------------------===//

#include "passes/Layout/Passes.h"

#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Layout/InPlace.h"
#include "passes/Layout/RowRegion.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/MathExtras.h"

namespace tarn {
#define GEN_PASS_DEF_TARNCHUNKROWS
#include "passes/Layout/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// Rows of a part are a multiple of this where there are enough of them: each
/// slice of memory starts at a multiple of 64 bytes.
static constexpr int64_t rowMultiple = 64;

/// Floats that sums of parts are added up in.
static Type sumType(Type element) {
  return element.isBF16() || element.isF16()
             ? Type(Float32Type::get(element.getContext()))
             : element;
}

namespace {

/// Writes a region once per part.
class Chunker {
public:
  Chunker(func::FuncOp function, const RowRegion &region, int64_t count)
      : region(region), b(function.getBody().front().getTerminator()) {
    rows = llvm::divideCeil(region.rows, count);
    if (region.rows >= rowMultiple * count)
      rows = llvm::alignTo(rows, rowMultiple);
    parts = llvm::divideCeil(region.rows, rows);
  }

  int64_t partCount() const { return parts; }
  /// Replaces the region; false, with nothing changed, if an op of it does not
  /// take fewer rows.
  bool run();

private:
  using Cuts = llvm::DenseMap<std::pair<Value, unsigned>, Value>;

  bool buildPart(int64_t part);
  Value cut(Value value, unsigned dim, Cuts &cuts);
  bool retype(Operation *copy, const TiedResults &tied);

  const RowRegion &region;
  OpBuilder b;
  int64_t rows, parts;
  /// Of the part in work.
  int64_t offset = 0, size = 0;
  /// For every exit what the parts made of it: pieces, or the sum so far.
  llvm::DenseMap<Value, SmallVector<Value>> pieces;
  SmallVector<Operation *> built;
};

} // namespace

/// Gives the results of a copy the part's number of rows. An op that works out
/// its own types must agree.
bool Chunker::retype(Operation *copy, const TiedResults &tied) {
  for (auto [result, dim] : llvm::zip(copy->getResults(), tied)) {
    if (dim < 0)
      continue;
    auto type = tensorType(result);
    SmallVector<int64_t> shape(type.getShape());
    shape[size_t(dim)] = size;
    result.setType(type.clone(shape));
  }
  auto inferred = dyn_cast<InferTypeOpInterface>(copy);
  SmallVector<Type> types;
  return !inferred ||
         (succeeded(inferred.inferReturnTypes(
              copy->getContext(), std::nullopt, copy->getOperands(),
              copy->getAttrDictionary(), copy->getPropertiesStorage(),
              copy->getRegions(), types)) &&
          TypeRange(types) == copy->getResultTypes());
}

/// The part's rows of a value from outside: made anew where that costs nothing,
/// else a slice.
Value Chunker::cut(Value value, unsigned dim, Cuts &cuts) {
  if (Value known = cuts.lookup({value, dim}))
    return known;
  auto type = tensorType(value);
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  Operation *op = value.getDefiningOp();
  Value result;
  if (auto constant = dyn_cast_or_null<ConstantOp>(op);
      constant && constant.getValue().isSplat()) {
    result = ConstantOp::create(b, op->getLoc(),
                                cast<DenseElementsAttr>(constant.getValue())
                                    .resizeSplat(type.clone(shape)));
  } else if (std::optional<RowTies> ties = remakeTies(value, dim)) {
    SmallVector<Value> operands;
    for (auto [operand, at] : llvm::zip(op->getOperands(), ties->operands))
      operands.push_back(at < 0 ? operand : cut(operand, unsigned(at), cuts));
    Operation *copy = b.clone(*op);
    copy->setOperands(operands);
    if (retype(copy, ties->results)) {
      result = copy->getResult(cast<OpResult>(value).getResultNumber());
      built.push_back(copy);
    } else {
      copy->erase();
    }
  }
  if (!result) {
    SmallVector<int64_t> offsets(shape.size(), 0);
    offsets[dim] = offset;
    result = SliceOp::create(b, value.getLoc(), value, offsets, shape);
    (void)markInPlace(result.getDefiningOp());
  }
  built.push_back(result.getDefiningOp());
  return cuts[{value, dim}] = result;
}

bool Chunker::buildPart(int64_t part) {
  offset = part * rows;
  size = std::min(rows, region.rows - offset);
  Cuts cuts;
  for (const RowOp &member : region.ops) {
    SmallVector<Value> operands;
    for (auto [operand, at] :
         llvm::zip(member.op->getOperands(), member.ties.operands))
      operands.push_back(at < 0 ? operand : cut(operand, unsigned(at), cuts));
    Operation *copy = b.clone(*member.op);
    built.push_back(copy);
    copy->setOperands(operands);
    if (!retype(copy, member.ties.results))
      return false;
    for (auto [old, now, at] : llvm::zip(
             member.op->getResults(), copy->getResults(), member.ties.results))
      cuts[{old, unsigned(at)}] = now;
  }
  for (const RowExit &exit : region.exits) {
    SmallVector<Value> &list = pieces[exit.value];
    Value now = cuts.lookup({exit.value, unsigned(exit.dim)});
    if (exit.dim >= 0) {
      list.push_back(now);
      continue;
    }
    Type element = tensorType(now).getElementType(), wide = sumType(element);
    if (wide != element) {
      now = CastOp::create(b, now.getLoc(),
                           withElementType(now.getType(), wide), now);
      built.push_back(now.getDefiningOp());
    }
    if (!list.empty()) {
      now = AddOp::create(b, now.getLoc(), list.back(), now);
      built.push_back(now.getDefiningOp());
    }
    list.assign(1, now);
  }
  return true;
}

bool Chunker::run() {
  for (int64_t part = 0; part != parts; ++part) {
    size_t before = built.size();
    bool good = buildPart(part);
    for (Operation *op : ArrayRef(built).drop_front(before))
      setPart(op, part);
    if (!good) {
      for (Operation *op : llvm::reverse(built)) {
        op->dropAllUses();
        op->erase();
      }
      return false;
    }
  }
  for (const RowExit &exit : region.exits) {
    ArrayRef<Value> list = pieces[exit.value];
    Location loc = exit.value.getLoc();
    Value whole = list.front();
    if (exit.dim >= 0 && list.size() > 1) {
      whole = ConcatOp::create(b, loc, list, exit.dim);
      (void)markInPlace(whole.getDefiningOp());
    } else if (whole.getType() != exit.value.getType()) {
      whole = CastOp::create(b, loc, exit.value.getType(), whole);
    }
    Value(exit.value).replaceAllUsesWith(whole);
  }
  for (const RowOp &member : llvm::reverse(region.ops))
    member.op->erase();
  return true;
}

/// Erases what only the region read.
static void eraseDead(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() *
         int64_t(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
}

/// The largest sum over rows: a part needs as much beside it whatever its size.
static int64_t largestSum(const RowRegion &region) {
  int64_t bytes = 0;
  for (const RowExit &exit : region.exits)
    if (exit.dim < 0)
      bytes = std::max(bytes, bytesOf(tensorType(exit.value)));
  return bytes;
}

/// Notes what changed rounding, for reports.
static void note(func::FuncOp function, const RowRegion &region, int64_t parts,
                 int64_t beside) {
  Builder b(function.getContext());
  auto list = function->getAttrOfType<ArrayAttr>("tarn.numerics");
  SmallVector<Attribute> notes;
  if (list)
    notes.assign(list.begin(), list.end());
  int64_t bytes = bytesOf(region.seed), part = bytes / parts;
  notes.push_back(b.getDictionaryAttr(
      {b.getNamedAttr("class", b.getStringAttr("rounding")),
       b.getNamedAttr("text", b.getStringAttr("loss in " + Twine(parts) +
                                              " chunks, logits")),
       b.getNamedAttr("bytes", b.getI64IntegerAttr(bytes - part)),
       b.getNamedAttr("part_bytes", b.getI64IntegerAttr(part)),
       b.getNamedAttr("beside_bytes", b.getI64IntegerAttr(beside)),
       b.getNamedAttr("loc", LocationAttr(region.loc))}));
  function->setAttr("tarn.numerics", b.getArrayAttr(notes));
}

namespace {

struct ChunkRows : tarn::impl::TarnChunkRowsBase<ChunkRows> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal() || chunks < 2)
      return;
    llvm::SmallDenseSet<Operation *> done;
    for (Operation *product : findRowProducts(function)) {
      if (done.contains(product))
        continue; // part of a region that was cut
      std::string reason;
      Operation *at = product;
      std::optional<RowRegion> region = findRowRegion(product, reason, at);
      if (region) {
        Chunker chunker(function, *region, chunks);
        int64_t parts = chunker.partCount(), beside = largestSum(*region);
        for (const RowOp &member : region->ops)
          done.insert(member.op);
        if (parts < 2) {
          reason = "it has too few rows";
        } else if (chunker.run()) {
          (void)sortTopologically(&function.getBody().front());
          eraseDead(function.getBody().front());
          note(function, *region, parts, beside);
          continue;
        } else {
          reason = "an op of it does not take fewer rows";
        }
      }
      if (explain)
        at->emitRemark() << "rows stay whole: " << reason;
    }
  }
};

} // namespace
