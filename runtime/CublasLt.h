//===- CublasLt.h - NVIDIA's library of products, found at run time -------===//
//
// Our own declarations of what is used of cublasLt.h 12 and 13, as with the
// driver: nothing of NVIDIA's is needed to build, and nothing to run artifacts
// that do not ask for the library. Each function returns a cublasStatus_t.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_CUBLASLT_H
#define TARN_RUNTIME_CUBLASLT_H

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace tarn::rt {

/// cublasStatus_t: the numbers that are told apart.
enum : int {
  cublasOk = 0,
  cublasNotInitialized = 1,
  cublasAllocFailed = 3,
  cublasInvalidValue = 7,
  cublasNotSupported = 15,
};

/// cudaDataType_t, cublasComputeType_t, cublasOperation_t.
enum : int32_t {
  cublasF32 = 0,
  cublasF16 = 2,
  cublasBF16 = 14,
  cublasCompute32F = 68,
  cublasCompute32FTf32 = 77,
  cublasOpN = 0,
  cublasOpT = 1,
};

/// cublasLtMatmulDescAttributes_t, cublasLtEpilogue_t.
enum : int {
  matmulTransA = 3,   ///< int32_t
  matmulTransB = 4,   ///< int32_t
  matmulEpilogue = 7, ///< uint32_t
  matmulBias = 8,     ///< const void *
};
constexpr uint32_t cublasEpilogueBias = 4;

/// cublasLtMatrixLayoutAttribute_t.
enum : int {
  layoutBatchCount = 5,  ///< int32_t
  layoutBatchStride = 6, ///< int64_t, elements
};

/// cublasLtMatmulPreferenceAttributes_t, cublasLtReductionScheme_t.
enum : int {
  preferWorkspaceBytes = 1, ///< uint64_t
  preferReductions = 3,     ///< uint32_t, a mask
  preferAlignmentA = 5,     ///< uint32_t, bytes; then of B, C, D
};
/// Parts of a sum are added in f32, in a step of their own: always in one
/// order. In place, or rounded, they are not taken.
constexpr uint32_t cublasReduceInF32 = 2;

/// cublasLtMatmulAlgo_t: for one version of the library on one device.
struct CublasAlgorithm {
  uint64_t words[8] = {};
};
static_assert(sizeof(CublasAlgorithm) == 64);

/// cublasLtMatmulHeuristicResult_t.
struct CublasChoice {
  CublasAlgorithm algorithm;
  size_t workspaceBytes = 0;
  int status = cublasOk;
  float waves = 0;
  int reserved[4] = {};
};
static_assert(sizeof(CublasChoice) == 96);

// entry(name, symbol, parameters): a function of the library.
// clang-format off
#define TARN_CUBLASLT_ENTRIES(entry)                                           \
  entry(create, cublasLtCreate, (void **))                                     \
  entry(destroy, cublasLtDestroy, (void *))                                    \
  entry(matmulCreate, cublasLtMatmulDescCreate, (void **, int, int))           \
  entry(matmulSet, cublasLtMatmulDescSetAttribute,                             \
        (void *, int, const void *, size_t))                                   \
  entry(matmulDestroy, cublasLtMatmulDescDestroy, (void *))                    \
  entry(layoutCreate, cublasLtMatrixLayoutCreate,                              \
        (void **, int, uint64_t, uint64_t, int64_t))                           \
  entry(layoutSet, cublasLtMatrixLayoutSetAttribute,                           \
        (void *, int, const void *, size_t))                                   \
  entry(layoutDestroy, cublasLtMatrixLayoutDestroy, (void *))                  \
  entry(preferenceCreate, cublasLtMatmulPreferenceCreate, (void **))           \
  entry(preferenceSet, cublasLtMatmulPreferenceSetAttribute,                   \
        (void *, int, const void *, size_t))                                   \
  entry(preferenceDestroy, cublasLtMatmulPreferenceDestroy, (void *))          \
  entry(heuristic, cublasLtMatmulAlgoGetHeuristic,                             \
        (void *, void *, void *, void *, void *, void *, void *, int,          \
         CublasChoice *, int *))                                               \
  entry(check, cublasLtMatmulAlgoCheck,                                        \
        (void *, void *, void *, void *, void *, void *,                       \
         const CublasAlgorithm *, CublasChoice *))                             \
  entry(matmul, cublasLtMatmul,                                                \
        (void *, void *, const void *, const void *, void *, const void *,     \
         void *, const void *, const void *, void *, void *, void *,           \
         const CublasAlgorithm *, void *, size_t, void *))
// clang-format on

/// The library's functions.
struct CublasLt {
#define TARN_CUBLASLT_MEMBER(name, symbol, parameters)                         \
  int(*name) parameters = nullptr;
  TARN_CUBLASLT_ENTRIES(TARN_CUBLASLT_MEMBER)
#undef TARN_CUBLASLT_MEMBER
  uint64_t version = 0; ///< 130100 for 13.1.0
  std::string path;

  /// Loads the file that TARN_CUBLASLT names; else libcublasLt.so.13 or .12
  /// from the loader's path, a toolkit, or a wheel nvidia-cublas of the Pythons
  /// of this user; once for a process. The error says what to install.
  static Result<const CublasLt *> load();
};

/// "status 15 (not supported)" of cuBLASLt.
std::string describeCublas(int status);

} // namespace tarn::rt

#endif // TARN_RUNTIME_CUBLASLT_H
