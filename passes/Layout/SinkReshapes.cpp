//===- SinkReshapes.cpp - move reshapes below the ops that do not care ----===//
//
// Two shapes of one row-major buffer are compared as groups of dims with equal
// products. An op over one of them is rewritten over the other when its own
// dims (reduced, new, counted) do not cut through a group. Only ever downwards,
// so the rewriting ends.
//
//===----------------------------------------------------------------------===//

#include "passes/Layout/Passes.h"
#include "passes/Layout/Reshapes.h"

#include "dialects/Tarn/TarnOps.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tarn {
#define GEN_PASS_DEF_TARNSINKRESHAPES
#include "passes/Layout/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

namespace {

/// exp(reshape x) -> reshape(exp x).
struct SinkBelowElementwise : RewritePattern {
  SinkBelowElementwise(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isPlainElementwise(op))
      return rewriter.notifyMatchFailure(op, "is not plainly elementwise");
    ArrayRef<int64_t> target;
    for (Value operand : op->getOperands())
      if (auto reshape = operand.getDefiningOp<ReshapeOp>()) {
        ArrayRef<int64_t> shape = tensorType(reshape.getX()).getShape();
        // Of several the one with the fewest dims, which loops like best.
        if (target.empty() || shape.size() < target.size())
          target = shape;
      }
    ArrayRef<int64_t> own = tensorType(op->getResult(0)).getShape();
    if (target.empty() || target.size() >= own.size())
      return rewriter.notifyMatchFailure(op, "no operand has fewer dims");
    SmallVector<int64_t> shape(target);
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.operands.push_back(
          reshaped(rewriter, op->getLoc(), operand, shape));
    state.attributes = op->getAttrs();
    state.types.push_back(tensorType(op->getResult(0)).clone(shape));
    Operation *moved = rewriter.create(state);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, moved->getResult(0), own);
    return success();
  }
};

/// reduce(reshape x) -> reshape(reduce x), where the reduced dims are whole
/// groups.
template <typename ReduceOpTy>
struct SinkBelowReduce : OpRewritePattern<ReduceOpTy> {
  using OpRewritePattern<ReduceOpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOpTy op,
                                PatternRewriter &rewriter) const override {
    auto reshape = op.getX().template getDefiningOp<ReshapeOp>();
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "no reshape above");
    auto source = tensorType(reshape.getX());
    ArrayRef<int64_t> own = tensorType(op.getX()).getShape();
    if (source.getRank() >= int64_t(own.size()))
      return rewriter.notifyMatchFailure(op, "the reshape has no fewer dims");
    SmallVector<int64_t> dims;
    for (const DimGroup &group : groupDims(own, source.getShape())) {
      int64_t reduced = 0;
      for (int64_t d = group.outerBegin; d != group.outerEnd; ++d)
        reduced += llvm::is_contained(op.getDims(), d) || own[d] == 1;
      bool any = llvm::any_of(
          llvm::seq(group.outerBegin, group.outerEnd),
          [&](int64_t d) { return llvm::is_contained(op.getDims(), d); });
      if (!any)
        continue;
      if (reduced != group.outerEnd - group.outerBegin)
        return rewriter.notifyMatchFailure(op, "reduces part of a group");
      for (int64_t d = group.innerBegin; d != group.innerEnd; ++d)
        dims.push_back(d);
    }
    Value moved =
        ReduceOpTy::create(rewriter, op.getLoc(), reshape.getX(), dims);
    rewriter.replaceOpWithNewOp<ReshapeOp>(
        op, moved, tensorType(op.getResult()).getShape());
    return success();
  }
};

/// broadcast(reshape x) -> reshape(broadcast x), merging the dims of x that the
/// reshape split where they stay side by side.
struct SinkBelowBroadcast : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op,
                                PatternRewriter &rewriter) const override {
    auto reshape = op.getX().getDefiningOp<ReshapeOp>();
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "no reshape above");
    auto source = tensorType(reshape.getX());
    ArrayRef<int64_t> middle = tensorType(op.getX()).getShape();
    if (source.getRank() >= int64_t(middle.size()))
      return rewriter.notifyMatchFailure(op, "the reshape has no fewer dims");
    ArrayRef<int64_t> own = tensorType(op.getResult()).getShape();
    SmallVector<int64_t> shape, dims;
    int64_t next = 0;
    auto copyNewDims = [&](int64_t until) {
      for (; next < until; ++next)
        shape.push_back(own[next]);
    };
    for (const DimGroup &group : groupDims(middle, source.getShape())) {
      if (group.outerBegin == group.outerEnd)
        return rewriter.notifyMatchFailure(op, "a dim of one element appears");
      int64_t first = op.getDims()[group.outerBegin];
      copyNewDims(first);
      for (int64_t d = group.outerBegin; d != group.outerEnd; ++d)
        if (op.getDims()[d] != first + d - group.outerBegin)
          return rewriter.notifyMatchFailure(op, "splits a group");
      for (int64_t d = group.innerBegin; d != group.innerEnd; ++d) {
        dims.push_back(shape.size());
        shape.push_back(source.getDimSize(d));
      }
      next = first + (group.outerEnd - group.outerBegin);
    }
    copyNewDims(own.size());
    Value moved = BroadcastOp::create(
        rewriter, op.getLoc(), source.clone(shape), reshape.getX(), dims);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, moved, own);
    return success();
  }
};

/// The dim along which an iota counts when its shape is `to`.
static std::optional<int64_t> foldIota(IotaOp iota, ArrayRef<int64_t> to) {
  for (const DimGroup &group :
       groupDims(tensorType(iota.getResult()).getShape(), to))
    if (group.outerBegin == int64_t(iota.getDim()) &&
        group.outerEnd == group.outerBegin + 1 &&
        group.innerEnd == group.innerBegin + 1)
      return group.innerBegin;
  return std::nullopt;
}

/// reshape(broadcast x) -> broadcast(x or reshape x).
struct FoldIntoBroadcast : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "no broadcast above");
    ArrayRef<int64_t> to = tensorType(op.getResult()).getShape();
    // Only towards fewer dims: the other way is what sinking undoes.
    if (int64_t(to.size()) >= tensorType(op.getX()).getRank())
      return rewriter.notifyMatchFailure(op, "has no fewer dims");
    auto folded = foldBroadcast(broadcast, to);
    if (!folded)
      return rewriter.notifyMatchFailure(op, "a group is new in part");
    auto &[dims, shape] = *folded;
    Value x = reshaped(rewriter, op.getLoc(), broadcast.getX(), shape);
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getResult().getType(), x,
                                             dims);
    return success();
  }
};

/// reshape(iota along d) -> iota, where d is a group of its own.
struct FoldIntoIota : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto iota = op.getX().getDefiningOp<IotaOp>();
    if (!iota)
      return rewriter.notifyMatchFailure(op, "no iota above");
    if (tensorType(op.getResult()).getRank() >= tensorType(op.getX()).getRank())
      return rewriter.notifyMatchFailure(op, "has no fewer dims");
    if (auto dim = foldIota(iota, tensorType(op.getResult()).getShape())) {
      rewriter.replaceOpWithNewOp<IotaOp>(op, op.getResult().getType(), *dim);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "the counted dim is merged");
  }
};

/// Whether a value is made from constants, counted dims and repeated values, by
/// elementwise ops, and could be so in another shape.
static bool isGenerated(Value value, ArrayRef<int64_t> to, int depth = 8) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constant.getValue().isSplat();
  if (auto iota = dyn_cast<IotaOp>(op))
    return foldIota(iota, to).has_value();
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return foldBroadcast(broadcast, to).has_value();
  return isPlainElementwise(op) &&
         llvm::all_of(op->getOperands(),
                      [&](Value x) { return isGenerated(x, to, depth - 1); });
}

/// reshape(neg(iota)) -> neg(iota): another shape costs what is generated
/// nothing, and its readers need no memory to see it in theirs.
struct FoldIntoGenerated : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    Operation *source = op.getX().getDefiningOp();
    ArrayRef<int64_t> to = tensorType(op.getResult()).getShape();
    if (!source || !isPlainElementwise(source))
      return rewriter.notifyMatchFailure(op, "no elementwise op above");
    if (int64_t(to.size()) >= tensorType(op.getX()).getRank())
      return rewriter.notifyMatchFailure(op, "has no fewer dims");
    if (!isGenerated(op.getX(), to))
      return rewriter.notifyMatchFailure(op, "is not generated");
    OperationState state(source->getLoc(), source->getName());
    for (Value operand : source->getOperands())
      state.operands.push_back(reshaped(rewriter, op.getLoc(), operand, to));
    state.attributes = source->getAttrs();
    state.types.push_back(op.getResult().getType());
    rewriter.replaceOp(op, rewriter.create(state));
    return success();
  }
};

struct SinkReshapes : tarn::impl::TarnSinkReshapesBase<SinkReshapes> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SinkBelowElementwise, SinkBelowReduce<ReduceSumOp>,
                 SinkBelowReduce<ReduceMaxOp>, SinkBelowBroadcast,
                 FoldIntoBroadcast, FoldIntoIota, FoldIntoGenerated>(
        &getContext());
    GreedyRewriteConfig config;
    config.setMaxIterations(GreedyRewriteConfig::kNoLimit);
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
