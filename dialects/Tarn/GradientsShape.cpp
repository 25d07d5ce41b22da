//===- GradientsShape.cpp - gradients of ops that move elements ---------===//

#include "dialects/Tarn/GradientMath.h"

#include "llvm/ADT/Sequence.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

LogicalResult
BroadcastOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  SmallVector<int64_t> added;
  for (int64_t d = 0, e = tensorType(getResult()).getRank(); d != e; ++d)
    if (!llvm::is_contained(getDims(), d))
      added.push_back(d);
  operandGradients.assign({m.sum(g, added)});
  return success();
}

LogicalResult
TransposeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [to, from] : llvm::enumerate(getPermutation()))
    inverse[from] = to;
  operandGradients.assign({m.make<TransposeOp>(g, inverse)});
  return success();
}

LogicalResult
ReshapeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign(
      {m.make<ReshapeOp>(g, tensorType(getX()).getShape())});
  return success();
}

LogicalResult SliceOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  SmallVector<int64_t> high;
  for (auto [extent, offset, size] :
       llvm::zip(tensorType(getX()).getShape(), getOffsets(), getSizes()))
    high.push_back(extent - offset - size);
  operandGradients.assign({m.make<PadOp>(g, getOffsets(), high)});
  return success();
}

LogicalResult PadOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign(
      {m.make<SliceOp>(g, getLow(), tensorType(getX()).getShape())});
  return success();
}

LogicalResult
ConcatOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  SmallVector<int64_t> offsets(tensorType(g).getRank(), 0);
  for (Value input : getInputs()) {
    ArrayRef<int64_t> sizes = tensorType(input).getShape();
    operandGradients.push_back(m.make<SliceOp>(g, offsets, sizes));
    offsets[getDim()] += sizes[getDim()];
  }
  return success();
}

LogicalResult
UpdateSliceOp::buildGradient(OpBuilder &builder, ValueRange grads,
                             SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  Value zeros = m.like(getUpdate(), 0);
  operandGradients.assign(getNumOperands(), Value());
  operandGradients[0] =
      m.make<UpdateSliceOp>(g.getType(), g, zeros, getPositions());
  return success();
}

LogicalResult
ReduceSumOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  auto type = tensorType(getX());
  SmallVector<int64_t> kept;
  for (int64_t d = 0, e = type.getRank(); d != e; ++d)
    if (!llvm::is_contained(getDims(), d))
      kept.push_back(d);
  operandGradients.assign(
      {m.make<BroadcastOp>(type, m.cast(g, type.getElementType()), kept)});
  return success();
}

LogicalResult
ReduceMaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  // Shared evenly among the elements that are the maximum.
  auto type = tensorType(getX());
  SmallVector<int64_t> kept;
  for (int64_t d = 0, e = type.getRank(); d != e; ++d)
    if (!llvm::is_contained(getDims(), d))
      kept.push_back(d);
  Value maximum = m.make<BroadcastOp>(type, getResult(), kept);
  Value hit = m.select(m.compare(Predicate::eq, getX(), maximum),
                       m.like(getX(), 1), m.like(getX(), 0));
  Value share = m.div(g, m.sum(hit, getDims()));
  operandGradients.assign({m.mul(hit, m.make<BroadcastOp>(type, share, kept))});
  return success();
}

LogicalResult
GatherOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign(
      {m.make<ScatterAddOp>(getIndices(), g,
                            tensorType(getTable()).getDimSize(0)),
       Value()});
  return success();
}

LogicalResult
ScatterAddOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  operandGradients.assign({Value(), m.make<GatherOp>(g, getIndices())});
  return success();
}

LogicalResult
TakeAlongOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = grads[0];
  auto type = tensorType(getX());
  int64_t last = type.getRank() - 1;
  Type index = tensorType(getIndices()).getElementType();
  Value position = m.make<IotaOp>(withElementType(type, index), last);
  Value wanted = m.repeat(getIndices(), type.getShape(), last);
  operandGradients.assign(
      {m.select(m.compare(Predicate::eq, position, wanted),
                m.repeat(g, type.getShape(), last), m.like(getX(), 0)),
       Value()});
  return success();
}
