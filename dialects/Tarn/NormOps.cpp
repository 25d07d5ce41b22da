//===- NormOps.cpp - norms, losses, rotary positions ----------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

//===----------------------------------------------------------------------===//
// softmax, log_softmax
//===----------------------------------------------------------------------===//

static LogicalResult verifyDim(Operation *op, Value x, int64_t dim) {
  int64_t rank = tensorType(x).getRank();
  if (dim < 0 || dim >= rank)
    return (Complaint(op) << "runs along dim " << dim << " of x of rank "
                          << rank)
        .note(x, "x");
  return success();
}

void SoftmaxOp::build(OpBuilder &builder, OperationState &state, Value x) {
  build(builder, state, x, tensorType(x).getRank() - 1);
}

LogicalResult SoftmaxOp::verify() {
  // softmax.C1
  return verifyDim(*this, getX(), getDim());
}

void LogSoftmaxOp::build(OpBuilder &builder, OperationState &state, Value x) {
  build(builder, state, x, tensorType(x).getRank() - 1);
}

LogicalResult LogSoftmaxOp::verify() {
  // log_softmax.C1
  return verifyDim(*this, getX(), getDim());
}

//===----------------------------------------------------------------------===//
// layer_norm, rms_norm
//===----------------------------------------------------------------------===//

// C1 to C3 of both norms.
static LogicalResult verifyNorm(Operation *op, Value x, Value weight,
                                double eps) {
  auto rows = tensorType(x), scale = tensorType(weight);
  if (rows.getRank() < 1)
    return (Complaint(op) << "normalises the rows of a tensor of rank 0")
        .note(x, "x");
  int64_t last = rows.getShape().back();
  if (scale.getRank() != 1 || scale.getDimSize(0) != last)
    return (Complaint(op) << "normalises rows of " << last
                          << " elements with a weight " << scale)
        .note(weight, "weight")
        .note(x, "x");
  if (!(eps > 0))
    return Complaint(op) << "has eps " << eps << ", which must be positive";
  return success();
}

LogicalResult LayerNormOp::verify() {
  // layer_norm.C1, layer_norm.C2, layer_norm.C3
  return verifyNorm(*this, getX(), getWeight(), getEps());
}

LogicalResult RmsNormOp::verify() {
  // rms_norm.C1, rms_norm.C2, rms_norm.C3
  return verifyNorm(*this, getX(), getWeight(), getEps());
}

//===----------------------------------------------------------------------===//
// cross_entropy
//===----------------------------------------------------------------------===//

LogicalResult CrossEntropyOp::inferReturnTypes(MLIRContext *context,
                                               std::optional<Location> loc,
                                               Adaptor adaptor,
                                               SmallVectorImpl<Type> &types) {
  auto logits = tensorType(adaptor.getLogits());
  auto targets = tensorType(adaptor.getTargets());
  // cross_entropy.C1
  if (logits.getRank() < 1)
    return (Complaint(loc, getOperationName()) << "has logits of rank 0")
        .note(adaptor.getLogits(), "logits");
  // cross_entropy.C2
  if (targets.getShape() != logits.getShape().drop_back())
    return (Complaint(loc, getOperationName())
            << "has targets " << targets << " for logits " << logits
            << ": the leading dims differ")
        .note(adaptor.getTargets(), "targets")
        .note(adaptor.getLogits(), "logits");
  Type element = logits.getElementType();
  if (!element.isF64())
    element = Float32Type::get(context);
  types.assign(2, RankedTensorType::get(targets.getShape(), element));
  return success();
}

//===----------------------------------------------------------------------===//
// rope
//===----------------------------------------------------------------------===//

LogicalResult RopeOp::verify() {
  auto x = tensorType(getX()), angles = tensorType(getCosine());
  int64_t rank = x.getRank();
  // rope.C1
  if (rank < 2 || x.getShape().back() % 2 != 0)
    return (Complaint(*this) << "rotates pairs of features of " << x
                             << ", which needs two dims and an even last one")
        .note(getX(), "x");
  // rope.C2
  int64_t positions = x.getDimSize(rank - 2),
          pairs = x.getDimSize(rank - 1) / 2;
  if (angles.getShape() != ArrayRef<int64_t>({positions, pairs}))
    return (Complaint(*this) << "has angles " << angles << " for " << positions
                             << " positions of " << pairs << " pairs")
        .note(getCosine(), "cosine")
        .note(getX(), "x");
  return success();
}
