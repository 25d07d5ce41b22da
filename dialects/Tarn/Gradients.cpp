//===- Gradients.cpp - gradients of the ops -------------------------------===//

#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

LogicalResult AddOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult SubOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult MulOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult DivOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult MaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult MinOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult NegOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult ExpOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult LogOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult TanhOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult SqrtOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult RsqrtOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult SinOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult CosOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult ErfOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult AbsOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
SigmoidOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
ReciprocalOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult ReluOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult SiluOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult GeluOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
SelectOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult CastOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
BroadcastOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
TransposeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
ReshapeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult SliceOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult PadOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
ConcatOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
UpdateSliceOp::buildGradient(OpBuilder &builder, ValueRange grads,
                             SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
ReduceSumOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
ReduceMaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult DotOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
GatherOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
ScatterAddOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
TakeAlongOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
SoftmaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
LogSoftmaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
LayerNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
RmsNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                         SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
CrossEntropyOp::buildGradient(OpBuilder &builder, ValueRange grads,
                              SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult RopeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult RatioOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}

LogicalResult
AttentionOp::buildGradient(OpBuilder &builder, ValueRange grads,
                           SmallVectorImpl<Value> &operandGradients) {
  return emitOpError("has no gradient yet");
}
