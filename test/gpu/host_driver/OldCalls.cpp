//===- OldCalls.cpp - Modules, and copies that wait -----------------------===//
//
// What run_on_gpu.cpp uses. A module's image may also be the text HOST and the
// path of a kernel compiled for the host; then nothing is known of its
// parameters, and a null ends the list of a launch.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/host_driver/HostDriver.h"

#include <cstdio>
#include <cstring>
#include <dlfcn.h>

using namespace tarn::gpu;

extern "C" {
int cuLibraryLoadData(void **, const void *, int *, void **, unsigned, int *,
                      void **, unsigned);
int cuLibraryGetKernel(void **, void *, const char *);
int cuLibraryUnload(void *);
int cuKernelSetAttribute(int, int, void *, int);
int cuMemcpyAsync(Address, Address, size_t, void *);
int cuMemsetD8Async(Address, unsigned char, size_t, void *);
int cuStreamSynchronize(void *);
}

TARN_DRIVER_EXPORT cuModuleLoadData(void **module, const void *image) {
  TARN_DRIVER_CALL(cuModuleLoadData)
  if (memcmp(image, "HOST ", 5) != 0)
    return cuLibraryLoadData(module, image, nullptr, nullptr, 0, nullptr,
                             nullptr, 0);
  std::string path = static_cast<const char *>(image) + 5;
  while (!path.empty() && path.back() == '\n')
    path.pop_back();
  Dl_info model;
  if (dladdr(reinterpret_cast<void *>(&runGrid), &model))
    dlopen(model.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  void *handle = dlopen(path.c_str(), RTLD_NOW);
  if (!handle)
    return noBinary;
  auto *made = new Library;
  made->handle = handle;
  d.libraries.insert(made);
  *module = made;
  return ok;
}
TARN_DRIVER_EXPORT cuModuleUnload(void *module) {
  return cuLibraryUnload(module);
}
TARN_DRIVER_EXPORT cuModuleGetFunction(void **function, void *module,
                                       const char *name) {
  return cuLibraryGetKernel(function, module, name);
}
TARN_DRIVER_EXPORT cuFuncSetAttribute(void *function, int attribute,
                                      int value) {
  return cuKernelSetAttribute(attribute, value, function, 0);
}
TARN_DRIVER_EXPORT cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) {
  int error =
      cuMemcpyAsync(to, reinterpret_cast<Address>(from), bytes, nullptr);
  return error ? error : cuStreamSynchronize(nullptr);
}
TARN_DRIVER_EXPORT cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) {
  int error =
      cuMemcpyAsync(reinterpret_cast<Address>(to), from, bytes, nullptr);
  return error ? error : cuStreamSynchronize(nullptr);
}
TARN_DRIVER_EXPORT cuMemsetD8_v2(Address to, unsigned char value,
                                 size_t bytes) {
  int error = cuMemsetD8Async(to, value, bytes, nullptr);
  return error ? error : cuStreamSynchronize(nullptr);
}

TARN_DRIVER_EXPORT cuLaunchKernel(void *function, unsigned x, unsigned y,
                                  unsigned z, unsigned tx, unsigned ty,
                                  unsigned tz, unsigned shared, void *stream,
                                  void **parameters, void **) {
  TARN_DRIVER_CALL(cuLaunchKernel)
  Launch launch{{x, y, z}, {tx, ty, tz}, shared};
  return queueLaunch(d, static_cast<KernelHandle *>(function), launch, 1,
                     stream, parameters);
}
