//===- HostCublasLt.h - cuBLASLt over host memory ---------------*- C++ -*-===//
//
// The library's functions that Tarn uses, beside the host driver: products run
// on its streams and are captured with them. What the real library checks is
// checked: sizes of attributes, shapes, types, alignments, workspace. Results
// are those of its documents: column-major, sums in f32, rounded once.
//
// TARN_HOST_CUBLASLT_VERSION is its version; 130100. Calls fail, and products
// end the context (as @cublasLt), by TARN_HOST_DRIVER_FAULTS.
//
//===----------------------------------------------------------------------===//
#ifndef TEST_GPU_HOST_CUBLASLT_HOSTCUBLASLT_H
#define TEST_GPU_HOST_CUBLASLT_HOSTCUBLASLT_H

#include "test/gpu/host_driver/HostDriver.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

namespace tarn::gpu {

/// cublasStatus_t.
enum CublasStatus : int {
  cublasOk = 0,
  cublasNotInitialized = 1,
  cublasInvalidValue = 7,
  cublasNotSupported = 15,
};

/// An object with attributes of fixed sizes: a product, a layout, a preference.
struct Described {
  enum Kind { Matmul, Layout, Preference } kind;
  std::map<int, uint64_t> values;

  uint64_t get(int attribute, uint64_t otherwise = 0) const {
    auto found = values.find(attribute);
    return found == values.end() ? otherwise : found->second;
  }
};

struct CublasLibrary {
  std::set<void *> handles;
  std::set<Described *> objects;
  ~CublasLibrary();
  /// The object; null if it is none of this kind.
  const Described *find(void *object, Described::Kind kind) const;
};

CublasLibrary &cublasLibrary();

struct Algorithm {
  uint64_t words[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspaceBytes;
  int status;
  float waves;
  int reserved[4];
};

} // namespace tarn::gpu

#define TARN_CUBLAS_EXPORT extern "C" __attribute__((visibility("default"))) int
/// Every function begins like this: counted, and failing where it shall.
#define TARN_CUBLAS_CALL(name)                                                 \
  Driver &d = driver();                                                        \
  std::lock_guard<std::recursive_mutex> lock(d.mutex);                         \
  CublasLibrary &library = cublasLibrary();                                    \
  (void)library;                                                               \
  if (int error = d.begin(#name, false))                                       \
    return error;

#endif // TEST_GPU_HOST_CUBLASLT_HOSTCUBLASLT_H
