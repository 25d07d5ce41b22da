//===- ConvOps.cpp - convolutions and their gradients ---------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/GradientMath.h"
#include "dialects/Tarn/Loops.h"
#include "dialects/Tarn/Reference.h"
#include "dialects/Tarn/TarnOps.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// Rows that a tile program can number: i32, with room for what lies outside.
static constexpr int64_t mostRows = 1 << 30;

template <typename OpTy> static Windows windowsOf(OpTy op) {
  auto list = [](ArrayRef<int64_t> numbers) {
    return SmallVector<int64_t, 3>(numbers);
  };
  return {list(op.getIn()),      list(op.getOut()),       list(op.getTaps()),
          list(op.getStrides()), list(op.getDilations()), list(op.getSpacing()),
          list(op.getOffsets())};
}

/// Attributes in the order of the ops' arguments.
static void addWindows(OpBuilder &b, OperationState &state,
                       const Windows &windows) {
  auto add = [&](StringRef name, ArrayRef<int64_t> numbers) {
    state.addAttribute(name, b.getDenseI64ArrayAttr(numbers));
  };
  add("in", windows.in);
  add("out", windows.out);
  add("taps", windows.taps);
  add("strides", windows.strides);
  add("dilations", windows.dilations);
  add("spacing", windows.spacing);
  add("offsets", windows.offsets);
}

/// C2 of both ops.
template <typename OpTy> static LogicalResult verifyWindows(OpTy op) {
  Windows w = windowsOf(op);
  if (w.rank() < 1 || w.rank() > 3)
    return Complaint(op) << "has windows of " << w.rank()
                         << " dims, expected 1 to 3";
  std::pair<StringRef, ArrayRef<int64_t>> lists[] = {
      {"in", w.in},           {"out", w.out},
      {"taps", w.taps},       {"strides", w.strides},
      {"spacing", w.spacing}, {"dilations", w.dilations},
      {"offsets", w.offsets}};
  for (auto [i, entry] : llvm::enumerate(lists)) {
    auto [name, numbers] = entry;
    if (numbers.size() != w.rank())
      return Complaint(op) << "has " << numbers.size() << " " << name << " for "
                           << w.rank() << " dims";
    bool isSigned = i >= 5;
    for (int64_t number : numbers)
      if ((!isSigned && number < 1) || std::abs(number) >= mostRows)
        return Complaint(op) << "has " << number << " among its " << name;
  }
  return success();
}

/// Whether the rows of a value are images of `positions`; their number.
static std::optional<int64_t> imagesOf(Value value, ArrayRef<int64_t> extents) {
  int64_t rows = tensorType(value).getDimSize(0), positions = 1;
  for (int64_t extent : extents)
    if (llvm::MulOverflow(positions, extent, positions))
      return std::nullopt;
  if (rows >= mostRows || rows % positions != 0)
    return std::nullopt;
  return rows / positions;
}

/// Whether two factors make a result of this element type.
static bool isProductType(Type a, Type b, Type result) {
  return a == b && (result == a || (result.isF32() && !a.isF64()));
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

void ConvOp::build(OpBuilder &builder, OperationState &state, Value x, Value w,
                   const Windows &windows, bool transposeW, Type elementType) {
  auto type = tensorType(x), weights = tensorType(w);
  int64_t shape[] = {
      type.getDimSize(0) / windows.positions() * windows.windows(),
      weights.getDimSize(1) * weights.getDimSize(transposeW ? 2 : 3)};
  state.addOperands({x, w});
  addWindows(builder, state, windows);
  if (transposeW)
    state.addAttribute("transpose_w", builder.getUnitAttr());
  state.addTypes(RankedTensorType::get(
      shape, elementType ? elementType : type.getElementType()));
}

Windows ConvOp::getWindows() { return windowsOf(*this); }

LogicalResult ConvOp::verify() {
  auto x = tensorType(getX()), w = tensorType(getW());
  auto complain = [&](auto &&...parts) {
    Complaint complaint(*this);
    (complaint << ... << parts);
    complaint.note(getX(), "x").note(getW(), "w");
    return failure();
  };
  // conv.C1
  if (x.getRank() != 2 || w.getRank() != 4)
    return complain("has x of rank ", x.getRank(), " and w of rank ",
                    w.getRank(), ", expected 2 and 4");
  // conv.C2
  if (failed(verifyWindows(*this)))
    return failure();
  // conv.C3
  Windows windows = getWindows();
  std::optional<int64_t> images = imagesOf(getX(), getIn());
  if (!images)
    return complain("has ", x.getDimSize(0),
                    " rows, which are no whole images of ", getIn(),
                    " positions");
  // conv.C4
  if (w.getDimSize(0) != windows.tapCount())
    return complain("has weights for ", w.getDimSize(0), " taps, expected ",
                    windows.tapCount());
  // conv.C5
  int64_t channels = w.getDimSize(getTransposeW() ? 3 : 2);
  if (w.getDimSize(1) * channels != x.getDimSize(1))
    return complain("has x of ", x.getDimSize(1), " channels and w for ",
                    w.getDimSize(1), " groups of ", channels);
  // conv.C6
  auto result = tensorType(getResult());
  if (!isProductType(x.getElementType(), w.getElementType(),
                     result.getElementType()))
    return complain("multiplies ", x.getElementType(), " and ",
                    w.getElementType(), " into ", result.getElementType());
  // conv.C7
  int64_t shape[] = {*images * windows.windows(),
                     w.getDimSize(1) * w.getDimSize(getTransposeW() ? 2 : 3)};
  if (result.getShape() != ArrayRef<int64_t>(shape) || shape[0] >= mostRows)
    return complain("returns ", result, " where the operands give ",
                    result.clone(shape));
  return success();
}

// Loops: rows, features of all groups, taps, channels of one group.
SmallVector<int64_t> ConvOp::getLoopBounds() {
  SmallVector<int64_t> bounds(tensorType(getResult()).getShape());
  auto w = tensorType(getW());
  bounds.append({w.getDimSize(0), w.getDimSize(getTransposeW() ? 3 : 2)});
  return bounds;
}

LoopKinds ConvOp::getLoopKinds() {
  LoopKinds kinds = parallelLoops(2);
  kinds.append(2, utils::IteratorType::reduction);
  return kinds;
}

// Weights of several groups are read block by block.
Maps ConvOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  AffineMap weights;
  if (tensorType(getW()).getDimSize(1) == 1) {
    AffineExpr features = getAffineDimExpr(1, context),
               channels = getAffineDimExpr(3, context);
    if (getTransposeW())
      std::swap(features, channels);
    weights = loopMap(context, 4,
                      {getAffineDimExpr(2, context),
                       getAffineConstantExpr(0, context), channels, features});
  }
  return {AffineMap(), weights, loopMap(context, 4, loopDims(context, 0, 2))};
}

TileKind ConvOp::getTileKind() { return TileKind::dot; }
std::optional<arith::AtomicRMWKind> ConvOp::getCombiner() {
  return arith::AtomicRMWKind::addf;
}

// Rows are positions of images, and channels may be those of groups: neither
// can be cut anywhere.
ShardKind ConvOp::getShardKind(unsigned loopDim) {
  if (tensorType(getW()).getDimSize(1) != 1)
    return ShardKind::replicated;
  if (loopDim == 1)
    return ShardKind::parallel;
  return loopDim == 3 ? ShardKind::partialSum : ShardKind::replicated;
}

LogicalResult ConvOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = m.cast(grads[0], tensorType(getX()).getElementType());
  Windows windows = getWindows(), adjoint = windows.adjoint();
  Value dx = m.make<ConvOp>(g, getW(), adjoint, !getTransposeW());
  int64_t groups = tensorType(getW()).getDimSize(1);
  Value dw = getTransposeW()
                 ? m.make<ConvWeightsOp>(g, getX(), adjoint, groups)
                 : m.make<ConvWeightsOp>(getX(), g, windows, groups);
  operandGradients.assign({dx, dw});
  return success();
}

namespace {
/// Matrices of doubles, in which tap after tap is multiplied.
struct TapMatrices {
  TapMatrices(const Windows &windows, const HostTensor &x, int64_t groups)
      : windows(windows), x(x), images(x.shape()[0] / windows.positions()),
        groups(groups), channels(x.shape()[1] / groups) {}

  /// What a tap of all windows reads from a group: [rows, channels].
  std::vector<double> gather(int64_t tap, int64_t group) const {
    std::vector<double> rows(images * windows.windows() * channels);
    auto to = rows.begin();
    for (int64_t image = 0; image != images; ++image)
      for (int64_t o = 0; o != windows.windows(); ++o, to += channels)
        if (int64_t at = windows.read(o, tap); at >= 0) {
          int64_t row = image * windows.positions() + at;
          std::copy_n(x.data.begin() + (row * groups + group) * channels,
                      channels, to);
        }
    return rows;
  }

  const Windows &windows;
  const HostTensor &x;
  int64_t images, groups, channels;
};
} // namespace

LogicalResult ConvOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(tensorType(getResult()));
  Windows windows = getWindows();
  TapMatrices x(windows, operands[0], operands[1].shape()[1]);
  int64_t rows = r.shape()[0], features = r.shape()[1] / x.groups;
  std::vector<double> w(x.channels * features), sums(rows * features);
  for (int64_t g = 0; g != x.groups; ++g) {
    llvm::fill(sums, 0);
    for (int64_t t = 0; t != windows.tapCount(); ++t) {
      const double *stored =
          &operands[1].data[(t * x.groups + g) * x.channels * features];
      for (int64_t c = 0; c != x.channels; ++c)
        for (int64_t f = 0; f != features; ++f)
          w[c * features + f] = getTransposeW() ? stored[f * x.channels + c]
                                                : stored[c * features + f];
      graph::multiplyMatrices(x.gather(t, g).data(), w.data(), sums.data(),
                              rows, features, x.channels);
    }
    for (int64_t p = 0; p != rows; ++p)
      std::copy_n(sums.begin() + p * features, features,
                  r.data.begin() + (p * x.groups + g) * features);
  }
  return success();
}

namespace {
/// A window that is a position itself: one tap, which reads where it stands.
bool readsInPlace(const Windows &windows) {
  if (windows.tapCount() != 1 || windows.in != windows.out)
    return false;
  for (unsigned d = 0; d != windows.rank(); ++d)
    if (windows.offsets[d] != 0 ||
        (windows.in[d] > 1 && windows.strides[d] != windows.spacing[d]))
      return false;
  return true;
}

// conv of 1 x 1 -> dot, for one group
struct DotInsteadOfConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op,
                                PatternRewriter &rewriter) const override {
    auto w = tensorType(op.getW());
    if (w.getDimSize(1) != 1 || !readsInPlace(op.getWindows()))
      return rewriter.notifyMatchFailure(op, "reads other positions");
    Value matrix = ReshapeOp::create(rewriter, op.getLoc(), op.getW(),
                                     w.getShape().drop_front(2));
    rewriter.replaceOpWithNewOp<DotOp>(op, op.getResult().getType(), op.getX(),
                                       matrix, /*transpose_a=*/false,
                                       op.getTransposeW(), op.getTf32());
    return success();
  }
};
} // namespace

void ConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<DotInsteadOfConv>(context);
}

//===----------------------------------------------------------------------===//
// conv_weights
//===----------------------------------------------------------------------===//

void ConvWeightsOp::build(OpBuilder &builder, OperationState &state, Value x,
                          Value y, const Windows &windows, int64_t groups,
                          Type elementType) {
  auto left = tensorType(x), right = tensorType(y);
  int64_t shape[] = {windows.tapCount(), groups, left.getDimSize(1) / groups,
                     right.getDimSize(1) / groups};
  state.addOperands({x, y});
  addWindows(builder, state, windows);
  state.addTypes(RankedTensorType::get(
      shape, elementType ? elementType : left.getElementType()));
}

Windows ConvWeightsOp::getWindows() { return windowsOf(*this); }

LogicalResult ConvWeightsOp::verify() {
  auto x = tensorType(getX()), y = tensorType(getY());
  auto complain = [&](auto &&...parts) {
    Complaint complaint(*this);
    (complaint << ... << parts);
    complaint.note(getX(), "x").note(getY(), "y");
    return failure();
  };
  // conv_weights.C1
  auto result = tensorType(getResult());
  if (x.getRank() != 2 || y.getRank() != 2 || result.getRank() != 4)
    return complain("has x and y of rank ", x.getRank(), " and ", y.getRank(),
                    " and a result of rank ", result.getRank(),
                    ", expected 2 and 4");
  // conv_weights.C2
  if (failed(verifyWindows(*this)))
    return failure();
  // conv_weights.C3
  Windows windows = getWindows();
  std::optional<int64_t> images = imagesOf(getX(), getIn());
  if (!images || images != imagesOf(getY(), getOut()))
    return complain("has ", x.getDimSize(0), " rows of x and ", y.getDimSize(0),
                    " of y, which are no images of ", getIn(),
                    " and as many of ", getOut(), " positions");
  // conv_weights.C4
  if (!isProductType(x.getElementType(), y.getElementType(),
                     result.getElementType()))
    return complain("multiplies ", x.getElementType(), " and ",
                    y.getElementType(), " into ", result.getElementType());
  // conv_weights.C5
  int64_t groups = result.getDimSize(1);
  if (result.getDimSize(0) != windows.tapCount() ||
      groups * result.getDimSize(2) != x.getDimSize(1) ||
      groups * result.getDimSize(3) != y.getDimSize(1))
    return complain("returns ", result, " for ", windows.tapCount(), " taps, ",
                    x.getDimSize(1), " channels of x and ", y.getDimSize(1),
                    " of y");
  return success();
}

// Loops: taps, groups, channels, features, rows.
SmallVector<int64_t> ConvWeightsOp::getLoopBounds() {
  SmallVector<int64_t> bounds(tensorType(getResult()).getShape());
  bounds.push_back(tensorType(getY()).getDimSize(0));
  return bounds;
}

LoopKinds ConvWeightsOp::getLoopKinds() {
  LoopKinds kinds = parallelLoops(4);
  kinds.push_back(utils::IteratorType::reduction);
  return kinds;
}

Maps ConvWeightsOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  AffineMap values;
  if (tensorType(getResult()).getDimSize(1) == 1)
    values =
        loopMap(context, 5,
                {getAffineDimExpr(4, context), getAffineDimExpr(3, context)});
  return {AffineMap(), values, loopMap(context, 5, loopDims(context, 0, 4))};
}

TileKind ConvWeightsOp::getTileKind() { return TileKind::dot; }
std::optional<arith::AtomicRMWKind> ConvWeightsOp::getCombiner() {
  return arith::AtomicRMWKind::addf;
}

ShardKind ConvWeightsOp::getShardKind(unsigned loopDim) {
  bool isOne = tensorType(getResult()).getDimSize(1) == 1;
  return isOne && (loopDim == 2 || loopDim == 3) ? ShardKind::parallel
                                                 : ShardKind::replicated;
}

LogicalResult
ConvWeightsOp::buildGradient(OpBuilder &builder, ValueRange grads,
                             SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = m.cast(grads[0], tensorType(getX()).getElementType());
  Windows windows = getWindows();
  operandGradients.assign(
      {m.make<ConvOp>(getY(), g, windows.adjoint(), /*transposeW=*/true),
       m.make<ConvOp>(getX(), g, windows)});
  return success();
}

LogicalResult ConvWeightsOp::evaluate(ArrayRef<HostTensor> operands,
                                      SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(tensorType(getResult()));
  Windows windows = getWindows();
  TapMatrices x(windows, operands[0], r.shape()[1]);
  int64_t rows = operands[1].shape()[0], features = r.shape()[3];
  std::vector<double> columns(x.channels * rows), y(rows * features);
  for (int64_t g = 0; g != x.groups; ++g) {
    for (int64_t p = 0; p != rows; ++p)
      std::copy_n(operands[1].data.begin() + (p * x.groups + g) * features,
                  features, y.begin() + p * features);
    for (int64_t t = 0; t != windows.tapCount(); ++t) {
      std::vector<double> gathered = x.gather(t, g);
      for (int64_t p = 0; p != rows; ++p)
        for (int64_t c = 0; c != x.channels; ++c)
          columns[c * rows + p] = gathered[p * x.channels + c];
      graph::multiplyMatrices(
          columns.data(), y.data(),
          &r.data[(t * x.groups + g) * x.channels * features], x.channels,
          features, rows);
    }
  }
  return success();
}

/// Groups of one channel each: products element by element.
static bool isElementwise(ArrayRef<int64_t> w) {
  return w[2] == 1 && w[3] == 1 && w[1] > 1;
}

std::optional<ProductShape> ConvOp::getProductShape() {
  ArrayRef<int64_t> w = getW().getType().getShape();
  if (isElementwise(w))
    return std::nullopt;
  bool transposed = getTransposeW();
  return ProductShape{w[1], getType().getDimSize(0), w[transposed ? 2 : 3],
                      w[transposed ? 3 : 2]};
}

std::optional<ProductShape> ConvWeightsOp::getProductShape() {
  ArrayRef<int64_t> w = getType().getShape();
  if (isElementwise(w))
    return std::nullopt;
  return ProductShape{w[0] * w[1], w[2], w[3], getY().getType().getDimSize(0)};
}
