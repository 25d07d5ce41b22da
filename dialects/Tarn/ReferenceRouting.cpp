//===- ReferenceRouting.cpp - routing in float64 --------------------------===//

#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// What elements are ordered by: what is no number counts as infinity.
static double keyOf(double x) {
  return std::isnan(x) ? std::numeric_limits<double>::infinity() : x;
}

LogicalResult TopKOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  HostTensor values(tensorType(getValues())), indices(tensorType(getIndices()));
  int64_t width = x.shape().back(), k = getK();
  std::vector<int64_t> order(width);
  for (int64_t row = 0, rows = x.size() / width; row != rows; ++row) {
    const double *from = &x.data[row * width];
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return keyOf(from[a]) > keyOf(from[b]);
    });
    for (int64_t j = 0; j != k; ++j) {
      values.data[row * k + j] = from[order[j]];
      indices.data[row * k + j] = double(order[j]);
    }
  }
  results.push_back(std::move(values));
  results.push_back(std::move(indices));
  return success();
}

LogicalResult GroupRowsOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  const std::vector<double> &groups = operands[0].data;
  int64_t count = getCount(), rows = groups.size();
  auto groupOf = [&](int64_t row) {
    double group = groups[row];
    return group >= 0 && group < double(count) ? int64_t(group) : count;
  };
  std::vector<int64_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return groupOf(a) < groupOf(b);
  });
  HostTensor sorted(tensorType(getOrder())), places(tensorType(getPlaces())),
      offsets(tensorType(getOffsets()));
  for (int64_t p = 0; p != rows; ++p) {
    sorted.data[p] = double(order[p]);
    places.data[order[p]] = double(p);
  }
  for (int64_t row = 0; row != rows; ++row)
    if (groupOf(row) < count)
      offsets.data[groupOf(row) + 1] += 1;
  std::partial_sum(offsets.data.begin(), offsets.data.end(),
                   offsets.data.begin());
  results.append({std::move(sorted), std::move(places), std::move(offsets)});
  return success();
}

/// The rows of group g, kept inside of what there is.
static std::pair<int64_t, int64_t> rowsOf(const HostTensor &offsets, int64_t g,
                                          int64_t rows) {
  double all = double(rows);
  double from = std::clamp(offsets.data[g], 0.0, all);
  return {int64_t(from), int64_t(std::clamp(offsets.data[g + 1], from, all))};
}

LogicalResult GroupedDotOp::evaluate(ArrayRef<HostTensor> operands,
                                     SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0], &w = operands[1];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t k = x.shape()[1], n = r.shape()[1];
  std::vector<double> matrix(k * n);
  for (int64_t g = 0; g != w.shape()[0]; ++g) {
    auto [from, to] = rowsOf(operands[2], g, x.shape()[0]);
    const double *own = w.data.data() + g * k * n;
    for (int64_t i = 0; i != k; ++i)
      for (int64_t j = 0; j != n; ++j)
        matrix[i * n + j] = getTransposeW() ? own[j * k + i] : own[i * n + j];
    multiplyMatrices(x.data.data() + from * k, matrix.data(),
                     r.data.data() + from * n, to - from, n, k);
  }
  return success();
}

LogicalResult GroupedOuterOp::evaluate(ArrayRef<HostTensor> operands,
                                       SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0], &y = operands[1];
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t k = x.shape()[1], n = y.shape()[1];
  for (int64_t g = 0; g != r.shape()[0]; ++g) {
    auto [from, to] = rowsOf(operands[2], g, x.shape()[0]);
    for (int64_t p = from; p != to; ++p)
      for (int64_t i = 0; i != k; ++i)
        for (int64_t j = 0; j != n; ++j)
          r.data[(g * k + i) * n + j] += x.data[p * k + i] * y.data[p * n + j];
  }
  return success();
}
