//===- References.h - plain loops for the tile programs ---------*- C++ -*-===//

#ifndef TEST_DIALECTS_TILE_REFERENCES_H
#define TEST_DIALECTS_TILE_REFERENCES_H

#include <cstdint>
#include <vector>

namespace tarn::tile::test {

using Numbers = std::vector<double>;

/// gelu(A B + bias) for A [m, k], B [k, n] ([n, k] if transposed).
Numbers gemmReference(int64_t m, int64_t n, int64_t k, const Numbers &a,
                      const Numbers &b, bool transposed, const Numbers &bias);

/// Softmax of each row of [rows, columns].
Numbers softmaxReference(int64_t rows, int64_t columns, const Numbers &x);

/// Layer norm of each row of [rows, columns], epsilon 1e-5.
Numbers layerNormReference(int64_t rows, int64_t columns, const Numbers &x,
                           const Numbers &weight, const Numbers &bias);

/// Operands [heads, t, d] of causal attention and its gradients.
struct Attention {
  int64_t heads, t, d;
  double scale;
  Numbers q, k, v, gradient;
  /// Results: o and the gradients like the operands, logSum [heads, t], and
  /// delta, the row sums of o times its gradient.
  Numbers o, logSum, delta, dq, dk, dv;

  /// Computes the results; gradients only if `gradient` is given.
  void run();
};

/// X[perm[p]] W[expert of p] for rows p sorted by expert.
Numbers groupedGemmReference(int64_t k, int64_t n, const Numbers &x,
                             const Numbers &perm, const Numbers &offsets,
                             const Numbers &w);

/// A B^T with a scale per row and `s` of k for A [m, k], and per s x s for B.
Numbers scaledDotReference(int64_t m, int64_t n, int64_t k, int64_t s,
                           const Numbers &a, const Numbers &sa,
                           const Numbers &b, const Numbers &sb);

} // namespace tarn::tile::test

#endif // TEST_DIALECTS_TILE_REFERENCES_H
