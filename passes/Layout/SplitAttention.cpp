//===- SplitAttention.cpp - attention's gradients in two kernels ----------===//

#include "passes/Layout/Passes.h"
#include "passes/Precision/Factors.h"
#include "passes/Tile/AttentionShape.h"

#include "dialects/Tarn/Joining.h"
#include "dialects/Tarn/TarnOps.h"

namespace tarn {
#define GEN_PASS_DEF_TARNSPLITATTENTION
#include "passes/Layout/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// Whether two kernels are faster than one that makes all gradients.
static bool isWorthIt(AttentionBackwardOp op, const TileSizes &sizes) {
  bool wantsKeys = !op.getDk().use_empty() || !op.getDv().use_empty();
  if (op.getDq().use_empty() || !wantsKeys || op.hasSums() ||
      tensorType(op.getQ()).getElementType().isF64())
    return false;
  return sizes.splitsBackward(attentionShapeOf(op, AttentionPass::backward));
}

/// `value` in `type`, which it may have.
static Value castTo(OpBuilder &b, Value value, Type element) {
  auto type = tensorType(value);
  if (type.getElementType() == element)
    return value;
  return CastOp::create(b, value.getLoc(), type.clone(element), value);
}

/// What a value is widened from; null if it is not.
static Value narrowSource(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  return cast && tensorType(cast.getX()).getElementTypeBitWidth() <
                     tensorType(value).getElementTypeBitWidth()
             ? cast.getX()
             : Value();
}

/// The short form of what `op` makes of widened values, where it only moves
/// elements, or puts them together; null for other ops.
static Value narrowCopy(Operation *op) {
  auto indexed = dyn_cast<IndexedOp>(op);
  bool isView = indexed && indexed.getTileKind() == TileKind::view;
  if ((!isView && !joinedDim(op)) || op->getNumResults() != 1)
    return Value();
  SmallVector<Value> sources;
  int64_t elements = 0;
  for (Value operand : op->getOperands()) {
    Value source = narrowSource(operand);
    if (!source ||
        tensorType(source).getElementType() !=
            tensorType(narrowSource(op->getOperand(0))).getElementType())
      return Value();
    sources.push_back(source);
    elements += tensorType(source).getNumElements();
  }
  auto type = tensorType(op->getResult(0));
  if (elements != type.getNumElements())
    return Value();
  OpBuilder b(op);
  Operation *copy = b.clone(*op);
  copy->setOperands(sources);
  copy->getResult(0).setType(
      type.clone(tensorType(sources.front()).getElementType()));
  return copy->getResult(0);
}

/// Moves widening below the views that read it, and what is put together of
/// nothing but widened values: so that the short form lies in memory.
static void sinkWidening(SmallVector<Value> work) {
  for (size_t i = 0; i != work.size(); ++i) {
    SmallVector<Operation *> users(work[i].getUsers());
    for (Operation *user : users) {
      Value source = narrowSource(work[i]);
      auto cast = dyn_cast<CastOp>(user);
      if (cast && cast.getType() == source.getType()) {
        cast.replaceAllUsesWith(source);
        continue;
      }
      Value narrow = narrowCopy(user);
      if (!narrow)
        continue;
      OpBuilder b(user);
      Value wide = CastOp::create(b, user->getLoc(),
                                  user->getResult(0).getType(), narrow);
      user->getResult(0).replaceAllUsesWith(wide);
      work.push_back(wide);
    }
  }
}

/// A copy of `op` that reads `sums`, of which `used` results replace its own;
/// in the type of its operands, where that is what their readers want.
static void copyFor(AttentionBackwardOp op, Value sums, ArrayRef<unsigned> used,
                    SmallVectorImpl<Value> &widened) {
  OpBuilder b(op);
  Factors factors;
  Type element = tensorType(op.getQ()).getElementType();
  bool rounds = llvm::all_of(used, [&](unsigned i) {
    Value result = op->getResult(i);
    return result.use_empty() || factors.feedsProduct(result);
  });
  auto copy = cast<AttentionBackwardOp>(b.clone(*op));
  copy.getOutMutable().assign(sums);
  for (Value result : copy->getResults())
    if (rounds)
      result.setType(tensorType(result).clone(element));
  for (unsigned i : used) {
    Value old = op->getResult(i);
    if (old.use_empty())
      continue;
    Value now = castTo(b, copy->getResult(i), tensorType(old).getElementType());
    old.replaceAllUsesWith(now);
    if (now != copy->getResult(i))
      widened.push_back(now);
  }
}

static void split(AttentionBackwardOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  Type f32 = b.getF32Type();
  Value grad = castTo(b, op.getGrad(), f32);
  Value out = castTo(b, op.getOut(), f32);
  Value products = MulOp::create(b, loc, grad, out);
  Value sums = ReduceSumOp::create(b, loc, products, ArrayRef<int64_t>{3});
  SmallVector<Value> widened;
  copyFor(op, sums, {1, 2}, widened);
  copyFor(op, sums, {0}, widened);
  op.erase();
  sinkWidening(std::move(widened));
}

namespace {

struct SplitAttention : tarn::impl::TarnSplitAttentionBase<SplitAttention> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    const TileSizes &sizes = tileSizesOf(forGpu ? Machine::gpu : Machine::cpu);
    Block &block = getOperation().getBody().front();
    for (auto op :
         llvm::make_early_inc_range(block.getOps<AttentionBackwardOp>()))
      if (isWorthIt(op, sizes))
        split(op);
    // What only the old form read goes with it.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }
};

} // namespace
