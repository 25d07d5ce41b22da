//===- CudaDriver.cpp - The CUDA driver, found at run time ----------------===//

#include "runtime/CudaDriver.h"

#include "runtime/CublasLt.h"

#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <mutex>

using namespace tarn::rt;

std::string CudaDriver::describe(int error) const {
  if (error >= cudaFirstLibraryError)
    return describeCublas(error - cudaFirstLibraryError);
  // A stub's functions fail and leave the text as it was.
  const char *name = nullptr, *text = nullptr;
  getErrorName(error, &name);
  getErrorString(error, &text);
  std::string out = name ? name : "CUDA error " + std::to_string(error);
  return text ? out + " (" + text + ")" : out;
}

static Status initFailed(const CudaDriver &driver, int error) {
  int version = 0;
  driver.driverGetVersion(&version);
  auto unsupported = [&](const std::string &text) {
    return Status(Code::Unsupported, text);
  };
  switch (error) {
  case cudaStubLibrary:
    return unsupported("`" + driver.path +
                       "` is the stub of a CUDA toolkit, not a driver; install "
                       "NVIDIA's driver, or take the stub out of the library "
                       "path");
  case cudaNoDevice:
    return unsupported("the CUDA driver finds no GPU; is one there, and is it "
                       "in CUDA_VISIBLE_DEVICES?");
  case cudaInsufficientDriver:
  case cudaSystemDriverMismatch:
    return unsupported(
        "the CUDA driver is too old or does not match its kernel module: " +
        driver.describe(error) + "; install a newer one and restart");
  default:
    return unsupported("the CUDA driver does not start: " +
                       driver.describe(error));
  }
}

/// The functions of the library at `path`.
static Result<std::unique_ptr<CudaDriver>> open(const std::string &path) {
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = ::dlerror();
    return Status(Code::Unsupported,
                  "no CUDA driver: " +
                      std::string(why ? why : "cannot load " + path));
  }
  auto driver = std::make_unique<CudaDriver>();
  driver->path = path;
  const char *missing = nullptr;
#define TARN_CUDA_FIND(name, symbol, parameters)                               \
  driver->name = reinterpret_cast<int(*) parameters>(::dlsym(library, #symbol));
#define TARN_CUDA_REQUIRE(name, symbol, parameters)                            \
  TARN_CUDA_FIND(name, symbol, parameters)                                     \
  if (!driver->name && !missing)                                               \
    missing = #symbol;
  TARN_CUDA_ENTRIES(TARN_CUDA_REQUIRE)
  TARN_CUDA_OPTIONAL_ENTRIES(TARN_CUDA_FIND)
#undef TARN_CUDA_REQUIRE
#undef TARN_CUDA_FIND
  if (missing) {
    ::dlclose(library);
    return Status(Code::Unsupported, "the CUDA driver `" + path +
                                         "` is too old: it has no " + missing +
                                         "; one of CUDA 12 or later is needed");
  }
  return Result<std::unique_ptr<CudaDriver>>(std::move(driver));
}

Result<const CudaDriver *> CudaDriver::load() {
  // Not libcuda.so, which is the stub in toolkits.
  const char *given = std::getenv("TARN_CUDA_DRIVER");
  std::string path = given && *given ? given : "libcuda.so.1";
  // A driver is never unloaded: it has threads, and other users.
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<CudaDriver>> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<CudaDriver> &driver = loaded[path];
  if (!driver) {
    Result<std::unique_ptr<CudaDriver>> made = open(path);
    if (!made.ok())
      return made.status();
    driver = made.take();
  }
  if (int error = driver->init(0))
    return initFailed(*driver, error);
  return static_cast<const CudaDriver *>(driver.get());
}
