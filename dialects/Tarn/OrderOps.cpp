//===- OrderOps.cpp - running sums and sorting ----------------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/GradientMath.h"
#include "dialects/Tarn/TarnOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

//===----------------------------------------------------------------------===//
// cumsum
//===----------------------------------------------------------------------===//

LogicalResult CumsumOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  auto x = tensorType(adaptor.getX());
  // cumsum.C1
  int64_t dim = adaptor.getDim();
  if (dim < 0 || dim >= x.getRank())
    return (Complaint(loc, getOperationName())
            << "adds up along dim " << dim << " of " << x)
        .note(adaptor.getX(), "x");
  types.push_back(x);
  return success();
}

int64_t CumsumOp::getFlops() { return tensorType(getX()).getNumElements(); }

LogicalResult
CumsumOp::buildGradient(OpBuilder &builder, ValueRange grads,
                        SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  operandGradients.push_back(
      m.make<CumsumOp>(grads[0], getDim(), !getReverse(), getExclusive()));
  return success();
}

//===----------------------------------------------------------------------===//
// sort
//===----------------------------------------------------------------------===//

LogicalResult SortOp::inferReturnTypes(MLIRContext *context,
                                       std::optional<Location> loc,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  auto x = tensorType(adaptor.getX());
  auto complain = [&](auto &&...parts) {
    Complaint complaint(loc, getOperationName());
    (complaint << ... << parts);
    complaint.note(adaptor.getX(), "x");
    return failure();
  };
  // sort.C1
  if (x.getRank() < 1)
    return complain("sorts a tensor of rank 0");
  // sort.C2
  if (x.getShape().back() > longest)
    return complain("sorts rows of ", x.getShape().back(),
                    " elements; a row may have ", longest);
  // sort.C3
  if (x.getNumElements() > std::numeric_limits<int32_t>::max())
    return complain("sorts ", x.getNumElements(),
                    " elements; there may be fewer than 2^31");
  auto numbers =
      RankedTensorType::get(x.getShape(), IntegerType::get(context, 32));
  types.append({x, numbers, numbers});
  return success();
}

// A network's stages, each with half as many comparisons of pairs: of keys, of
// numbers, and an exchange of both.
int64_t SortOp::getFlops() {
  auto x = tensorType(getX());
  int64_t levels = llvm::Log2_64_Ceil(x.getShape().back());
  return 3 * x.getNumElements() * levels * (levels + 1) / 2;
}

LogicalResult SortOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  operandGradients.assign({Value()});
  if (!grads[0])
    return success();
  // Elements by their numbers in the whole tensor.
  auto type = tensorType(getX());
  int64_t count = type.getNumElements(), width = type.getShape().back();
  auto numbers =
      RankedTensorType::get({count / width, width}, builder.getI32Type());
  auto flat = RankedTensorType::get({count}, builder.getI32Type());
  Value first = m.scale(m.make<IotaOp>(numbers, 0), double(width));
  Value place = m.add(first, m.make<ReshapeOp>(numbers, getPlaces()));
  Value all = m.make<ReshapeOp>(type.clone({count}), grads[0]);
  Value moved = m.make<GatherOp>(all, m.make<ReshapeOp>(flat, place));
  operandGradients[0] = m.make<ReshapeOp>(type, moved);
  return success();
}
