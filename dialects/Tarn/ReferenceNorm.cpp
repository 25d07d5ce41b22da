//===- ReferenceNorm.cpp - norms and losses in float64 --------------------===//

#include "dialects/Tarn/Elementwise.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

// Calls visit(x, result, extent, stride) for every line along a dim.
template <typename Visit>
static void forEachLine(const HostTensor &x, int64_t dim, HostTensor &r,
                        Visit visit) {
  int64_t stride = rowMajorStrides(x.shape())[dim], extent = x.shape()[dim];
  for (int64_t i = 0, n = x.size() / std::max<int64_t>(extent, 1); i != n;
       ++i) {
    int64_t at = i / stride * stride * extent + i % stride;
    visit(&x.data[at], &r.data[at], extent, stride);
  }
}

static double largest(const double *x, int64_t n, int64_t stride) {
  double most = x[0];
  for (int64_t i = 1; i < n; ++i)
    most = maximum(most, x[i * stride]);
  return most;
}

// log sum exp of a line.
static double logSumExp(const double *x, int64_t n, int64_t stride) {
  double most = largest(x, n, stride), sum = 0;
  for (int64_t i = 0; i != n; ++i)
    sum += std::exp(x[i * stride] - most);
  return most + std::log(sum);
}

LogicalResult SoftmaxOp::evaluate(ArrayRef<HostTensor> operands,
                                  SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  forEachLine(operands[0], getDim(), r,
              [](const double *x, double *y, int64_t n, int64_t stride) {
                double most = largest(x, n, stride), sum = 0;
                for (int64_t i = 0; i != n; ++i)
                  sum += y[i * stride] = std::exp(x[i * stride] - most);
                for (int64_t i = 0; i != n; ++i)
                  y[i * stride] /= sum;
              });
  return success();
}

LogicalResult LogSoftmaxOp::evaluate(ArrayRef<HostTensor> operands,
                                     SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  forEachLine(operands[0], getDim(), r,
              [](const double *x, double *y, int64_t n, int64_t stride) {
                double lse = logSumExp(x, n, stride);
                for (int64_t i = 0; i != n; ++i)
                  y[i * stride] = x[i * stride] - lse;
              });
  return success();
}

LogicalResult LayerNormOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  const double *weight = operands[1].data.data();
  const double *bias = operands[2].data.data();
  forEachLine(operands[0], r.rank() - 1, r,
              [&](const double *x, double *y, int64_t n, int64_t) {
                double mean = 0, variance = 0;
                for (int64_t i = 0; i != n; ++i)
                  mean += x[i];
                mean /= double(n);
                for (int64_t i = 0; i != n; ++i)
                  variance += (x[i] - mean) * (x[i] - mean);
                double scale = 1 / std::sqrt(variance / double(n) + getEps());
                for (int64_t i = 0; i != n; ++i)
                  y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
              });
  return success();
}

LogicalResult RmsNormOp::evaluate(ArrayRef<HostTensor> operands,
                                  SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  const double *weight = operands[1].data.data();
  forEachLine(operands[0], r.rank() - 1, r,
              [&](const double *x, double *y, int64_t n, int64_t) {
                double square = 0;
                for (int64_t i = 0; i != n; ++i)
                  square += x[i] * x[i];
                double scale = 1 / std::sqrt(square / double(n) + getEps());
                for (int64_t i = 0; i != n; ++i)
                  y[i] = x[i] * scale * weight[i];
              });
  return success();
}

LogicalResult CrossEntropyOp::evaluate(ArrayRef<HostTensor> operands,
                                       SmallVectorImpl<HostTensor> &results) {
  const HostTensor &logits = operands[0], &targets = operands[1];
  HostTensor loss(tensorType(getLoss())), lse(tensorType(getLogSumExp()));
  int64_t row = logits.shape().back();
  for (int64_t i = 0, n = loss.size(); i != n; ++i) {
    const double *x = &logits.data[i * row];
    lse.data[i] = logSumExp(x, row, 1);
    double target = targets.data[i];
    if (target == double(getIgnoreIndex()))
      continue;
    bool inside = target >= 0 && target < double(row);
    loss.data[i] = lse.data[i] - (inside ? x[int64_t(target)] : 0);
  }
  results.push_back(std::move(loss));
  results.push_back(std::move(lse));
  return success();
}

LogicalResult RopeOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  const HostTensor &x = operands[0];
  const double *cosine = operands[1].data.data();
  const double *sine = operands[2].data.data();
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t features = x.shape().back(), pairs = features / 2;
  int64_t positions = x.shape()[x.rank() - 2];
  int64_t first = getInterleaved() ? 2 : 1,
          second = getInterleaved() ? 1 : pairs;
  for (int64_t row = 0, n = x.size() / std::max<int64_t>(features, 1); row != n;
       ++row)
    for (int64_t k = 0; k != pairs; ++k) {
      int64_t p = row * features + k * first, q = p + second;
      double c = cosine[row % positions * pairs + k];
      double s = sine[row % positions * pairs + k];
      r.data[p] = x.data[p] * c - x.data[q] * s;
      r.data[q] = x.data[q] * c + x.data[p] * s;
    }
  return success();
}

LogicalResult RatioOp::evaluate(ArrayRef<HostTensor> operands,
                                SmallVectorImpl<HostTensor> &results) {
  return mapBinary(*this, operands, results, [](double sum, double count) {
    return sum / std::max(count, 1.0);
  });
}
