//===- Driver.h - the CUDA driver, loaded at run time -----------*- C++ -*-===//
//
// Our own declarations, so that no CUDA header is needed.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_GPU_DRIVER_H
#define TEST_GPU_DRIVER_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace tarn::gpu {

/// The driver functions that run_on_gpu.cpp uses; 0 is success everywhere.
struct Driver {
  int (*cuInit)(unsigned) = nullptr;
  int (*cuDriverGetVersion)(int *) = nullptr;
  int (*cuDeviceGet)(int *, int) = nullptr;
  int (*cuDeviceGetName)(char *, int, int) = nullptr;
  int (*cuDeviceGetAttribute)(int *, int, int) = nullptr;
  int (*cuDevicePrimaryCtxRetain)(void **, int) = nullptr;
  int (*cuCtxSetCurrent)(void *) = nullptr;
  int (*cuCtxSynchronize)() = nullptr;
  int (*cuModuleLoadData)(void **, const void *) = nullptr;
  int (*cuModuleGetFunction)(void **, void *, const char *) = nullptr;
  int (*cuFuncSetAttribute)(void *, int, int) = nullptr;
  int (*cuMemAlloc)(uint64_t *, size_t) = nullptr;
  int (*cuMemFree)(uint64_t) = nullptr;
  int (*cuModuleUnload)(void *) = nullptr;
  int (*cuMemcpyAsync)(uint64_t, uint64_t, size_t, void *) = nullptr;
  int (*cuMemcpyHtoD)(uint64_t, const void *, size_t) = nullptr;
  int (*cuMemcpyDtoH)(void *, uint64_t, size_t) = nullptr;
  int (*cuMemsetD8)(uint64_t, unsigned char, size_t) = nullptr;
  int (*cuLaunchKernel)(void *, unsigned, unsigned, unsigned, unsigned,
                        unsigned, unsigned, unsigned, void *, void **,
                        void **) = nullptr;
  int (*cuEventCreate)(void **, unsigned) = nullptr;
  int (*cuEventDestroy)(void *) = nullptr;
  int (*cuEventRecord)(void *, void *) = nullptr;
  int (*cuEventSynchronize)(void *) = nullptr;
  int (*cuEventElapsedTime)(float *, void *, void *) = nullptr;
  int (*cuTensorMapEncodeTiled)(void *, int, uint32_t, void *, const uint64_t *,
                                const uint64_t *, const uint32_t *,
                                const uint32_t *, int, int, int, int) = nullptr;
  int (*cuGetErrorName)(int, const char **) = nullptr;

  /// Loads libcuda.so.1, or the file that TARN_CUDA_DRIVER names; an error
  /// text, or an empty one.
  std::string load();
  /// The name of an error.
  std::string describe(int error) const;
};

} // namespace tarn::gpu

#endif // TEST_GPU_DRIVER_H
