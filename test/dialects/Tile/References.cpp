//===- References.cpp - plain loops for the tile programs -----------------===//

#include "test/dialects/Tile/References.h"

#include <algorithm>
#include <cmath>

using namespace tarn::tile::test;

Numbers tarn::tile::test::gemmReference(int64_t m, int64_t n, int64_t k,
                                        const Numbers &a, const Numbers &b,
                                        bool transposed, const Numbers &bias) {
  Numbers c(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double x = bias[j];
      for (int64_t l = 0; l < k; ++l)
        x += a[i * k + l] * (transposed ? b[j * k + l] : b[l * n + j]);
      // The constants as the program holds them, in f32; half of 1.5957691216
      // is sqrt(2 / pi).
      double inner =
          0.5 * double(1.5957691216f) * (x + double(0.044715f) * x * x * x);
      c[i * n + j] = 0.5 * x * (1 + std::tanh(inner));
    }
  return c;
}

Numbers tarn::tile::test::softmaxReference(int64_t rows, int64_t columns,
                                           const Numbers &x) {
  Numbers y(x.size());
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t c = 0; c < columns; ++c)
      sum += std::exp(x[r * columns + c]);
    for (int64_t c = 0; c < columns; ++c)
      y[r * columns + c] = std::exp(x[r * columns + c]) / sum;
  }
  return y;
}

Numbers tarn::tile::test::layerNormReference(int64_t rows, int64_t columns,
                                             const Numbers &x,
                                             const Numbers &weight,
                                             const Numbers &bias) {
  Numbers y(x.size());
  for (int64_t r = 0; r < rows; ++r) {
    const double *row = &x[r * columns];
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < columns; ++c)
      mean += row[c] / columns;
    for (int64_t c = 0; c < columns; ++c)
      variance += (row[c] - mean) * (row[c] - mean) / columns;
    for (int64_t c = 0; c < columns; ++c)
      y[r * columns + c] =
          (row[c] - mean) / std::sqrt(variance + double(1e-5f)) * weight[c] +
          bias[c];
  }
  return y;
}

// The whole matrix of probabilities of one head, then everything from it.
void Attention::run() {
  o.assign(q.size(), 0);
  logSum.assign(heads * t, 0);
  bool backward = !gradient.empty();
  if (backward) {
    delta.assign(heads * t, 0);
    dq.assign(q.size(), 0);
    dk.assign(q.size(), 0);
    dv.assign(q.size(), 0);
  }
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < t; ++i) {
      auto at = [&](int64_t row, int64_t c) { return (h * t + row) * d + c; };
      Numbers p(i + 1);
      double sum = 0;
      for (int64_t j = 0; j <= i; ++j) {
        double s = 0;
        for (int64_t c = 0; c < d; ++c)
          s += q[at(i, c)] * k[at(j, c)];
        p[j] = std::exp(s * scale);
        sum += p[j];
      }
      logSum[h * t + i] = std::log(sum);
      for (int64_t j = 0; j <= i; ++j) {
        p[j] /= sum;
        for (int64_t c = 0; c < d; ++c)
          o[at(i, c)] += p[j] * v[at(j, c)];
      }
      if (!backward)
        continue;
      double &rowDelta = delta[h * t + i];
      for (int64_t c = 0; c < d; ++c)
        rowDelta += o[at(i, c)] * gradient[at(i, c)];
      for (int64_t j = 0; j <= i; ++j) {
        double dp = 0;
        for (int64_t c = 0; c < d; ++c) {
          dp += gradient[at(i, c)] * v[at(j, c)];
          dv[at(j, c)] += p[j] * gradient[at(i, c)];
        }
        double ds = p[j] * (dp - rowDelta) * scale;
        for (int64_t c = 0; c < d; ++c) {
          dq[at(i, c)] += ds * k[at(j, c)];
          dk[at(j, c)] += ds * q[at(i, c)];
        }
      }
    }
}

Numbers tarn::tile::test::groupedGemmReference(int64_t k, int64_t n,
                                               const Numbers &x,
                                               const Numbers &perm,
                                               const Numbers &offsets,
                                               const Numbers &w) {
  Numbers y(perm.size() * n);
  for (size_t e = 0; e + 1 < offsets.size(); ++e)
    for (int64_t p = offsets[e]; p < offsets[e + 1]; ++p)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t l = 0; l < k; ++l)
          y[p * n + j] +=
              x[static_cast<int64_t>(perm[p]) * k + l] * w[(e * k + l) * n + j];
  return y;
}

Numbers tarn::tile::test::scaledDotReference(int64_t m, int64_t n, int64_t k,
                                             int64_t s, const Numbers &a,
                                             const Numbers &sa,
                                             const Numbers &b,
                                             const Numbers &sb) {
  Numbers c(m * n);
  int64_t blocks = (k + s - 1) / s;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l)
        c[i * n + j] += a[i * k + l] * sa[i * blocks + l / s] * b[j * k + l] *
                        sb[j / s * blocks + l / s];
  return c;
}
