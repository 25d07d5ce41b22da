//===- ReferenceDot.cpp - products and attention in float64 ---------------===//

#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Reference.h"

#include <limits>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

static constexpr int64_t rowsAtOnce = 4, columnsAtOnce = 8;

// The wide vectors change no result: sums run over k in order in each element.
#if defined(__x86_64__) && defined(__linux__)
#define TARN_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define TARN_WIDE
#endif

TARN_WIDE static void multiplyPanel(const double *a, const double *b, double *c,
                                    int64_t n, int64_t k, int64_t j) {
  double sums[rowsAtOnce][columnsAtOnce] = {};
  for (int64_t p = 0; p != k; ++p)
    for (int64_t r = 0; r != rowsAtOnce; ++r)
      for (int64_t s = 0; s != columnsAtOnce; ++s)
        sums[r][s] += a[r * k + p] * b[p * n + j + s];
  for (int64_t r = 0; r != rowsAtOnce; ++r)
    for (int64_t s = 0; s != columnsAtOnce; ++s)
      c[r * n + j + s] += sums[r][s];
}

void graph::multiplyMatrices(const double *a, const double *b, double *c,
                             int64_t m, int64_t n, int64_t k) {
  int64_t fullRows = m / rowsAtOnce * rowsAtOnce;
  int64_t fullColumns = n / columnsAtOnce * columnsAtOnce;
  // Column panels outside: the panel of b stays in cache for all rows.
  for (int64_t j = 0; j != fullColumns; j += columnsAtOnce)
    for (int64_t i = 0; i != fullRows; i += rowsAtOnce)
      multiplyPanel(a + i * k, b, c + i * n, n, k, j);
  auto one = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t p = 0; p != k; ++p)
      sum += a[i * k + p] * b[p * n + j];
    c[i * n + j] += sum;
  };
  for (int64_t i = 0; i != fullRows; ++i)
    for (int64_t j = fullColumns; j != n; ++j)
      one(i, j);
  for (int64_t i = fullRows; i != m; ++i)
    for (int64_t j = 0; j != n; ++j)
      one(i, j);
}

// Turns batches of [rows, columns] into [columns, rows].
static std::vector<double> swapLast(const std::vector<double> &x, int64_t rows,
                                    int64_t columns) {
  std::vector<double> swapped(x.size());
  int64_t batch = rows * columns;
  for (size_t at = 0; at + batch <= x.size(); at += batch)
    for (int64_t i = 0; i != rows; ++i)
      for (int64_t j = 0; j != columns; ++j)
        swapped[at + j * rows + i] = x[at + i * columns + j];
  return swapped;
}

LogicalResult DotOp::evaluate(ArrayRef<HostTensor> operands,
                              SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t rank = r.rank(), m = r.shape()[rank - 2], n = r.shape()[rank - 1];
  int64_t k = getLoopBounds().back();
  std::vector<double> swappedA, swappedB;
  const double *a = operands[0].data.data(), *b = operands[1].data.data();
  if (getTransposeA()) {
    swappedA = swapLast(operands[0].data, k, m);
    a = swappedA.data();
  }
  if (getTransposeB()) {
    swappedB = swapLast(operands[1].data, n, k);
    b = swappedB.data();
  }
  int64_t batches = r.size() / std::max<int64_t>(m * n, 1);
  for (int64_t i = 0; i != batches; ++i)
    multiplyMatrices(a + i * m * k, b + i * k * n, &r.data[i * m * n], m, n, k);
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
// A region of attention as a block on [T, S] tensors, run head by head.
class HeadProgram {
public:
  // `floats` leading tensor<f32> arguments, then b, h, i, j and captures.
  HeadProgram(Region &source, unsigned floats, int64_t queries, int64_t keys,
              TypeRange captures)
      : present(!source.empty()) {
    if (!present)
      return;
    OpBuilder builder(source.getContext());
    Location loc = source.getLoc();
    SmallVector<int64_t> shape = {queries, keys};
    floatType = RankedTensorType::get(shape, builder.getF32Type());
    indexType = RankedTensorType::get(shape, builder.getI32Type());
    SmallVector<Type> types(floats, floatType);
    types.append(4, indexType);
    llvm::append_range(types, captures);
    Block *block = builder.createBlock(
        &region, region.end(), types, SmallVector<Location>(types.size(), loc));
    Value result =
        inlineScalarRegion(builder, source, block->getArguments(), shape);
    YieldOp::create(builder, loc, result);
    Block &first = source.front();
    dependsOnHead = !first.getArgument(floats).use_empty() ||
                    !first.getArgument(floats + 1).use_empty();
  }

  // Runs one head. Without float arguments and uses of b and h, the result is
  // the same for all heads and computed once.
  FailureOr<std::vector<double>> run(int64_t b, int64_t h,
                                     ArrayRef<std::vector<double>> floats,
                                     ArrayRef<HostTensor> captures) {
    if (!present)
      return std::vector<double>();
    if (floats.empty() && !dependsOnHead && !once.empty())
      return once;
    SmallVector<HostTensor> arguments;
    for (const std::vector<double> &values : floats)
      arguments.emplace_back(floatType, values);
    HostTensor indices[4];
    for (HostTensor &index : indices)
      index = HostTensor(indexType);
    int64_t keys = indexType.getDimSize(1);
    for (int64_t at = 0, n = indices[0].size(); at != n; ++at) {
      indices[0].data[at] = double(b);
      indices[1].data[at] = double(h);
      indices[2].data[at] = double(at / keys);
      indices[3].data[at] = double(at % keys);
    }
    llvm::append_range(arguments, indices);
    llvm::append_range(arguments, captures);
    SmallVector<HostTensor> results;
    if (failed(evaluateBlock(region.front(), arguments, results)))
      return failure();
    if (floats.empty() && !dependsOnHead)
      once = results[0].data;
    return std::move(results[0].data);
  }

  explicit operator bool() const { return present; }

private:
  bool present, dependsOnHead = false;
  RankedTensorType floatType, indexType;
  Region region;
  std::vector<double> once;
};

// One head of q, k and v.
struct Head {
  Head(ArrayRef<HostTensor> operands) {
    const HostTensor &q = operands[0], &k = operands[1], &v = operands[2];
    queries = q.shape()[2], keys = k.shape()[2];
    features = q.shape()[3], values = v.shape()[3];
    heads = q.shape()[1], keyHeads = k.shape()[1], batches = q.shape()[0];
  }
  // The position of this head's first element in tensors with query heads and
  // key heads.
  int64_t query(int64_t b, int64_t h) const {
    return (b * heads + h) * queries;
  }
  int64_t key(int64_t b, int64_t h) const {
    return (b * keyHeads + h / (heads / keyHeads)) * keys;
  }
  int64_t batches, heads, keyHeads, queries, keys, features, values;
};
} // namespace

// scale * q k^T of one head.
static std::vector<double> products(const Head &head, const HostTensor &q,
                                    const HostTensor &k, int64_t b, int64_t h,
                                    double scale) {
  const double *from = &k.data[head.key(b, h) * head.features];
  std::vector<double> swapped =
      swapLast(std::vector<double>(from, from + head.keys * head.features),
               head.keys, head.features);
  std::vector<double> s(head.queries * head.keys);
  multiplyMatrices(&q.data[head.query(b, h) * head.features], swapped.data(),
                   s.data(), head.queries, head.keys, head.features);
  for (double &x : s)
    x *= scale;
  return s;
}

LogicalResult AttentionOp::evaluate(ArrayRef<HostTensor> operands,
                                    SmallVectorImpl<HostTensor> &results) {
  const HostTensor &q = operands[0], &k = operands[1], &v = operands[2];
  ArrayRef<HostTensor> captures = operands.drop_front(3);
  Head head(operands);
  HeadProgram mask(getMask(), 0, head.queries, head.keys,
                   getCaptures().getTypes());
  HeadProgram score(getScore(), 1, head.queries, head.keys,
                    getCaptures().getTypes());
  HostTensor out(tensorType(getOut())), lse(tensorType(getLse()));
  for (int64_t b = 0; b != head.batches; ++b)
    for (int64_t h = 0; h != head.heads; ++h) {
      std::vector<double> s = products(head, q, k, b, h, getScale());
      if (score) {
        auto changed = score.run(b, h, {s}, captures);
        if (failed(changed))
          return failure();
        s = std::move(*changed);
      }
      auto keep = mask.run(b, h, {}, captures);
      if (failed(keep))
        return failure();
      for (int64_t i = 0; i != head.queries; ++i) {
        double *row = &s[i * head.keys], most = -1e30, sum = 0;
        for (int64_t j = 0; j != head.keys; ++j) {
          if (mask && (*keep)[i * head.keys + j] == 0)
            row[j] = -std::numeric_limits<double>::infinity();
          most = maximum(most, row[j]);
        }
        for (int64_t j = 0; j != head.keys; ++j)
          sum += row[j] = std::exp(row[j] - most);
        for (int64_t j = 0; j != head.keys; ++j)
          row[j] = sum == 0 ? 0 : row[j] / sum;
        lse.data[head.query(b, h) + i] = sum == 0 ? most : most + std::log(sum);
      }
      multiplyMatrices(s.data(), &v.data[head.key(b, h) * head.values],
                       &out.data[head.query(b, h) * head.values], head.queries,
                       head.values, head.keys);
    }
  results.push_back(std::move(out));
  results.push_back(std::move(lse));
  return success();
}

LogicalResult
AttentionBackwardOp::evaluate(ArrayRef<HostTensor> operands,
                              SmallVectorImpl<HostTensor> &results) {
  const HostTensor &q = operands[0], &k = operands[1], &v = operands[2];
  const HostTensor &out = operands[3], &lse = operands[4], &grad = operands[5];
  ArrayRef<HostTensor> captures = operands.drop_front(6);
  Head head(operands);
  int64_t queries = head.queries, keys = head.keys;
  HeadProgram mask(getMask(), 0, queries, keys, getCaptures().getTypes());
  HeadProgram score(getScore(), 1, queries, keys, getCaptures().getTypes());
  HeadProgram slope(getScoreGradient(), 2, queries, keys,
                    getCaptures().getTypes());
  HostTensor dq(tensorType(getDq())), dk(tensorType(getDk())),
      dv(tensorType(getDv()));
  for (int64_t b = 0; b != head.batches; ++b)
    for (int64_t h = 0; h != head.heads; ++h) {
      int64_t atQ = head.query(b, h), atK = head.key(b, h);
      const double *g = &grad.data[atQ * head.values];
      std::vector<double> s = products(head, q, k, b, h, getScale()), p = s;
      if (score) {
        auto changed = score.run(b, h, {s}, captures);
        if (failed(changed))
          return failure();
        p = std::move(*changed);
      }
      auto keep = mask.run(b, h, {}, captures);
      if (failed(keep))
        return failure();
      // p and ds = p * (g . v - g . out).
      const double *value = &v.data[atK * head.values];
      std::vector<double> swapped =
          swapLast(std::vector<double>(value, value + keys * head.values), keys,
                   head.values);
      std::vector<double> ds(queries * keys);
      multiplyMatrices(g, swapped.data(), ds.data(), queries, keys,
                       head.values);
      for (int64_t i = 0; i != queries; ++i) {
        double delta = hasSums() ? out.data[atQ + i] : 0;
        for (int64_t d = 0; d != head.values && !hasSums(); ++d)
          delta +=
              g[i * head.values + d] * out.data[(atQ + i) * head.values + d];
        for (int64_t j = 0; j != keys; ++j) {
          int64_t at = i * keys + j;
          bool kept = !mask || (*keep)[at] != 0;
          p[at] = kept ? std::exp(p[at] - lse.data[atQ + i]) : 0;
          ds[at] = kept ? p[at] * (ds[at] - delta) : 0;
        }
      }
      if (slope) {
        auto changed = slope.run(b, h, {ds, s}, captures);
        if (failed(changed))
          return failure();
        ds = std::move(*changed);
      }
      for (double &x : ds)
        x *= getScale();
      multiplyMatrices(ds.data(), &k.data[atK * head.features],
                       &dq.data[atQ * head.features], queries, head.features,
                       keys);
      std::vector<double> turned = swapLast(ds, queries, keys);
      multiplyMatrices(turned.data(), &q.data[atQ * head.features],
                       &dk.data[atK * head.features], keys, head.features,
                       queries);
      turned = swapLast(p, queries, keys);
      multiplyMatrices(turned.data(), g, &dv.data[atK * head.values], keys,
                       head.values, queries);
    }
  results.push_back(std::move(dq));
  results.push_back(std::move(dk));
  results.push_back(std::move(dv));
  return success();
}
