//===- CudaDevice.h - A GPU as a device ------------------------*- C++ -*-===//
//
// The state stays in the GPU's memory. A run is: inputs into pinned memory,
// one copy to the GPU, one launch of a graph, one copy of the outputs back; all
// in the order of one stream. The pinned memory is there twice, so that the
// host can fill the inputs of the next run while one is on its way.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_CUDADEVICE_H
#define TARN_RUNTIME_CUDADEVICE_H

#include "runtime/CudaProgram.h"
#include "runtime/Device.h"

#include <deque>
#include <memory>

namespace tarn::rt {

class CudaDevice final : public Device {
public:
  /// Loads the code of `target`, which lives in `model`. `accounts` outlive the
  /// device. `oneByOne`: no graphs, and a wait after every operation.
  static Result<std::unique_ptr<Device>>
  create(std::unique_ptr<Gpu> gpu, const Model &model, const Target &target,
         Accounts &accounts, bool oneByOne);
  ~CudaDevice() override;

  std::string describe() const override { return gpu->name(); }
  std::vector<std::string> notes() const override { return said; }
  Status reserve(const SpaceSizes &bytes) override;
  uint64_t besideBytes(const SpaceSizes &bytes) const override;
  Status read(Space space, uint64_t offset, void *to, uint64_t bytes) override;
  Status write(Space space, uint64_t offset, const void *from,
               uint64_t bytes) override;
  Status clear(Space space, uint64_t offset, uint64_t bytes) override;
  uint8_t *data(Space) const override { return nullptr; }
  Status start(size_t function, const void *const *inputs,
               Profile *profile) override;
  Status finish(size_t function, void *const *outputs) override;
  DeviceVersions versions() const override;
  Result<std::vector<LibraryAlgorithm>>
  algorithms(size_t kernel) const override {
    return library->algorithms(kernel);
  }
  void useAlgorithm(size_t kernel, const LibraryAlgorithm &algorithm) override {
    library->use(kernel, algorithm);
  }
  unsigned depth() const override { return slotCount; }
  unsigned threads() const override { return 1; }
  Status setThreads(unsigned) override { return {}; }
  /// Poison only; `compute-sanitizer` does the rest.
  Status setDebug(bool poison, GuardSide guard) override;

private:
  static constexpr unsigned slotCount = 2;

  CudaDevice(std::unique_ptr<Gpu> gpu, const Model &model, const Target &target,
             Accounts &accounts, bool oneByOne)
      : gpu(std::move(gpu)), model(model), target(target), accounts(accounts),
        oneByOne(oneByOne) {}
  Status load();
  void emptyFunctionSpaces();
  Status reserveStaging(const SpaceSizes &bytes);
  Status resize(Space space, uint64_t bytes, const SpaceSizes &all);
  Status noMemory(Space space, uint64_t bytes, const SpaceSizes &all,
                  int error) const;
  CudaAddress base(Space space) const {
    return spaces[static_cast<unsigned>(space)].address();
  }
  /// Where the inputs (outputs) of a slot lie in the pinned memory.
  uint64_t inputAt(unsigned slot) const;
  uint64_t outputAt(unsigned slot) const;
  uint64_t transferAt() const { return inputAt(slotCount); }

  Result<CudaProgram *> program(size_t function);
  Status queueRun(size_t index, Profile *profile);
  Status runSingly(size_t index, Profile *profile);
  Status addProfile(const CudaProgram &program, Profile &profile);
  Status poisonRange(CudaAddress at, Space space, uint64_t offset,
                     uint64_t bytes);
  Status waitFor(int error, const std::string &what);
  Status die(const std::string &what, int error, const std::string &how = "");
  Status faulted(size_t function, int error);
  std::string describeStep(size_t function, const CudaProgram &program,
                           size_t index) const;

  std::unique_ptr<Gpu> gpu;
  const Model &model;
  const Target &target;
  Accounts &accounts;
  const bool oneByOne;
  bool poison = false;
  Status dead; ///< why the device cannot be used any more

  CudaCode code;
  std::unique_ptr<CudaLibrary> library;
  std::vector<std::string> said;
  std::array<GpuBuffer, spaceCount> spaces;
  GpuBuffer staging; ///< inputs and outputs of each slot, then transfers
  CudaStreams streams;
  CudaHandle done[slotCount];
  std::deque<unsigned> running; ///< slots whose runs were started
  unsigned nextSlot = 0;
  std::vector<CudaHandle> marks; ///< events between profiled operations
  std::vector<std::unique_ptr<CudaProgram>> programs; ///< by function
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_CUDADEVICE_H
