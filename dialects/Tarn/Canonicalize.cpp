//===- Canonicalize.cpp - fewer and simpler ops, same values --------------===//

#include "dialects/Tarn/TarnOps.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

//===----------------------------------------------------------------------===//
// Shape ops on shape ops
//===----------------------------------------------------------------------===//

namespace {
// broadcast(broadcast(x)) -> broadcast(x)
struct MergeBroadcasts : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<BroadcastOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "x is no broadcast");
    SmallVector<int64_t> dims;
    for (int64_t dim : inner.getDims())
      dims.push_back(op.getDims()[dim]);
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), inner.getX(),
                                             dims);
    return success();
  }
};

// transpose(transpose(x)) -> transpose(x)
struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<TransposeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "x is no transpose");
    SmallVector<int64_t> permutation;
    for (int64_t dim : op.getPermutation())
      permutation.push_back(inner.getPermutation()[dim]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, inner.getX(), permutation);
    return success();
  }
};

// transpose(x) -> reshape(x) where only dims of extent 1 move
struct ReshapeInsteadOfTranspose : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    int64_t last = -1;
    for (int64_t dim : op.getPermutation()) {
      if (tensorType(op.getX()).getDimSize(dim) == 1)
        continue;
      if (dim < last)
        return rewriter.notifyMatchFailure(op, "elements change their order");
      last = dim;
    }
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

// reshape(reshape(x)) -> reshape(x)
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<ReshapeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "x is no reshape");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), inner.getX());
    return success();
  }
};

// slice(slice(x)) -> slice(x)
struct MergeSlices : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<SliceOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "x is no slice");
    SmallVector<int64_t> offsets(op.getOffsets());
    for (auto [offset, more] : llvm::zip_equal(offsets, inner.getOffsets()))
      offset += more;
    rewriter.replaceOpWithNewOp<SliceOp>(op, inner.getX(), offsets,
                                         op.getSizes());
    return success();
  }
};

// concat(concat(x, y), z) -> concat(x, y, z)
struct FlattenConcats : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs;
    for (Value input : op.getInputs()) {
      auto inner = input.getDefiningOp<ConcatOp>();
      if (inner && inner.getDim() == op.getDim())
        llvm::append_range(inputs, inner.getInputs());
      else
        inputs.push_back(input);
    }
    if (inputs.size() == op.getInputs().size())
      return rewriter.notifyMatchFailure(op, "no input is a concat of the dim");
    rewriter.replaceOpWithNewOp<ConcatOp>(op, inputs, op.getDim());
    return success();
  }
};

// concat(slice(x, 0..a), slice(x, a..b)) -> slice(x, 0..b)
struct JoinAdjacentSlices : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    auto first = op.getInputs().front().getDefiningOp<SliceOp>();
    if (!first)
      return rewriter.notifyMatchFailure(op, "the first input is no slice");
    SmallVector<int64_t> next(first.getOffsets());
    for (Value input : op.getInputs()) {
      auto slice = input.getDefiningOp<SliceOp>();
      if (!slice || slice.getX() != first.getX() ||
          slice.getOffsets() != ArrayRef<int64_t>(next))
        return rewriter.notifyMatchFailure(op, "inputs are not adjacent");
      next[op.getDim()] += slice.getSizes()[op.getDim()];
    }
    rewriter.replaceOpWithNewOp<SliceOp>(op, first.getX(), first.getOffsets(),
                                         op.getType().getShape());
    return success();
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

// The one dim along which a pad adds zeros.
static std::optional<int64_t> paddedDim(PadOp pad) {
  std::optional<int64_t> found;
  for (auto [d, low, high] : llvm::enumerate(pad.getLow(), pad.getHigh())) {
    if (low == 0 && high == 0)
      continue;
    if (found)
      return std::nullopt;
    found = d;
  }
  return found;
}

// The pads that a tree of additions adds; false if there is another term.
static bool collectPads(AddOp add, SmallVectorImpl<PadOp> &pads) {
  for (Value term : {add.getLhs(), add.getRhs()}) {
    if (auto pad = term.getDefiningOp<PadOp>()) {
      pads.push_back(pad);
      continue;
    }
    auto inner = term.getDefiningOp<AddOp>();
    if (!inner || !inner->hasOneUse() || !collectPads(inner, pads))
      return false;
  }
  return true;
}

namespace {
// add(pad(x), pad(y)) -> pad(concat(x, y)) where x and y lie side by side: the
// gradients of slices that share a tensor become one write.
struct ConcatInsteadOfAddedPads : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<PadOp> pads;
    if (!collectPads(op, pads))
      return rewriter.notifyMatchFailure(op, "adds something that is no pad");
    std::optional<int64_t> dim = paddedDim(pads.front());
    if (!dim ||
        llvm::any_of(pads, [&](PadOp pad) { return paddedDim(pad) != dim; }))
      return rewriter.notifyMatchFailure(op, "pads several dims");
    llvm::sort(pads, [&](PadOp a, PadOp b) {
      return a.getLow()[*dim] < b.getLow()[*dim];
    });
    int64_t next = pads.front().getLow()[*dim];
    SmallVector<Value> inputs;
    for (PadOp pad : pads) {
      if (pad.getLow()[*dim] != next)
        return rewriter.notifyMatchFailure(op, "pads overlap or leave a gap");
      next += tensorType(pad.getX()).getDimSize(*dim);
      inputs.push_back(pad.getX());
    }
    Value joined = ConcatOp::create(rewriter, op.getLoc(), inputs, *dim);
    rewriter.replaceOpWithNewOp<PadOp>(op, joined, pads.front().getLow(),
                                       pads.back().getHigh());
    return success();
  }
};

// reduce(x) -> reshape(x) over dims of extent 1
template <typename Reduce>
struct ReshapeInsteadOfReduce : OpRewritePattern<Reduce> {
  using OpRewritePattern<Reduce>::OpRewritePattern;
  LogicalResult matchAndRewrite(Reduce op,
                                PatternRewriter &rewriter) const override {
    for (int64_t dim : op.getDims())
      if (tensorType(op.getX()).getDimSize(dim) != 1)
        return rewriter.notifyMatchFailure(op, "reduces several elements");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

// x where the value is x with its last two dims swapped, else null.
static Value swappedLast(Value value) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  if (!transpose)
    return {};
  SmallVector<int64_t> permutation(transpose.getPermutation());
  int64_t rank = permutation.size();
  if (rank < 2)
    return {};
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  for (int64_t d = 0; d != rank; ++d)
    if (permutation[d] != d)
      return {};
  return transpose.getX();
}

namespace {
// dot(transpose(a), b) -> dot(a, b) {transpose_a}, likewise for b
struct FoldTransposeIntoDot : OpRewritePattern<DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    Value a = swappedLast(op.getA()), b = swappedLast(op.getB());
    if (!a && !b)
      return rewriter.notifyMatchFailure(op, "no operand is a transpose");
    rewriter.replaceOpWithNewOp<DotOp>(
        op, op.getType(), a ? a : op.getA(), b ? b : op.getB(),
        op.getTransposeA() != bool(a), op.getTransposeB() != bool(b),
        op.getTf32());
    return success();
  }
};
} // namespace

namespace {
// Single elements are gathered as one row of them: no tile program gathers
// along several dims.
struct GatherElementsInARow : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    auto indices = tensorType(op.getIndices());
    if (tensorType(op.getTable()).getRank() != 1 || indices.getRank() < 2)
      return rewriter.notifyMatchFailure(op, "gathers rows, or is a row");
    Value row = ReshapeOp::create(rewriter, op.getLoc(), op.getIndices(),
                                  ArrayRef<int64_t>{indices.getNumElements()});
    row = GatherOp::create(rewriter, op.getLoc(), op.getTable(), row);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, row, indices.getShape());
    return success();
  }
};
} // namespace

void GatherOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<GatherElementsInARow>(context);
}
void AddOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add<ConcatInsteadOfAddedPads>(context);
}
void BroadcastOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeBroadcasts>(context);
}
void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeTransposes, ReshapeInsteadOfTranspose>(context);
}
void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes>(context);
}
void SliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<MergeSlices>(context);
}
void ConcatOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<FlattenConcats, JoinAdjacentSlices>(context);
}
void ReduceSumOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<ReshapeInsteadOfReduce<ReduceSumOp>>(context);
}
void ReduceMaxOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<ReshapeInsteadOfReduce<ReduceMaxOp>>(context);
}
void DotOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add<FoldTransposeIntoDot>(context);
}
