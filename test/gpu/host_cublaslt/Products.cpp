//===- Products.cpp - algorithms and products -----------------------------===//

#include "test/gpu/host_cublaslt/HostCublasLt.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace tarn::gpu;

namespace {

/// A kind of algorithm, in the order in which they are offered.
struct Way {
  uint64_t number;
  unsigned parts;      ///< of the sum
  uint32_t reduction;  ///< how parts are added
  unsigned alignment;  ///< of all addresses
  uint64_t fixedBytes; ///< of workspace, beside the parts' sums
};
constexpr Way ways[] = {{5, 1, 0, 256, 0},
                        {3, 3, 1, 16, 4096},
                        {2, 4, 2, 16, 0},
                        {4, 1, 0, 64, 1 << 20},
                        {1, 1, 0, 16, 0}};
constexpr uint64_t magic = 0x7461726e2d6c7400; // in the first word

struct Matrix {
  uint64_t rows = 0, columns = 0, leading = 0, count = 1;
  int64_t stride = 0;
  int type = 0;
};

/// A product that was checked.
struct Product {
  Matrix a, b, c, d;
  bool transA = false, transB = false, hasBias = false, isTf32 = false;
  uint64_t m = 0, n = 0, k = 0;
};

} // namespace

static unsigned bytesOf(int type) { return type == 0 ? 4 : 2; }

static float fromHalf(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  float mantissa = static_cast<float>(bits & 1023);
  float size = exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
               : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                              : std::ldexp(mantissa, -24);
  return bits & 0x8000 ? -size : size;
}

/// To nearest, ties to even.
static uint16_t toHalf(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | 0x7E00;
  float size = std::fabs(value);
  if (size >= 65520)
    return sign | 0x7C00;
  int exponent = size > 0 ? std::max(std::ilogb(size), -14) : -14;
  // In units of the last place; 2048 of them are the next exponent's.
  auto units =
      static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return static_cast<uint16_t>(sign | (((exponent + 14) << 10) + units));
}

static float load(const void *base, uint64_t at, int type) {
  if (type == 0) {
    float value;
    memcpy(&value, static_cast<const char *>(base) + 4 * at, 4);
    return value;
  }
  uint16_t bits;
  memcpy(&bits, static_cast<const char *>(base) + 2 * at, 2);
  if (type == 2)
    return fromHalf(bits);
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

/// An element of an operand.
static float factor(const void *base, uint64_t at, const Product &p) {
  float value = load(base, at, p.a.type);
  if (!p.isTf32 || !std::isfinite(value))
    return value;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits = (bits + 0x1000) & ~0x1FFFu;
  memcpy(&value, &bits, 4);
  return value;
}

static void store(void *base, uint64_t at, int type, float value) {
  if (type == 0) {
    memcpy(static_cast<char *>(base) + 4 * at, &value, 4);
    return;
  }
  uint16_t bits;
  if (type == 2) {
    bits = toHalf(value);
  } else {
    uint32_t wide;
    memcpy(&wide, &value, 4);
    // To nearest, ties to even; NaN stays one.
    bits = std::isnan(value)
               ? uint16_t(0x7FC0)
               : uint16_t((wide + 0x7FFF + ((wide >> 16) & 1)) >> 16);
  }
  memcpy(static_cast<char *>(base) + 2 * at, &bits, 2);
}

static bool readMatrix(const CublasLibrary &library, void *layout, Matrix &m) {
  const Described *found = library.find(layout, Described::Layout);
  if (!found)
    return false;
  m.type = static_cast<int>(found->get(0));
  m.rows = found->get(2);
  m.columns = found->get(3);
  m.leading = found->get(4);
  m.count = found->get(5);
  m.stride = static_cast<int64_t>(found->get(6));
  return m.rows && m.columns && m.leading >= m.rows && m.count;
}

/// Checks shapes and types of a product.
static int describe(const CublasLibrary &library, void *matmul, void *a,
                    void *b, void *c, void *dd, Product &p) {
  const Described *op = library.find(matmul, Described::Matmul);
  if (!op || !readMatrix(library, a, p.a) || !readMatrix(library, b, p.b) ||
      !readMatrix(library, c, p.c) || !readMatrix(library, dd, p.d))
    return cublasInvalidValue;
  p.isTf32 = op->get(0) == 77;
  if ((op->get(0) != 68 && !p.isTf32) || op->get(1) != 0)
    return cublasNotSupported;
  p.transA = op->get(3) == 1;
  p.transB = op->get(4) == 1;
  p.hasBias = op->get(7, 1) == 4;
  if (op->get(7, 1) != 1 && !p.hasBias)
    return cublasNotSupported;
  if (p.hasBias && !op->get(8))
    return cublasInvalidValue;
  p.m = p.transA ? p.a.columns : p.a.rows;
  p.k = p.transA ? p.a.rows : p.a.columns;
  p.n = p.transB ? p.b.rows : p.b.columns;
  if (p.k != (p.transB ? p.b.columns : p.b.rows) || p.d.rows != p.m ||
      p.d.columns != p.n || p.c.rows != p.m || p.c.columns != p.n ||
      p.a.count != p.d.count || p.b.count != p.d.count ||
      p.c.count != p.d.count)
    return cublasInvalidValue;
  bool half = p.a.type == 2 || p.a.type == 14;
  if (p.isTf32 && p.a.type != 0)
    return cublasNotSupported;
  if (p.b.type != p.a.type || p.c.type != p.d.type ||
      !(p.a.type == 0 ? p.d.type == 0
                      : half && (p.d.type == 0 || p.d.type == p.a.type)))
    return cublasNotSupported;
  return cublasOk;
}

static uint64_t workspaceOf(const Way &way, const Product &p) {
  uint64_t sums =
      way.reduction == 2 ? p.m * p.n * p.d.count * 4 * way.parts : 0;
  return way.fixedBytes + sums;
}

static const Way *wayOf(const Algorithm &algorithm) {
  for (const Way &way : ways)
    if (algorithm.words[0] == (magic | way.number))
      return &way;
  return nullptr;
}

TARN_CUBLAS_EXPORT
cublasLtMatmulAlgoGetHeuristic(void *handle, void *matmul, void *a, void *b,
                               void *c, void *dd, void *preference, int wanted,
                               HeuristicResult *results, int *count) {
  TARN_CUBLAS_CALL(cublasLtMatmulAlgoGetHeuristic)
  const Described *prefer = library.find(preference, Described::Preference);
  if (!library.handles.count(handle))
    return cublasNotInitialized;
  if (!prefer || wanted < 1)
    return cublasInvalidValue;
  Product p;
  if (int status = describe(library, matmul, a, b, c, dd, p))
    return status;
  uint64_t aligned = 256;
  for (int matrix = 5; matrix <= 8; ++matrix)
    aligned = std::min(aligned, prefer->get(matrix));
  *count = 0;
  for (const Way &way : ways) {
    if (*count == wanted || workspaceOf(way, p) > prefer->get(1) ||
        (way.reduction & ~prefer->get(3)) || way.alignment > aligned ||
        way.parts > p.k)
      continue;
    HeuristicResult &result = results[(*count)++];
    result = {};
    result.algorithm.words[0] = magic | way.number;
    result.workspaceBytes = workspaceOf(way, p);
    result.waves = 1;
  }
  return *count ? cublasOk : cublasNotSupported;
}

TARN_CUBLAS_EXPORT cublasLtMatmulAlgoCheck(void *handle, void *matmul, void *a,
                                           void *b, void *c, void *dd,
                                           const Algorithm *algorithm,
                                           HeuristicResult *result) {
  TARN_CUBLAS_CALL(cublasLtMatmulAlgoCheck)
  if (!library.handles.count(handle))
    return cublasNotInitialized;
  Product p;
  if (int status = describe(library, matmul, a, b, c, dd, p))
    return status;
  const Way *way = wayOf(*algorithm);
  if (!way)
    return cublasInvalidValue;
  *result = {};
  result->workspaceBytes = workspaceOf(*way, p);
  return cublasOk;
}

namespace {
/// A product with its addresses, as it was when it was queued.
struct Run {
  Product p;
  Way way;
  float alpha, beta;
  const void *a, *b, *c, *bias;
  void *d, *workspace;
};
} // namespace

/// Column-major: element (i, j) lies at i + j * leading.
static void multiply(const Run &run) {
  const Product &p = run.p;
  if (uint64_t bytes = workspaceOf(run.way, p)) // whatever lay there is gone
    memset(run.workspace, 0xFF, bytes);
  for (uint64_t batch = 0; batch < p.d.count; ++batch)
    for (uint64_t j = 0; j < p.n; ++j)
      for (uint64_t i = 0; i < p.m; ++i) {
        auto base = [&](const Matrix &m) {
          return static_cast<uint64_t>(m.stride) * batch;
        };
        float sum = 0;
        for (unsigned part = 0; part < run.way.parts; ++part) {
          double terms = 0;
          for (uint64_t k = p.k * part / run.way.parts,
                        end = p.k * (part + 1) / run.way.parts;
               k < end; ++k)
            terms += double(factor(run.a,
                                   base(p.a) + (p.transA ? k + i * p.a.leading
                                                         : i + k * p.a.leading),
                                   p)) *
                     factor(run.b,
                            base(p.b) + (p.transB ? j + k * p.b.leading
                                                  : k + j * p.b.leading),
                            p);
          sum += static_cast<float>(terms);
        }
        float value = run.alpha * sum;
        uint64_t at = base(p.d) + i + j * p.d.leading;
        if (run.beta != 0)
          value +=
              run.beta * load(run.c, base(p.c) + i + j * p.c.leading, p.c.type);
        if (run.bias)
          value += load(run.bias, i, p.d.type);
        store(run.d, at, p.d.type, value);
      }
}

/// Whether a matrix lies in one allocation, aligned.
static bool liesInMemory(Driver &d, const void *at, const Matrix &m,
                         unsigned alignment) {
  auto address = reinterpret_cast<Address>(at);
  uint64_t offset = 0;
  const Allocation *allocation = d.find(address, offset);
  uint64_t elements = static_cast<uint64_t>(m.stride) * (m.count - 1) +
                      m.leading * (m.columns - 1) + m.rows;
  return address % alignment == 0 && allocation &&
         elements * bytesOf(m.type) <= allocation->bytes - offset;
}

TARN_CUBLAS_EXPORT cublasLtMatmul(void *handle, void *matmul, const void *alpha,
                                  const void *a, void *layoutA, const void *b,
                                  void *layoutB, const void *beta,
                                  const void *c, void *layoutC, void *dd,
                                  void *layoutD, const Algorithm *algorithm,
                                  void *workspace, size_t workspaceBytes,
                                  void *stream) {
  TARN_CUBLAS_CALL(cublasLtMatmul)
  if (!library.handles.count(handle))
    return cublasNotInitialized;
  Run run{};
  if (int status =
          describe(library, matmul, layoutA, layoutB, layoutC, layoutD, run.p))
    return status;
  // Without an algorithm the library would search while it is captured.
  const Way *way = algorithm ? wayOf(*algorithm) : nullptr;
  if (!way || !alpha || !beta)
    return cublasInvalidValue;
  run.way = *way;
  memcpy(&run.alpha, alpha, sizeof run.alpha);
  memcpy(&run.beta, beta, sizeof run.beta);
  uint64_t offset = 0, needed = workspaceOf(*way, run.p);
  auto room = reinterpret_cast<Address>(workspace);
  const Allocation *allocation = workspace ? d.find(room, offset) : nullptr;
  bool good = workspaceBytes >= needed && room % 256 == 0 &&
              (!workspaceBytes ||
               (allocation && workspaceBytes <= allocation->bytes - offset)) &&
              liesInMemory(d, a, run.p.a, way->alignment) &&
              liesInMemory(d, b, run.p.b, way->alignment) &&
              liesInMemory(d, dd, run.p.d, way->alignment) &&
              (run.beta == 0 || liesInMemory(d, c, run.p.c, way->alignment));
  if (!good)
    return cublasInvalidValue;
  run.a = a;
  run.b = b;
  run.c = c;
  run.d = dd;
  run.workspace = workspace;
  if (run.p.hasBias) {
    run.bias = reinterpret_cast<const void *>(
        library.find(matmul, Described::Matmul)->get(8));
    Matrix vector{run.p.m, 1, run.p.m, 1, 0, run.p.d.type};
    if (!liesInMemory(d, run.bias, vector, 16))
      return cublasInvalidValue;
  }
  int error = d.enqueue(d.stream(stream), [&d, run] {
    d.countKernel("cublasLt");
    d.spend("cublasLt." + std::to_string(run.way.number));
    if (!d.sticky)
      multiply(run);
  });
  return error ? 13 : cublasOk; // execution failed
}
