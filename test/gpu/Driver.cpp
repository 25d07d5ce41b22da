//===- Driver.cpp - the CUDA driver, loaded at run time -------------------===//

#include "test/gpu/Driver.h"

#include <cstdlib>
#include <dlfcn.h>

using namespace tarn::gpu;

std::string Driver::load() {
  const char *given = getenv("TARN_CUDA_DRIVER");
  // Not libcuda.so: in toolkits that is a stub.
  const char *path = given ? given : "libcuda.so.1";
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return std::string("no CUDA driver: ") + dlerror();
  std::string missing;
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(
        dlsym(library, name));
    if (!function)
      missing = name;
  };
  find(cuInit, "cuInit");
  find(cuDriverGetVersion, "cuDriverGetVersion");
  find(cuDeviceGet, "cuDeviceGet");
  find(cuDeviceGetName, "cuDeviceGetName");
  find(cuDeviceGetAttribute, "cuDeviceGetAttribute");
  find(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  find(cuCtxSetCurrent, "cuCtxSetCurrent");
  find(cuCtxSynchronize, "cuCtxSynchronize");
  find(cuModuleLoadData, "cuModuleLoadData");
  find(cuModuleGetFunction, "cuModuleGetFunction");
  find(cuFuncSetAttribute, "cuFuncSetAttribute");
  find(cuMemAlloc, "cuMemAlloc_v2");
  find(cuMemFree, "cuMemFree_v2");
  find(cuModuleUnload, "cuModuleUnload");
  find(cuMemcpyAsync, "cuMemcpyAsync");
  find(cuMemcpyHtoD, "cuMemcpyHtoD_v2");
  find(cuMemcpyDtoH, "cuMemcpyDtoH_v2");
  find(cuMemsetD8, "cuMemsetD8_v2");
  find(cuLaunchKernel, "cuLaunchKernel");
  find(cuEventCreate, "cuEventCreate");
  find(cuEventDestroy, "cuEventDestroy_v2");
  find(cuEventRecord, "cuEventRecord");
  find(cuEventSynchronize, "cuEventSynchronize");
  find(cuEventElapsedTime, "cuEventElapsedTime");
  find(cuTensorMapEncodeTiled, "cuTensorMapEncodeTiled");
  find(cuGetErrorName, "cuGetErrorName");
  if (!missing.empty())
    return std::string(path) + " has no " + missing + " (driver too old)";
  if (int error = cuInit(0)) {
    // The stub's own error functions do not work.
    if (error == 34)
      return std::string(path) + " is the stub of a toolkit, not a driver";
    if (error == 100)
      return "the driver finds no GPU";
    return "cuInit: " + describe(error);
  }
  return "";
}

std::string Driver::describe(int error) const {
  const char *name = nullptr;
  if (cuGetErrorName(error, &name) == 0 && name)
    return name;
  return "error " + std::to_string(error);
}
