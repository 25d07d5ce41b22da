//===- ReferenceShape.cpp - moving and reducing elements in float64 -------===//

#include "dialects/Tarn/Elementwise.h"

#include <algorithm>
#include <limits>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

using Strides = SmallVector<int64_t>;

// Calls visit(first position in a, in b) for every row of the last dim of a
// box; a and b are addressed by strides.
template <typename Visit>
static void forEachRow(ArrayRef<int64_t> shape, ArrayRef<int64_t> a,
                       ArrayRef<int64_t> b, Visit visit) {
  if (llvm::is_contained(shape, 0))
    return;
  int64_t outer = int64_t(shape.size()) - 1;
  SmallVector<int64_t> index(shape.size(), 0);
  int64_t atA = 0, atB = 0;
  while (true) {
    visit(atA, atB);
    int64_t d = outer - 1;
    for (; d >= 0; --d) {
      atA += a[d];
      atB += b[d];
      if (++index[d] < shape[d])
        break;
      atA -= a[d] * shape[d];
      atB -= b[d] * shape[d];
      index[d] = 0;
    }
    if (d < 0)
      return;
  }
}

// Copies a box between tensors addressed by strides.
static void copyBox(ArrayRef<int64_t> shape, const double *from,
                    ArrayRef<int64_t> fromStrides, double *to,
                    ArrayRef<int64_t> toStrides) {
  if (shape.empty()) {
    *to = *from;
    return;
  }
  int64_t n = shape.back(), f = fromStrides.back(), t = toStrides.back();
  forEachRow(shape, fromStrides, toStrides, [&](int64_t atF, int64_t atT) {
    for (int64_t i = 0; i != n; ++i)
      to[atT + i * t] = from[atF + i * f];
  });
}

static int64_t offsetOf(ArrayRef<int64_t> position, ArrayRef<int64_t> strides) {
  int64_t offset = 0;
  for (auto [p, s] : llvm::zip_equal(position, strides))
    offset += p * s;
  return offset;
}

LogicalResult BroadcastOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  Strides strides(r.rank(), 0);
  for (auto [dim, stride] :
       llvm::zip_equal(getDims(), rowMajorStrides(x.shape())))
    strides[dim] = stride;
  copyBox(r.shape(), x.data.data(), strides, r.data.data(),
          rowMajorStrides(r.shape()));
  return success();
}

LogicalResult TransposeOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  Strides from = rowMajorStrides(x.shape()), strides;
  for (int64_t dim : getPermutation())
    strides.push_back(from[dim]);
  copyBox(r.shape(), x.data.data(), strides, r.data.data(),
          rowMajorStrides(r.shape()));
  return success();
}

LogicalResult ReshapeOp::evaluate(ArrayRef<HostTensor> operands,
                                  SmallVectorImpl<HostTensor> &results) {
  results.emplace_back(resultType(*this), operands[0].data);
  return success();
}

LogicalResult SliceOp::evaluate(ArrayRef<HostTensor> operands,
                                SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  Strides strides = rowMajorStrides(x.shape());
  copyBox(r.shape(), x.data.data() + offsetOf(getOffsets(), strides), strides,
          r.data.data(), rowMajorStrides(r.shape()));
  return success();
}

LogicalResult PadOp::evaluate(ArrayRef<HostTensor> operands,
                              SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  Strides strides = rowMajorStrides(r.shape());
  copyBox(x.shape(), x.data.data(), rowMajorStrides(x.shape()),
          r.data.data() + offsetOf(getLow(), strides), strides);
  return success();
}

LogicalResult ConcatOp::evaluate(ArrayRef<HostTensor> operands,
                                 SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  Strides strides = rowMajorStrides(r.shape());
  double *to = r.data.data();
  for (const HostTensor &x : operands) {
    copyBox(x.shape(), x.data.data(), rowMajorStrides(x.shape()), to, strides);
    to += x.shape()[getDim()] * strides[getDim()];
  }
  return success();
}

LogicalResult UpdateSliceOp::evaluate(ArrayRef<HostTensor> operands,
                                      SmallVectorImpl<HostTensor> &results) {
  const HostTensor &update = operands[1];
  HostTensor &r = results.emplace_back(operands[0]);
  Strides strides = rowMajorStrides(r.shape()), position;
  for (int64_t d = 0; d != r.rank(); ++d)
    position.push_back(std::clamp<int64_t>(int64_t(operands[2 + d].data[0]), 0,
                                           r.shape()[d] - update.shape()[d]));
  copyBox(update.shape(), update.data.data(), rowMajorStrides(update.shape()),
          r.data.data() + offsetOf(position, strides), strides);
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

// Strides into the result of a reduction, per dim of x: 0 for reduced ones.
static Strides reducedStrides(const HostTensor &x, ArrayRef<int64_t> dims,
                              ArrayRef<int64_t> resultShape) {
  Strides strides(x.rank(), 0), kept = rowMajorStrides(resultShape);
  size_t next = 0;
  for (int64_t d = 0; d != x.rank(); ++d)
    if (!llvm::is_contained(dims, d))
      strides[d] = kept[next++];
  return strides;
}

// r[kept] = combine(r[kept], x) from a start value.
template <typename Combine>
static void reduce(const HostTensor &x, ArrayRef<int64_t> dims, double start,
                   HostTensor &r, Combine combine) {
  std::fill(r.data.begin(), r.data.end(), start);
  if (x.rank() == 0) {
    r.data[0] = combine(start, x.data[0]);
    return;
  }
  Strides out = reducedStrides(x, dims, r.shape());
  int64_t n = x.shape().back(), step = out.back();
  forEachRow(x.shape(), rowMajorStrides(x.shape()), out,
             [&](int64_t atX, int64_t atR) {
               const double *row = x.data.data() + atX;
               double *to = r.data.data() + atR;
               for (int64_t i = 0; i != n; ++i)
                 to[i * step] = combine(to[i * step], row[i]);
             });
}

LogicalResult ReduceSumOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  reduce(operands[0], getDims(), 0, r,
         [](double sum, double x) { return sum + x; });
  if (isWrapped(r.type.getElementType()))
    roundToElementType(r);
  return success();
}

LogicalResult ReduceMaxOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  Type element = r.type.getElementType();
  double least = -std::numeric_limits<double>::infinity();
  if (element.isInteger(32))
    least = -0x1p31;
  else if (element.isInteger(64))
    least = -0x1p63;
  reduce(operands[0], getDims(), least, r,
         [](double most, double x) { return maximum(most, x); });
  return success();
}

LogicalResult ArgmaxOp::evaluate(ArrayRef<HostTensor> operands,
                                 SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t stride = rowMajorStrides(x.shape())[getDim()];
  int64_t extent = x.shape()[getDim()];
  for (int64_t i = 0, n = r.size(); i != n; ++i) {
    const double *row = &x.data[i / stride * stride * extent + i % stride];
    int64_t best = 0;
    for (int64_t j = 1; j < extent; ++j)
      if (row[j * stride] > row[best * stride])
        best = j;
    r.data[i] = double(best);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Rows at run-time positions
//===----------------------------------------------------------------------===//

LogicalResult GatherOp::evaluate(ArrayRef<HostTensor> operands,
                                 SmallVectorImpl<HostTensor> &results) {
  const HostTensor &table = operands[0], &indices = operands[1];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t rows = table.shape()[0],
          row = table.size() / std::max<int64_t>(rows, 1);
  for (int64_t i = 0, n = indices.size(); i != n; ++i) {
    double index = indices.data[i];
    if (index >= 0 && index < double(rows))
      std::copy_n(&table.data[int64_t(index) * row], row, &r.data[i * row]);
  }
  return success();
}

LogicalResult ScatterAddOp::evaluate(ArrayRef<HostTensor> operands,
                                     SmallVectorImpl<HostTensor> &results) {
  const HostTensor &indices = operands[0], &updates = operands[1];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t row = r.size() / getRows();
  for (int64_t i = 0, n = indices.size(); i != n; ++i) {
    double index = indices.data[i];
    if (index < 0 || index >= double(getRows()))
      continue;
    for (int64_t j = 0; j != row; ++j)
      r.data[int64_t(index) * row + j] += updates.data[i * row + j];
  }
  return success();
}

LogicalResult TakeAlongOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0], &indices = operands[1];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t row = x.shape().back();
  for (int64_t i = 0, n = r.size(); i != n; ++i) {
    double index = indices.data[i];
    if (index >= 0 && index < double(row))
      r.data[i] = x.data[i * row + int64_t(index)];
  }
  return success();
}

LogicalResult ElementOp::evaluate(ArrayRef<HostTensor> operands,
                                  SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t at = 0;
  for (auto [d, stride] : llvm::enumerate(rowMajorStrides(x.shape()))) {
    double position = operands[1 + d].data[0];
    if (position < 0 || position >= double(x.shape()[d]))
      return success();
    at += int64_t(position) * stride;
  }
  r.data[0] = x.data[at];
  return success();
}
