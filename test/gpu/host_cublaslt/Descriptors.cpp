//===- Descriptors.cpp - handles, products, layouts, preferences ----------===//

#include "test/gpu/host_cublaslt/HostCublasLt.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace tarn::gpu;

CublasLibrary &tarn::gpu::cublasLibrary() {
  static CublasLibrary library;
  return library;
}

CublasLibrary::~CublasLibrary() {
  if (handles.empty() && objects.empty())
    return;
  fprintf(stderr,
          "host cuBLASLt: at exit %zu handles and %zu descriptors are left\n",
          handles.size(), objects.size());
  _exit(97);
}

const Described *CublasLibrary::find(void *object, Described::Kind kind) const {
  auto *described = static_cast<Described *>(object);
  return objects.count(described) && described->kind == kind ? described
                                                             : nullptr;
}

/// Bytes of an attribute in cublasLt.h; 0: there is none.
static size_t attributeBytes(Described::Kind kind, int attribute) {
  static const std::map<int, size_t> sizes[] = {
      {{0, 4},
       {1, 4},
       {2, 4},
       {3, 4},
       {4, 4},
       {5, 4},
       {6, 4},
       {7, 4},
       {8, 8},
       {10, 8},
       {11, 8},
       {12, 8},
       {13, 8},
       {15, 4},
       {26, 4}},
      {{0, 4}, {1, 4}, {2, 8}, {3, 8}, {4, 8}, {5, 4}, {6, 8}, {7, 8}},
      {{0, 4},
       {1, 8},
       {3, 4},
       {5, 4},
       {6, 4},
       {7, 4},
       {8, 4},
       {9, 4},
       {12, 8}}};
  auto found = sizes[kind].find(attribute);
  return found == sizes[kind].end() ? 0 : found->second;
}

static int create(CublasLibrary &library, void **out, Described::Kind kind,
                  std::map<int, uint64_t> values) {
  if (!out)
    return cublasInvalidValue;
  auto *made = new Described{kind, std::move(values)};
  library.objects.insert(made);
  *out = made;
  return cublasOk;
}

static int destroy(CublasLibrary &library, void *object, Described::Kind kind) {
  if (!library.find(object, kind))
    return cublasInvalidValue;
  auto *described = static_cast<Described *>(object);
  library.objects.erase(described);
  delete described;
  return cublasOk;
}

static int set(CublasLibrary &library, void *object, Described::Kind kind,
               int attribute, const void *value, size_t bytes) {
  if (!library.find(object, kind) || !value || !bytes ||
      bytes != attributeBytes(kind, attribute))
    return cublasInvalidValue;
  uint64_t word = 0;
  memcpy(&word, value, bytes);
  static_cast<Described *>(object)->values[attribute] = word;
  return cublasOk;
}

TARN_CUBLAS_EXPORT cublasLtCreate(void **handle) {
  TARN_CUBLAS_CALL(cublasLtCreate)
  // It lives in the driver's primary context.
  if (!d.initialized || !d.contexts)
    return cublasNotInitialized;
  *handle = new char;
  library.handles.insert(*handle);
  return cublasOk;
}
TARN_CUBLAS_EXPORT cublasLtDestroy(void *handle) {
  TARN_CUBLAS_CALL(cublasLtDestroy)
  if (!library.handles.erase(handle))
    return cublasNotInitialized;
  d.runAll();
  delete static_cast<char *>(handle);
  return cublasOk;
}
extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() {
  const char *given = getenv("TARN_HOST_CUBLASLT_VERSION");
  return given ? strtoull(given, nullptr, 10) : 130100;
}

TARN_CUBLAS_EXPORT cublasLtMatmulDescCreate(void **out, int compute,
                                            int scale) {
  TARN_CUBLAS_CALL(cublasLtMatmulDescCreate)
  return create(
      library, out, Described::Matmul,
      {{0, static_cast<uint64_t>(compute)}, {1, static_cast<uint64_t>(scale)}});
}
TARN_CUBLAS_EXPORT cublasLtMatmulDescDestroy(void *object) {
  TARN_CUBLAS_CALL(cublasLtMatmulDescDestroy)
  return destroy(library, object, Described::Matmul);
}
TARN_CUBLAS_EXPORT cublasLtMatmulDescSetAttribute(void *object, int attribute,
                                                  const void *value,
                                                  size_t bytes) {
  TARN_CUBLAS_CALL(cublasLtMatmulDescSetAttribute)
  return set(library, object, Described::Matmul, attribute, value, bytes);
}

TARN_CUBLAS_EXPORT cublasLtMatrixLayoutCreate(void **out, int type,
                                              uint64_t rows, uint64_t columns,
                                              int64_t leading) {
  TARN_CUBLAS_CALL(cublasLtMatrixLayoutCreate)
  return create(library, out, Described::Layout,
                {{0, static_cast<uint64_t>(type)},
                 {2, rows},
                 {3, columns},
                 {4, static_cast<uint64_t>(leading)},
                 {5, 1}});
}
TARN_CUBLAS_EXPORT cublasLtMatrixLayoutDestroy(void *object) {
  TARN_CUBLAS_CALL(cublasLtMatrixLayoutDestroy)
  return destroy(library, object, Described::Layout);
}
TARN_CUBLAS_EXPORT cublasLtMatrixLayoutSetAttribute(void *object, int attribute,
                                                    const void *value,
                                                    size_t bytes) {
  TARN_CUBLAS_CALL(cublasLtMatrixLayoutSetAttribute)
  return set(library, object, Described::Layout, attribute, value, bytes);
}

TARN_CUBLAS_EXPORT cublasLtMatmulPreferenceCreate(void **out) {
  TARN_CUBLAS_CALL(cublasLtMatmulPreferenceCreate)
  // No workspace, every reduction, addresses aligned to 256.
  return create(library, out, Described::Preference,
                {{1, 0}, {3, 7}, {5, 256}, {6, 256}, {7, 256}, {8, 256}});
}
TARN_CUBLAS_EXPORT cublasLtMatmulPreferenceDestroy(void *object) {
  TARN_CUBLAS_CALL(cublasLtMatmulPreferenceDestroy)
  return destroy(library, object, Described::Preference);
}
TARN_CUBLAS_EXPORT cublasLtMatmulPreferenceSetAttribute(void *object,
                                                        int attribute,
                                                        const void *value,
                                                        size_t bytes) {
  TARN_CUBLAS_CALL(cublasLtMatmulPreferenceSetAttribute)
  return set(library, object, Described::Preference, attribute, value, bytes);
}
