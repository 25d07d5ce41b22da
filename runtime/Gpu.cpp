//===- Gpu.cpp - One GPU, its context and its memory ----------------------===//

#include "runtime/Gpu.h"

#include <algorithm>

using namespace tarn::rt;

Result<std::unique_ptr<Gpu>> Gpu::open() {
  Result<const CudaDriver *> loaded = CudaDriver::load();
  if (!loaded.ok())
    return loaded.status();
  std::unique_ptr<Gpu> gpu(new Gpu);
  const CudaDriver &driver = **loaded;
  gpu->calls = &driver;
  int count = 0;
  if (int error = driver.deviceGetCount(&count))
    return Status(Code::Unsupported,
                  "the CUDA driver lists no GPU: " + driver.describe(error));
  if (count < 1)
    return Status(Code::Unsupported,
                  "the CUDA driver finds no GPU; is one there, and is it in "
                  "CUDA_VISIBLE_DEVICES?");
  char name[256] = "GPU";
  int shared = 0, error = driver.deviceGet(&gpu->number, 0);
  auto attribute = [&](int &value, int which) {
    if (!error)
      error = driver.deviceGetAttribute(&value, which, gpu->number);
  };
  attribute(gpu->major, deviceMajor);
  attribute(gpu->minor, deviceMinor);
  attribute(shared, deviceSharedOptin);
  attribute(gpu->processors, deviceProcessors);
  if (!error)
    error = driver.deviceGetName(name, sizeof name - 1, gpu->number);
  gpu->deviceName = name;
  gpu->shared = static_cast<uint64_t>(std::max(shared, 0));
  if (!error)
    error = driver.primaryCtxRetain(&gpu->context, gpu->number);
  if (error) {
    gpu->context = nullptr;
    return Status(Code::Unsupported, "cannot use the GPU `" + gpu->deviceName +
                                         "`: " + driver.describe(error));
  }
  gpu->enter();
  return Result<std::unique_ptr<Gpu>>(std::move(gpu));
}

Gpu::~Gpu() {
  if (context)
    calls->primaryCtxRelease(number);
}

std::string Gpu::describe() const {
  return deviceName + " (sm_" + std::to_string(major) + std::to_string(minor) +
         ")";
}

std::vector<std::string> Gpu::architectures() const {
  std::string prefix = "sm_" + std::to_string(major);
  std::vector<std::string> out;
  if (major >= 9)
    out.push_back(prefix + std::to_string(minor) + "a");
  // A cubin runs on later devices of the same major version.
  for (int i = minor; i >= 0; --i)
    out.push_back(prefix + std::to_string(i));
  out.push_back("host");
  return out;
}

Result<size_t> Gpu::pick(const std::vector<std::string> &available,
                         const std::string &wanted) const {
  std::string sides, runs;
  for (const std::string &isa : available)
    sides += (sides.empty() ? "" : ", ") + isa;
  std::vector<std::string> own = architectures();
  for (const std::string &isa : own)
    if (isa != "host")
      runs += (runs.empty() ? "" : ", ") + isa;
  for (const std::string &isa : own) {
    if (!wanted.empty() && isa != wanted)
      continue;
    auto found = std::find(available.begin(), available.end(), isa);
    if (found != available.end())
      return static_cast<size_t>(found - available.begin());
  }
  return Status(Code::Unsupported,
                "the artifact has GPU code for " + sides + "; `" + deviceName +
                    "` runs " + runs +
                    (wanted.empty() ? "" : ", not " + wanted) +
                    "; `tarn compile --target cuda:" + own.front() +
                    "` makes code for it");
}

Status Gpu::checkDriver(const Target &target) const {
  int version = 0;
  if (int error = calls->driverGetVersion(&version))
    return failed("cuDriverGetVersion", error);
  unsigned needed = nvrtcMajor(target).value_or(0);
  unsigned major = static_cast<unsigned>(version) / 1000;
  if (major >= needed)
    return {};
  return Status(Code::Unsupported,
                "the CUDA driver is too old: it is for CUDA " +
                    std::to_string(major) + "." +
                    std::to_string(version % 1000 / 10) +
                    ", the artifact's kernels for " + target.isa +
                    " were compiled by NVRTC " + target.nvrtc +
                    "; install a driver for CUDA " + std::to_string(needed));
}

Status Gpu::failed(const std::string &what, int error) const {
  // Values that it does not take, and captures that it stops, are our mistake.
  bool ours = error == cudaInvalidValue ||
              (error >= cudaFirstCaptureError && error <= cudaLastCaptureError);
  Code code = error == cudaOutOfMemory ? Code::OutOfMemory
              : ours                   ? Code::Internal
                                       : Code::Io;
  return Status(code,
                what + " on " + describe() + ": " + calls->describe(error));
}

Gpu::Memory Gpu::memory() const {
  Memory memory;
  if (calls->memGetInfo(&memory.free, &memory.total))
    return {};
  return memory;
}

GpuBuffer GpuBuffer::allocate(const Gpu &gpu, Place place, uint64_t bytes,
                              Account *account, int &error) {
  GpuBuffer buffer;
  error = cudaOk;
  if (!bytes)
    return buffer;
  if (place == Place::Device) {
    error = gpu.driver().memAlloc(&buffer.begin, bytes);
  } else {
    void *pinned = nullptr;
    error = gpu.driver().memHostAlloc(&pinned, bytes, hostAllocPortable);
    // One address space: what the host reaches, the GPU reaches there too.
    buffer.begin = reinterpret_cast<uintptr_t>(pinned);
  }
  if (error) {
    buffer.begin = 0;
    return buffer;
  }
  buffer.gpu = &gpu;
  buffer.place = place;
  buffer.bytes = bytes;
  buffer.account = account;
  if (account)
    account->add(bytes);
  return buffer;
}

GpuBuffer::~GpuBuffer() {
  if (!gpu)
    return;
  if (place == Place::Device)
    gpu->driver().memFree(begin);
  else
    gpu->driver().memFreeHost(data());
  if (account)
    account->remove(bytes);
}
