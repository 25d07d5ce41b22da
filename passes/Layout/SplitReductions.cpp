//===- SplitReductions.cpp - reduce many terms in two stages --------------===//

#include "passes/Layout/Passes.h"
#include "passes/Layout/Reshapes.h"

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

/// Writes a value in another shape, the elementwise ops above it as well.
class Reshaper {
public:
  Reshaper(OpBuilder &b, ArrayRef<int64_t> shape) : b(b), shape(shape) {}

  Value operator()(Value value) {
    if (Value known = made.lookup(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (!op || !isMadeByReader(op))
      return made[value] = reshaped(b, value.getLoc(), value, shape);
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.operands.push_back((*this)(operand));
    state.attributes = op->getAttrs();
    state.types.push_back(tensorType(value).clone(shape));
    return made[value] = b.create(state)->getResult(0);
  }

private:
  OpBuilder &b;
  ArrayRef<int64_t> shape;
  llvm::DenseMap<Value, Value> made;
};

} // namespace

/// Splits `op` if it makes one number of more than `most` terms.
template <typename ReduceOpTy> static void split(ReduceOpTy op, int64_t most) {
  int64_t terms = tensorType(op.getX()).getNumElements();
  if (tensorType(op.getResult()).getNumElements() != 1 || terms <= most)
    return;
  int64_t block = divisorOf(terms, most / 2);
  if (block < leastTerms)
    return;
  OpBuilder b(op);
  Location loc = op.getLoc();
  int64_t shape[] = {terms / block, block};
  Value x = Reshaper(b, shape)(op.getX());
  // Short floats are rounded once, at the end.
  auto type = tensorType(op.getResult());
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

namespace {

struct SplitReductions : tarn::impl::TarnSplitReductionsBase<SplitReductions> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Block &block = getOperation().getBody().front();
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (auto sum = dyn_cast<ReduceSumOp>(op))
        split(sum, terms);
      else if (auto most = dyn_cast<ReduceMaxOp>(op))
        split(most, terms);
    }
    // What only the old form read goes with it.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }
};

} // namespace
