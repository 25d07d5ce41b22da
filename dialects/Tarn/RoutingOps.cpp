//===- RoutingOps.cpp - choosing experts, products by expert --------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/GradientMath.h"
#include "dialects/Tarn/TarnOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// A product of extents; the largest number where it passes 63 bits.
static int64_t product(std::initializer_list<int64_t> extents) {
  int64_t all = 1;
  for (int64_t extent : extents)
    all = llvm::SaturatingMultiply<uint64_t>(all, extent) >
                  uint64_t(std::numeric_limits<int64_t>::max())
              ? std::numeric_limits<int64_t>::max()
              : all * extent;
  return all;
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::inferReturnTypes(MLIRContext *context,
                                       std::optional<Location> loc,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  auto x = tensorType(adaptor.getX());
  // top_k.C1
  if (x.getRank() < 1)
    return (Complaint(loc, getOperationName())
            << "takes elements of a tensor of rank 0")
        .note(adaptor.getX(), "x");
  // top_k.C2
  int64_t k = adaptor.getK();
  if (k < 1 || k > x.getShape().back())
    return (Complaint(loc, getOperationName())
            << "takes " << k << " of " << x.getShape().back() << " elements")
        .note(adaptor.getX(), "x");
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = k;
  types.push_back(x.clone(shape));
  types.push_back(RankedTensorType::get(shape, IntegerType::get(context, 32)));
  return success();
}

// A heap of k elements sees every element of the row.
int64_t TopKOp::getFlops() {
  return product({tensorType(getX()).getNumElements(),
                  1 + int64_t(llvm::Log2_64_Ceil(getK()))});
}

LogicalResult TopKOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  operandGradients.assign({Value()});
  if (!grads[0])
    return success();
  // Every element of x against every place among the k; no scatter, because
  // rows are short.
  auto type = tensorType(getX());
  int64_t rank = type.getRank();
  SmallVector<int64_t> shape(tensorType(getValues()).getShape());
  shape.push_back(type.getShape().back());
  Type index = builder.getI32Type();
  Value position = m.make<IotaOp>(RankedTensorType::get(shape, index), rank);
  Value wanted = m.repeat(getIndices(), shape, rank);
  Value spread = m.repeat(grads[0], shape, rank);
  Value parts = m.select(m.compare(Predicate::eq, position, wanted), spread,
                         m.like(spread, 0));
  operandGradients[0] = m.sum(parts, {rank - 1});
  return success();
}

//===----------------------------------------------------------------------===//
// group_rows
//===----------------------------------------------------------------------===//

LogicalResult GroupRowsOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  auto groups = tensorType(adaptor.getGroups());
  // group_rows.C1
  if (groups.getRank() != 1)
    return (Complaint(loc, getOperationName())
            << "groups rows by a tensor of rank " << groups.getRank())
        .note(adaptor.getGroups(), "groups");
  // group_rows.C2
  if (adaptor.getCount() < 1)
    return Complaint(loc, getOperationName())
           << "makes " << adaptor.getCount() << " groups";
  types.append({groups, groups, groups.clone({adaptor.getCount() + 1})});
  return success();
}

// A counting sort: each row is counted, and placed.
int64_t GroupRowsOp::getFlops() {
  return product({2, tensorType(getGroups()).getNumElements()}) + getCount();
}

//===----------------------------------------------------------------------===//
// grouped_dot
//===----------------------------------------------------------------------===//

void GroupedDotOp::build(OpBuilder &builder, OperationState &state, Value x,
                         Value w, Value offsets, bool transposeW) {
  auto rows = tensorType(x), matrices = tensorType(w);
  build(builder, state,
        Type(rows.clone(
            {rows.getDimSize(0), matrices.getDimSize(transposeW ? 1 : 2)})),
        x, w, offsets, transposeW);
}

/// Whether products of `from` may be summed into `into`.
static bool sumsInto(Type from, Type into) {
  return into == from || (into.isF32() && !from.isF64());
}

LogicalResult GroupedDotOp::verify() {
  auto x = tensorType(getX()), w = tensorType(getW()),
       offsets = tensorType(getOffsets()), result = tensorType(getResult());
  auto complain = [&](auto &&...parts) {
    Complaint complaint(*this);
    (complaint << ... << parts);
    complaint.note(getX(), "x").note(getW(), "w").note(getOffsets(), "offsets");
    return failure();
  };
  // grouped_dot.C1
  if (x.getRank() != 2 || w.getRank() != 3 || offsets.getRank() != 1)
    return complain("takes ranks 2, 3 and 1, not ", x.getRank(), ", ",
                    w.getRank(), " and ", offsets.getRank());
  // grouped_dot.C2
  int64_t k = w.getDimSize(getTransposeW() ? 2 : 1);
  if (x.getDimSize(1) != k)
    return complain("sums over ", x.getDimSize(1), " elements of x and ", k,
                    " elements of w");
  // grouped_dot.C3
  if (offsets.getDimSize(0) != w.getDimSize(0) + 1)
    return complain("has ", offsets.getDimSize(0), " offsets for ",
                    w.getDimSize(0), " matrices");
  // grouped_dot.C4
  if (x.getElementType() != w.getElementType() ||
      !sumsInto(x.getElementType(), result.getElementType()))
    return complain("multiplies ", x.getElementType(), " and ",
                    w.getElementType(), " into ", result.getElementType());
  // grouped_dot.C5
  SmallVector<int64_t> shape = {x.getDimSize(0),
                                w.getDimSize(getTransposeW() ? 1 : 2)};
  if (result.getShape() != ArrayRef<int64_t>(shape))
    return complain("returns ", result, " where the operands give ",
                    result.clone(shape));
  return success();
}

int64_t GroupedDotOp::getFlops() {
  auto x = tensorType(getX()), result = tensorType(getResult());
  return product({2, x.getDimSize(0), x.getDimSize(1), result.getDimSize(1)});
}

LogicalResult
GroupedDotOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = m.cast(grads[0], tensorType(getX()).getElementType());
  Value outer = getTransposeW()
                    ? m.make<GroupedOuterOp>(g, getX(), getOffsets())
                    : m.make<GroupedOuterOp>(getX(), g, getOffsets());
  operandGradients.assign(
      {m.make<GroupedDotOp>(g, getW(), getOffsets(), !getTransposeW()), outer,
       Value()});
  return success();
}

//===----------------------------------------------------------------------===//
// grouped_outer
//===----------------------------------------------------------------------===//

void GroupedOuterOp::build(OpBuilder &builder, OperationState &state, Value x,
                           Value y, Value offsets) {
  auto left = tensorType(x), right = tensorType(y);
  build(builder, state,
        Type(left.clone({tensorType(offsets).getDimSize(0) - 1,
                         left.getDimSize(1), right.getDimSize(1)})),
        x, y, offsets);
}

LogicalResult GroupedOuterOp::verify() {
  auto x = tensorType(getX()), y = tensorType(getY()),
       offsets = tensorType(getOffsets()), result = tensorType(getResult());
  auto complain = [&](auto &&...parts) {
    Complaint complaint(*this);
    (complaint << ... << parts);
    complaint.note(getX(), "x").note(getY(), "y").note(getOffsets(), "offsets");
    return failure();
  };
  // grouped_outer.C1
  if (x.getRank() != 2 || y.getRank() != 2 || offsets.getRank() != 1 ||
      offsets.getDimSize(0) < 2)
    return complain("takes ranks 2, 2 and 1 and at least 2 offsets, not ", x,
                    ", ", y, " and ", offsets);
  // grouped_outer.C2
  if (x.getDimSize(0) != y.getDimSize(0))
    return complain("has ", x.getDimSize(0), " rows of x and ", y.getDimSize(0),
                    " of y");
  // grouped_outer.C3
  if (x.getElementType() != y.getElementType() ||
      !sumsInto(x.getElementType(), result.getElementType()))
    return complain("multiplies ", x.getElementType(), " and ",
                    y.getElementType(), " into ", result.getElementType());
  // grouped_outer.C4
  SmallVector<int64_t> shape = {offsets.getDimSize(0) - 1, x.getDimSize(1),
                                y.getDimSize(1)};
  if (result.getShape() != ArrayRef<int64_t>(shape))
    return complain("returns ", result, " where the operands give ",
                    result.clone(shape));
  return success();
}

int64_t GroupedOuterOp::getFlops() {
  auto x = tensorType(getX()), y = tensorType(getY());
  return product({2, x.getDimSize(0), x.getDimSize(1), y.getDimSize(1)});
}

LogicalResult
GroupedOuterOp::buildGradient(OpBuilder &builder, ValueRange grads,
                              SmallVectorImpl<Value> &operandGradients) {
  GradientMath m(builder, *this);
  Value g = m.cast(grads[0], tensorType(getX()).getElementType());
  operandGradients.assign({m.make<GroupedDotOp>(getY(), g, getOffsets(), true),
                           m.make<GroupedDotOp>(getX(), g, getOffsets(), false),
                           Value()});
  return success();
}
