//===- ReferenceOrder.cpp - running sums and sorting in float64 -----------===//

#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Reference.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

LogicalResult CumsumOp::evaluate(ArrayRef<HostTensor> operands,
                                 SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor &r = results.emplace_back(resultType(*this));
  ArrayRef<int64_t> shape = tensorType(getX()).getShape();
  int64_t extent = shape[getDim()], inner = 1;
  for (int64_t size : shape.drop_front(getDim() + 1))
    inner *= size;
  for (int64_t line = 0; line != x.size() / extent; ++line) {
    int64_t start = line / inner * inner * extent + line % inner;
    double sum = 0;
    for (int64_t turn = 0; turn != extent; ++turn) {
      int64_t at = start + (getReverse() ? extent - 1 - turn : turn) * inner;
      double before = sum;
      sum += x.data[at];
      r.data[at] = getExclusive() ? before : sum;
    }
  }
  return success();
}

LogicalResult SortOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor values(tensorType(getValues())), indices(tensorType(getIndices())),
      places(tensorType(getPlaces()));
  int64_t width = x.shape().back();
  auto isLess = [](double a, double b) {
    return a < b || (std::isnan(b) && !std::isnan(a));
  };
  std::vector<int64_t> order(width);
  for (int64_t first = 0; first != x.size(); first += width) {
    const double *row = &x.data[first];
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return getDescending() ? isLess(row[b], row[a]) : isLess(row[a], row[b]);
    });
    for (int64_t j = 0; j != width; ++j) {
      values.data[first + j] = row[order[j]];
      indices.data[first + j] = double(order[j]);
      places.data[first + order[j]] = double(j);
    }
  }
  results.append({std::move(values), std::move(indices), std::move(places)});
  return success();
}
