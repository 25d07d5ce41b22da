//===- SplitReductions.cpp - reduce many terms in two stages --------------===//

#include "passes/Layout/Passes.h"
#include "passes/Layout/Reshapes.h"
#include "passes/Tile/TileSizes.h"

#include "dialects/Tarn/TarnOps.h"

namespace tarn {
#define GEN_PASS_DEF_TARNSPLITREDUCTIONS
#include "passes/Layout/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// Fewer terms are no work for a block.
static constexpr int64_t leastTerms = 256;
/// Neighbouring results that a block makes of leading dims, and terms of each
/// that are worth a block.
static constexpr int64_t blockColumns = 64, leastRows = 64;

/// The largest divisor of `extent` up to `most`.
static int64_t divisorOf(int64_t extent, int64_t most) {
  for (int64_t size = std::min(extent, most); size > 1; --size)
    if (extent % size == 0)
      return size;
  return 1;
}

/// Whether every element of a value is one number of the program.
static bool isSplat(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant && constant.getValue().isSplat();
}

/// Whether the reader of a reshape of this op's result may do the op itself:
/// nobody else waits for the result, or it costs no more to read than what it
/// is made from.
static bool isMadeByReader(Operation *op) {
  if (!isPlainElementwise(op))
    return false;
  if (llvm::all_equal(op->getUsers()))
    return true;
  auto cost = dyn_cast<Recomputable>(op);
  return cost && cost.getRecomputeClass() == RecomputeClass::cheap &&
         llvm::count_if(op->getOperands(),
                        [](Value operand) { return !isSplat(operand); }) == 1;
}

namespace {

/// Writes a value in another shape, the elementwise ops and broadcasts above it
/// as well.
class Reshaper {
public:
  explicit Reshaper(OpBuilder &b) : b(b) {}

  Value operator()(Value value, ArrayRef<int64_t> shape) {
    for (auto &[from, result] : made)
      if (from == value && tensorType(result).getShape() == shape)
        return result;
    Value result = make(value, shape);
    made.emplace_back(value, result);
    return result;
  }

private:
  Value make(Value value, ArrayRef<int64_t> shape) {
    if (auto broadcast = value.getDefiningOp<BroadcastOp>())
      if (std::optional<FoldedBroadcast> folded =
              foldBroadcast(broadcast, shape))
        return BroadcastOp::create(
            b, broadcast.getLoc(), tensorType(value).clone(shape),
            (*this)(broadcast.getX(), folded->shape), folded->dims);
    Operation *op = value.getDefiningOp();
    if (!op || !isMadeByReader(op))
      return reshaped(b, value.getLoc(), value, shape);
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.operands.push_back((*this)(operand, shape));
    state.attributes = op->getAttrs();
    state.types.push_back(tensorType(value).clone(shape));
    return b.create(state)->getResult(0);
  }

  OpBuilder &b;
  SmallVector<std::pair<Value, Value>> made;
};

} // namespace

/// The terms of a block of a reduction to one number; 0 = it stays whole.
static int64_t blockOfNumber(int64_t terms, int64_t most) {
  if (terms <= most)
    return 0;
  int64_t block = divisorOf(terms, most / 2);
  return block < leastTerms ? 0 : block;
}

/// The same of a reduction of leading dims to `results` numbers, which has a
/// block for each `blockColumns` of them.
static int64_t blockOfColumns(int64_t terms, int64_t results, int64_t blocks) {
  int64_t parts = blocks / llvm::divideCeil(results, blockColumns);
  if (parts < 2 || terms < 2 * leastTerms)
    return 0;
  int64_t block = divisorOf(terms, std::max(terms / parts, leastRows));
  return block < leastRows ? 0 : block;
}

/// Splits `op` where it has less than `blocks` blocks, or makes one number of
/// more than `most` terms.
template <typename ReduceOpTy>
static void split(ReduceOpTy op, int64_t most, int64_t blocks) {
  auto type = tensorType(op.getResult());
  int64_t results = type.getNumElements();
  int64_t terms = tensorType(op.getX()).getNumElements() / results;
  ArrayRef<int64_t> dims = op.getDims();
  bool isLeading = dims.empty() || dims.back() + 1 == int64_t(dims.size());
  int64_t block = results == 1 ? blockOfNumber(terms, most)
                  : isLeading  ? blockOfColumns(terms, results, blocks)
                               : 0;
  if (block == 0)
    return;
  OpBuilder b(op);
  Location loc = op.getLoc();
  SmallVector<int64_t> shape{terms / block, block};
  if (results != 1)
    llvm::append_range(shape, type.getShape());
  Value x = Reshaper(b)(op.getX(), shape);
  // Short floats are rounded once, at the end.
  bool isShort =
      type.getElementType().isBF16() || type.getElementType().isF16();
  if (isShort)
    x = CastOp::create(b, loc, tensorType(x).clone(b.getF32Type()), x);
  for (int64_t dim : {1, 0}) {
    auto stage = ReduceOpTy::create(b, loc, x, ArrayRef<int64_t>{dim});
    stage->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    x = stage;
  }
  if (isShort)
    x = CastOp::create(b, loc, tensorType(x).clone(type.getElementType()), x);
  op.replaceAllUsesWith(reshaped(b, loc, x, type.getShape()));
}

/// Splits the terms of a product of two values along their first dims (the
/// gradient of a weight) where its blocks would leave much of a device idle: a
/// batch of products, and their sum.
static void splitProduct(DotOp op, const TileSizes &sizes) {
  auto type = tensorType(op.getResult());
  if (type.getRank() != 2 || !op.getTransposeA() || op.getTransposeB())
    return;
  RankedTensorType a = tensorType(op.getA());
  int64_t terms = a.getShape().front();
  int64_t parts = sizes.dotParts(
      {1, type.getDimSize(0), type.getDimSize(1), terms,
       int64_t(llvm::divideCeil(a.getElementTypeBitWidth(), 8)), op.getTf32()});
  if (parts < 2)
    return;
  OpBuilder b(op);
  Location loc = op.getLoc();
  // As they are: what a block of a product makes of its operands, others make
  // again.
  auto inParts = [&](Value value) {
    int64_t shape[] = {parts, terms / parts, tensorType(value).getDimSize(1)};
    return reshaped(b, loc, value, shape);
  };
  Type partial =
      type.getElementType().isF64() ? b.getF64Type() : Type(b.getF32Type());
  auto products =
      DotOp::create(b, loc, inParts(op.getA()), inParts(op.getB()),
                    /*transposeA=*/true, /*transposeB=*/false, partial);
  products.setTf32(op.getTf32());
  Value result = products;
  auto sum = ReduceSumOp::create(b, loc, result, ArrayRef<int64_t>{0});
  for (Operation *stage : {result.getDefiningOp(), sum.getOperation()})
    stage->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  result = sum;
  if (type.getElementType() != partial)
    result = CastOp::create(b, loc, type, result);
  op.replaceAllUsesWith(result);
}

namespace {

struct SplitReductions : tarn::impl::TarnSplitReductionsBase<SplitReductions> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Block &block = getOperation().getBody().front();
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (auto sum = dyn_cast<ReduceSumOp>(op))
        split(sum, terms, blocks);
      else if (auto most = dyn_cast<ReduceMaxOp>(op))
        split(most, terms, blocks);
      else if (auto product = dyn_cast<DotOp>(op))
        if (forGpu)
          splitProduct(product, tileSizesOf(Machine::gpu));
    }
    // What only the old form read goes with it.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }
};

} // namespace
