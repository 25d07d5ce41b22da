//===- CudaCode.cpp - Cubins of an artifact, loaded -----------------------===//

#include "runtime/CudaCode.h"

using namespace tarn::rt;

/// Above this a kernel must ask for its shared memory.
static constexpr uint32_t plainShared = 48 * 1024;
/// Above this many blocks a cluster is not portable.
static constexpr uint32_t plainCluster = 8;

/// The driver loads lazily: what is wrong with an image may show only when a
/// kernel of it is touched.
static Status imageFailed(const Gpu &gpu, const Target &target, size_t image,
                          int error) {
  switch (error) {
  case cudaInvalidImage:
  case cudaNoBinaryForGpu:
  case cudaInvalidPtx:
  case cudaInvalidSource:
    return Status(Code::Damaged,
                  "the driver refuses the code for " + target.isa + " (image " +
                      std::to_string(image) + ", " +
                      std::to_string(target.images[image].bytes) +
                      " bytes): " + gpu.driver().describe(error) +
                      "; it is damaged, or not for " + gpu.describe());
  default:
    return gpu.failed("cannot load the code for " + target.isa, error);
  }
}

Result<CudaCode> CudaCode::load(const Gpu &gpu, const Target &target,
                                std::string_view section) {
  CudaCode code;
  const CudaDriver &driver = gpu.driver();
  for (size_t i = 0; i < target.images.size(); ++i) {
    void *library = nullptr;
    // Sections begin at multiples of 64, and images do in them.
    int error = driver.libraryLoadData(
        &library, section.data() + target.images[i].offset, nullptr, nullptr, 0,
        nullptr, nullptr, 0);
    if (error)
      return imageFailed(gpu, target, i, error);
    code.images.emplace_back(library, CudaDestroy{driver.libraryUnload});
  }
  for (const Kernel &kernel : target.kernels)
    if (kernel.library)
      code.kernels.push_back(nullptr);
    else if (Status status = code.prepare(gpu, target, kernel); !status.ok())
      return status;
  return Result<CudaCode>(std::move(code));
}

/// The parameters in the image have the manifest's number and sizes.
static Status checkParams(const Gpu &gpu, const Kernel &kernel, void *handle) {
  const CudaDriver &driver = gpu.driver();
  if (!driver.kernelGetParamInfo)
    return {};
  auto differs = [&](const std::string &how) {
    return Status(Code::Invalid, "kernel `" + kernel.symbol +
                                     "` has other parameters in its code than "
                                     "in the manifest: " +
                                     how);
  };
  size_t count = kernel.params.size();
  for (size_t i = 0; i <= count; ++i) {
    size_t offset = 0, bytes = 0;
    int error = driver.kernelGetParamInfo(handle, i, &offset, &bytes);
    if (error == cudaNotSupported)
      return {};
    if (i == count) {
      if (!error)
        return differs("more than " + std::to_string(count));
      break;
    }
    if (error)
      return differs("no parameter " + std::to_string(i));
    size_t expected = kernel.params[i].bytes();
    if (bytes != expected)
      return differs("parameter " + std::to_string(i) + " has " +
                     std::to_string(bytes) + " bytes, not " +
                     std::to_string(expected));
  }
  return {};
}

Status CudaCode::prepare(const Gpu &gpu, const Target &target,
                         const Kernel &kernel) {
  const CudaDriver &driver = gpu.driver();
  void *handle = nullptr;
  int error = driver.libraryGetKernel(&handle, images[kernel.image].get(),
                                      kernel.symbol.c_str());
  if (error == cudaNotFound)
    return Status(Code::Invalid, "the artifact's code for " + target.isa +
                                     " has no kernel `" + kernel.symbol + "`");
  // Touched now, a kernel is loaded now, and not while a graph is captured.
  int threads = 0, fixedShared = 0;
  if (!error)
    error = driver.kernelGetAttribute(&threads, kernelMaxThreads, handle,
                                      gpu.device());
  if (!error)
    error = driver.kernelGetAttribute(&fixedShared, kernelStaticShared, handle,
                                      gpu.device());
  if (error)
    return imageFailed(gpu, target, kernel.image, error);
  if (kernel.threads > static_cast<uint32_t>(threads))
    return Status(Code::Invalid, "kernel `" + kernel.symbol + "` takes " +
                                     std::to_string(threads) +
                                     " threads a block, not " +
                                     std::to_string(kernel.threads));
  uint64_t shared = kernel.shared + static_cast<uint64_t>(fixedShared);
  if (shared > gpu.sharedLimit())
    return Status(Code::Unsupported, "kernel `" + kernel.symbol + "` needs " +
                                         std::to_string(shared) +
                                         " bytes of shared memory a block, " +
                                         gpu.describe() + " has " +
                                         std::to_string(gpu.sharedLimit()));
  if (kernel.shared > plainShared)
    error = driver.kernelSetAttribute(kernelMaxDynamicShared,
                                      static_cast<int>(kernel.shared), handle,
                                      gpu.device());
  if (!error && kernel.cluster > plainCluster)
    error =
        driver.kernelSetAttribute(kernelWideClusters, 1, handle, gpu.device());
  if (error)
    return gpu.failed("cannot set up kernel `" + kernel.symbol + "`", error);
  kernels.push_back(handle);
  return checkParams(gpu, kernel, handle);
}
