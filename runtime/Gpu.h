//===- Gpu.h - One GPU, its context and its memory -------------*- C++ -*-===//
#ifndef TARN_RUNTIME_GPU_H
#define TARN_RUNTIME_GPU_H

#include "runtime/CudaDriver.h"
#include "runtime/Ledger.h"
#include "runtime/Manifest.h"

#include <memory>
#include <string>
#include <vector>

namespace tarn::rt {

/// The first GPU that the driver shows, with its primary context (the one that
/// NVIDIA's libraries use too), held while this lives.
class Gpu {
public:
  /// Loads the driver and takes the GPU.
  static Result<std::unique_ptr<Gpu>> open();
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  const CudaDriver &driver() const { return *calls; }
  int device() const { return number; }
  const std::string &name() const { return deviceName; }
  /// "NVIDIA H100 80GB HBM3 (sm_90)".
  std::string describe() const;
  /// The architectures whose cubins it runs, best first.
  std::vector<std::string> architectures() const;
  /// Picks one of `available`: `wanted` if given, else the best. The error
  /// lists both sides.
  Result<size_t> pick(const std::vector<std::string> &available,
                      const std::string &wanted) const;
  /// Whether the driver is new enough for the compiler of the target's cubins.
  Status checkDriver(const Target &target) const;
  /// The most dynamic shared memory that a block may have.
  uint64_t sharedLimit() const { return shared; }
  int multiprocessors() const { return processors; }

  /// Makes the context the calling thread's; before everything else.
  void enter() const { calls->ctxSetCurrent(context); }
  /// `what` went wrong: an internal error if the driver calls it misuse.
  Status failed(const std::string &what, int error) const;
  /// Free and all bytes of the device.
  struct Memory {
    size_t free = 0, total = 0;
  };
  Memory memory() const;

private:
  Gpu() = default;

  const CudaDriver *calls = nullptr;
  int number = 0, major = 0, minor = 0, processors = 1;
  uint64_t shared = 0;
  void *context = nullptr;
  std::string deviceName;
};

/// An allocation of the driver's, in the GPU's memory or pinned beside it.
class GpuBuffer {
public:
  GpuBuffer() = default;
  GpuBuffer(GpuBuffer &&other) noexcept { swap(other); }
  GpuBuffer &operator=(GpuBuffer &&other) noexcept {
    GpuBuffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~GpuBuffer();

  enum class Place : uint8_t { Device, Pinned };
  /// Takes `bytes` bytes, counted in `account`; `error` is the driver's if
  /// there are none to have. None are needed for 0 bytes.
  static GpuBuffer allocate(const Gpu &gpu, Place place, uint64_t bytes,
                            Account *account, int &error);
  CudaAddress address() const { return begin; }
  /// Pinned memory only.
  uint8_t *data() const { return reinterpret_cast<uint8_t *>(begin); }
  uint64_t size() const { return bytes; }

private:
  void swap(GpuBuffer &other) {
    std::swap(gpu, other.gpu);
    std::swap(place, other.place);
    std::swap(begin, other.begin);
    std::swap(bytes, other.bytes);
    std::swap(account, other.account);
  }

  const Gpu *gpu = nullptr;
  Place place = Place::Device;
  CudaAddress begin = 0;
  uint64_t bytes = 0;
  Account *account = nullptr;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_GPU_H
