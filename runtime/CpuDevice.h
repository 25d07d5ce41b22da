//===- CpuDevice.h - The processors' cores as a device ---------*- C++ -*-===//
#ifndef TARN_RUNTIME_CPUDEVICE_H
#define TARN_RUNTIME_CPUDEVICE_H

#include "runtime/Buffer.h"
#include "runtime/Device.h"
#include "runtime/Program.h"

namespace tarn::rt {

/// Machine code in this process, memory of this process, a pool of threads. A
/// run is over when start() returns.
class CpuDevice final : public Device {
public:
  /// Loads the code of `target`, which lives in `model`. `accounts` outlive the
  /// device.
  static Result<std::unique_ptr<Device>> create(const Model &model,
                                                const Target &target,
                                                unsigned threads,
                                                Accounts &accounts);

  std::string describe() const override;
  Status reserve(const SpaceSizes &bytes) override;
  uint64_t besideBytes(const SpaceSizes &bytes) const override;
  Status read(Space space, uint64_t offset, void *to, uint64_t bytes) override;
  Status write(Space space, uint64_t offset, const void *from,
               uint64_t bytes) override;
  Status clear(Space space, uint64_t offset, uint64_t bytes) override;
  uint8_t *data(Space space) const override {
    return spaces[static_cast<unsigned>(space)].data();
  }
  Status start(size_t function, const void *const *inputs,
               Profile *profile) override;
  Status finish(size_t function, void *const *outputs) override;
  unsigned depth() const override { return 1; }
  unsigned threads() const override { return pool->threads(); }
  Status setThreads(unsigned count) override;
  Status setDebug(bool poison, GuardSide guard) override;

private:
  CpuDevice(const Model &model, const Target &target, Accounts &accounts)
      : model(model), target(target), accounts(accounts) {}
  Status load();
  void forgetPrograms();

  const Model &model;
  const Target &target;
  Accounts &accounts;
  CodeImage code;
  std::vector<KernelFunction> kernels;
  std::array<Buffer, spaceCount> spaces;
  CopyStreams streams; ///< stopped before the spaces go
  std::vector<std::unique_ptr<Program>> programs; ///< by function, when bound
  std::unique_ptr<Pool> pool;
  std::unique_ptr<Debugger> debugger; ///< while poison or a guard is on
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_CPUDEVICE_H
