//===- CudaDriver.h - The CUDA driver, found at run time -------*- C++ -*-===//
//
// Our own declarations of what is used of the driver's interface: building the
// runtime needs no header of CUDA, and running it on processors no driver.
// Names, numbers and structures are those of cuda.h 12 and later.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_CUDADRIVER_H
#define TARN_RUNTIME_CUDADRIVER_H

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace tarn::rt {

/// CUresult: the numbers that are told apart.
enum : int {
  cudaOk = 0,
  cudaInvalidValue = 1,
  cudaOutOfMemory = 2,
  cudaStubLibrary = 34,
  cudaInsufficientDriver = 35,
  cudaNoDevice = 100,
  cudaInvalidImage = 200,
  cudaNoBinaryForGpu = 209,
  cudaInvalidPtx = 218,
  cudaInvalidSource = 300,
  cudaNotFound = 500,
  cudaNotSupported = 801,
  cudaSystemDriverMismatch = 803,
  cudaFirstCaptureError = 900,
  cudaLastCaptureError = 908,
  /// Not the driver's: a status of cuBLASLt, from here on.
  cudaFirstLibraryError = 1 << 20,
};

/// CUdevice_attribute, CUfunction_attribute.
enum : int {
  deviceProcessors = 16,
  deviceMajor = 75,
  deviceMinor = 76,
  deviceSharedOptin = 97,
  kernelMaxThreads = 0,
  kernelStaticShared = 1,
  kernelRegisters = 4,
  kernelMaxDynamicShared = 8,
  kernelWideClusters = 14,
};

/// Flags of streams, events, pinned memory; the mode of a capture.
enum : unsigned {
  streamNonBlocking = 1,
  eventDisableTiming = 2,
  hostAllocPortable = 1,
  captureThreadLocal = 1,
};

using CudaAddress = uint64_t;

/// CUlaunchAttribute; only the cluster's shape is used.
struct CudaLaunchAttribute {
  static constexpr int clusterDimension = 4;
  int id = clusterDimension;
  char pad[4] = {};
  unsigned value[16] = {}; ///< a union of 64 bytes
};
static_assert(sizeof(CudaLaunchAttribute) == 72);

/// CUlaunchConfig.
struct CudaLaunchConfig {
  unsigned gridX = 1, gridY = 1, gridZ = 1;
  unsigned blockX = 1, blockY = 1, blockZ = 1;
  unsigned sharedBytes = 0;
  void *stream = nullptr;
  CudaLaunchAttribute *attributes = nullptr;
  unsigned attributeCount = 0;
};
static_assert(sizeof(CudaLaunchConfig) == 56);

/// CUtensorMap.
struct alignas(64) CudaTensorMap {
  uint64_t words[16];
};

// entry(name, symbol, parameters): a function of the driver. The symbol is the
// version that the parameters belong to.
#define TARN_CUDA_ENTRIES(entry)                                                                        \
  entry(init, cuInit, (unsigned)) entry(                                                                \
      driverGetVersion, cuDriverGetVersion,                                                             \
      (int *)) entry(getErrorName, cuGetErrorName, (int, const char **))                                \
      entry(getErrorString, cuGetErrorString, (int, const char **)) entry(                              \
          deviceGetCount, cuDeviceGetCount,                                                             \
          (int *)) entry(deviceGet, cuDeviceGet, (int *, int))                                          \
          entry(deviceGetName, cuDeviceGetName, (char *, int, int)) entry(                              \
              deviceGetAttribute, cuDeviceGetAttribute,                                                 \
              (int *, int,                                                                              \
               int)) entry(primaryCtxRetain, cuDevicePrimaryCtxRetain,                                  \
                           (void **, int)) entry(primaryCtxRelease,                                     \
                                                 cuDevicePrimaryCtxRelease_v2,                          \
                                                 (int))                                                 \
              entry(ctxSetCurrent, cuCtxSetCurrent, (void *)) entry(                                    \
                  libraryLoadData, cuLibraryLoadData,                                                   \
                  (void **, const void *, int *, void **, unsigned, int *,                              \
                   void **, unsigned)) entry(libraryGetKernel,                                          \
                                             cuLibraryGetKernel,                                        \
                                             (void **, void *, const char *))                           \
                  entry(libraryUnload, cuLibraryUnload, (void *)) entry(                                \
                      kernelGetAttribute,                                                               \
                      cuKernelGetAttribute,                                                             \
                      (int *, int, void *,                                                              \
                       int)) entry(kernelSetAttribute, cuKernelSetAttribute,                            \
                                   (int, int, void *, int))                                             \
                      entry(launchKernelEx, cuLaunchKernelEx,                                           \
                            (const CudaLaunchConfig *, void *, void **,                                 \
                             void **)) entry(memAlloc, cuMemAlloc_v2,                                   \
                                             (CudaAddress *, size_t))                                   \
                          entry(memFree, cuMemFree_v2, (CudaAddress)) entry(                            \
                              memGetInfo,                                                               \
                              cuMemGetInfo_v2,                                                          \
                              (size_t *,                                                                \
                               size_t                                                                   \
                                   *)) entry(memHostAlloc, cuMemHostAlloc,                              \
                                             (void **, size_t, unsigned))                               \
                              entry(memFreeHost, cuMemFreeHost, (void *)) entry(                        \
                                  memcpyAsync, cuMemcpyAsync,                                           \
                                  (CudaAddress, CudaAddress, size_t,                                    \
                                   void                                                                 \
                                       *)) entry(memsetD8Async,                                         \
                                                 cuMemsetD8Async,                                       \
                                                 (CudaAddress, unsigned char, size_t, void *))          \
                                  entry(                                                                \
                                      memsetD16Async,                                                   \
                                      cuMemsetD16Async,                                                 \
                                      (CudaAddress, unsigned short, size_t,                             \
                                       void                                                             \
                                           *)) entry(streamCreate,                                      \
                                                     cuStreamCreateWithPriority,                        \
                                                     (void **, unsigned, int))                          \
                                      entry(streamDestroy, cuStreamDestroy_v2, (void *)) entry(         \
                                          streamSynchronize,                                            \
                                          cuStreamSynchronize,                                          \
                                          (void                                                         \
                                               *)) entry(streamWaitEvent,                               \
                                                         cuStreamWaitEvent,                             \
                                                         (void *, void *, unsigned))                    \
                                          entry(eventCreate, cuEventCreate, (void **, unsigned)) entry( \
                                              eventRecord, cuEventRecord,                               \
                                              (void *,                                                  \
                                               void                                                     \
                                                   *)) entry(eventSynchronize,                          \
                                                             cuEventSynchronize,                        \
                                                             (void *))                                  \
                                              entry(                                                    \
                                                  eventElapsedTime,                                     \
                                                  cuEventElapsedTime,                                   \
                                                  (float *, void *,                                     \
                                                   void                                                 \
                                                       *)) entry(eventDestroy,                          \
                                                                 cuEventDestroy_v2,                     \
                                                                 (void *))                              \
                                                  entry(                                                \
                                                      streamBeginCapture,                               \
                                                      cuStreamBeginCapture_v2,                          \
                                                      (void *,                                          \
                                                       int)) entry(streamEndCapture,                    \
                                                                   cuStreamEndCapture,                  \
                                                                   (void *, void **))                   \
                                                      entry(                                            \
                                                          graphInstantiate,                             \
                                                          cuGraphInstantiateWithFlags,                  \
                                                          (void **, void *,                             \
                                                           unsigned long long))                         \
                                                          entry(graphUpload,                            \
                                                                cuGraphUpload,                          \
                                                                (void *,                                \
                                                                 void *))                               \
                                                              entry(                                    \
                                                                  graphLaunch,                          \
                                                                  cuGraphLaunch,                        \
                                                                  (void *,                              \
                                                                   void *))                             \
                                                                  entry(                                \
                                                                      graphExecDestroy,                 \
                                                                      cuGraphExecDestroy,               \
                                                                      (void                             \
                                                                           *))                          \
                                                                      entry(                            \
                                                                          graphDestroy,                 \
                                                                          cuGraphDestroy,               \
                                                                          (void                         \
                                                                               *))

// What drivers of the CUDA 12 series may lack.
#define TARN_CUDA_OPTIONAL_ENTRIES(entry)                                      \
  entry(kernelGetParamInfo, cuKernelGetParamInfo,                              \
        (void *, size_t, size_t *, size_t *))                                  \
      entry(tensorMapEncodeTiled, cuTensorMapEncodeTiled,                      \
            (CudaTensorMap *, int, uint32_t, void *, const uint64_t *,         \
             const uint64_t *, const uint32_t *, const uint32_t *, int, int,   \
             int, int))

/// The driver's functions; each returns a CUresult. Those that are optional
/// may be null.
struct CudaDriver {
#define TARN_CUDA_MEMBER(name, symbol, parameters)                             \
  int(*name) parameters = nullptr;
  TARN_CUDA_ENTRIES(TARN_CUDA_MEMBER)
  TARN_CUDA_OPTIONAL_ENTRIES(TARN_CUDA_MEMBER)
#undef TARN_CUDA_MEMBER
  std::string path; ///< of the library

  /// Loads libcuda.so.1, or the file that TARN_CUDA_DRIVER names, once for a
  /// process, and initialises it. The error says what is missing: a driver, a
  /// newer one, a device.
  static Result<const CudaDriver *> load();
  /// "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)".
  std::string describe(int error) const;
};

/// Something of the driver's with its function that destroys it.
struct CudaDestroy {
  int (*call)(void *) = nullptr;
  void operator()(void *handle) const { call(handle); }
};
using CudaHandle = std::unique_ptr<void, CudaDestroy>;

} // namespace tarn::rt

#endif // TARN_RUNTIME_CUDADRIVER_H
