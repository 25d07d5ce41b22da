//===- host_driver.cpp - a driver without a GPU ---------------------------===//
//
// The driver functions of Driver.h over the host model, as a shared library,
// so that run-on-gpu itself is tested where there is no GPU. A "cubin" is the
// text HOST and the path of the kernel, compiled for the host.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/host_model/HostModel.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <set>

using namespace tarn::gpu;

static std::set<const void *> encodedMaps;
static unsigned allowedShared = 48 * 1024;
static constexpr int invalidValue = 1, launchFailed = 719;

extern "C" {
int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int *version) {
  *version = 13000;
  return 0;
}
int cuDeviceGet(int *device, int) {
  *device = 0;
  return 0;
}
int cuDeviceGetName(char *name, int size, int) {
  snprintf(name, size, "host model of sm_90a (not a GPU)");
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int) {
  *value = attribute == 75 ? 9 : 0;
  return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) {
  *context = &encodedMaps;
  return 0;
}
int cuCtxSetCurrent(void *) { return 0; }
int cuCtxSynchronize() { return 0; }
int cuModuleLoadData(void **module, const void *image) {
  std::string text = static_cast<const char *>(image);
  if (text.compare(0, 5, "HOST ") != 0)
    return 209;
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  // Kernels find the model among the global libraries only.
  Dl_info model;
  if (dladdr(reinterpret_cast<void *>(&runKernel), &model))
    dlopen(model.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  *module = dlopen(text.c_str() + 5, RTLD_NOW);
  return *module ? 0 : 209;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = dlsym(module, name);
  return *function ? 0 : 500;
}
int cuFuncSetAttribute(void *, int attribute, int value) {
  if (attribute != 8 || value > 227 * 1024)
    return invalidValue;
  allowedShared = value;
  return 0;
}
int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  *address =
      reinterpret_cast<uint64_t>(aligned_alloc(256, (bytes + 255) / 256 * 256));
  return 0;
}
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  memcpy(to, reinterpret_cast<void *>(from), bytes);
  return 0;
}
int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t bytes) {
  memset(reinterpret_cast<void *>(to), value, bytes);
  return 0;
}
int cuLaunchKernel(void *kernel, unsigned x, unsigned y, unsigned z,
                   unsigned tx, unsigned ty, unsigned tz, unsigned shared,
                   void *, void **parameters, void **) {
  if (shared > allowedShared)
    return invalidValue;
  Launch launch{{x, y, z}, {tx, ty, tz}, shared};
  // Parameters are as many as the kernel has; the runner passes its own list,
  // in which maps are known by their addresses.
  std::vector<const void *> arguments;
  for (unsigned i = 0; i < 16 && parameters[i]; ++i)
    arguments.push_back(encodedMaps.count(parameters[i])
                            ? parameters[i]
                            : *static_cast<void **>(parameters[i]));
  // Loads as late as may be: what a kernel does not wait for is not there.
  Schedule schedule;
  schedule.tma = Completion::late;
  Faults faults = runKernel(kernel, launch, schedule, arguments);
  for (const std::string &fault : faults)
    fprintf(stderr, "fault: %s\n", fault.c_str());
  return faults.empty() ? 0 : launchFailed;
}
int cuEventCreate(void **event, unsigned) {
  *event = new std::chrono::steady_clock::time_point;
  return 0;
}
int cuEventRecord(void *event, void *) {
  *static_cast<std::chrono::steady_clock::time_point *>(event) =
      std::chrono::steady_clock::now();
  return 0;
}
int cuEventSynchronize(void *) { return 0; }
int cuEventElapsedTime(float *milliseconds, void *start, void *end) {
  using Point = std::chrono::steady_clock::time_point;
  *milliseconds = std::chrono::duration<float, std::milli>(
                      *static_cast<Point *>(end) - *static_cast<Point *>(start))
                      .count();
  return 0;
}
int cuTensorMapEncodeTiled(void *map, int, uint32_t rank, void *address,
                           const uint64_t *sizes, const uint64_t *strides,
                           const uint32_t *box, const uint32_t *, int,
                           int swizzle, int, int) {
  TensorMapShape shape;
  shape.sizes.assign(sizes, sizes + rank);
  shape.strides.assign(strides, strides + rank - 1);
  shape.box.assign(box, box + rank);
  std::string error =
      encodeTensorMap(address, shape, *static_cast<TensorMap *>(map));
  if (!error.empty() || swizzle != 3) {
    fprintf(stderr, "tensor map: %s\n", error.c_str());
    return invalidValue;
  }
  encodedMaps.insert(map);
  return 0;
}
int cuGetErrorName(int error, const char **name) {
  *name = error == launchFailed ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == 209        ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
                                : "CUDA_ERROR_INVALID_VALUE";
  return 0;
}
}
