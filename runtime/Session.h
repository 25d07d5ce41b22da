//===- Session.h - A model's state and the means to run steps --*- C++ -*-===//
#ifndef TARN_RUNTIME_SESSION_H
#define TARN_RUNTIME_SESSION_H

#include "runtime/Device.h"
#include "runtime/Hash.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

struct SessionOptions {
  /// A target of the artifact by its isa; `cpu` or `cuda`: the best of that
  /// kind; empty: a GPU if there is one and the artifact has code for it, else
  /// the best that processor and artifact share.
  std::string isa;
  unsigned threads = 0; ///< 0: the processors this process may use
  bool poison = false;  ///< NaN in all memory that nobody owns; Debugger.h
  GuardSide guard = GuardSide::None; ///< kernels between forbidden pages
  bool profile = false;              ///< measure each kernel
  /// GPU: wait after every operation, so that an error names its kernel.
  bool oneByOne = false;
};

/// A device with one allocation for each space. One thread uses it at a time.
class Session {
public:
  /// Loads the code and allocates the state, zeroed. The environment can ask
  /// for what `options` does not: TARN_ISA, TARN_POISON=1, TARN_GUARD=end or
  /// front, TARN_ONE_BY_ONE=1.
  static Result<std::unique_ptr<Session>>
  create(std::shared_ptr<const Model> model,
         const SessionOptions &options = {});

  const Model &model() const { return *source; }
  const Manifest &manifest() const { return source->manifest(); }
  /// The target in use.
  const Target &target() const { return *chosen; }
  const std::vector<Function> &functions() const { return chosen->functions; }
  /// The device in use: "2 threads", "NVIDIA H100 80GB HBM3".
  std::string describeDevice() const { return device->describe(); }
  /// Why the processors run it although the artifact has code for a GPU; empty
  /// if that is not so, or was asked for.
  const std::string &notOnGpu() const { return fallback; }
  /// What a user should know of how the device runs the artifact, a line each.
  std::vector<std::string> notes() const { return device->notes(); }
  /// See Device.h; for measuring.
  DeviceVersions versions() const { return device->versions(); }
  Result<std::vector<LibraryAlgorithm>> algorithms(size_t kernel) const {
    return device->algorithms(kernel);
  }
  void useAlgorithm(size_t kernel, const LibraryAlgorithm &algorithm) {
    device->useAlgorithm(kernel, algorithm);
  }
  /// The index of a function by name, or of the first of a kind.
  std::optional<size_t> findFunction(std::string_view name) const;
  std::optional<size_t> findKind(std::string_view kind) const;

  /// Zeroes the state and runs the function of kind `init` with the seed.
  Status initialize(uint64_t seed);
  /// Runs a function: `inputs[i]` is read, `outputs[i]` written unless null;
  /// `outputs` itself may be null.
  Status run(size_t function, const void *const *inputs, void *const *outputs);
  /// run() in two halves: start() returns when the inputs have been copied,
  /// which may be before the function has run; finish() waits for the oldest
  /// run that was started and gives its outputs. On a GPU a second run may be
  /// started before the first is finished; they run one after the other.
  Status start(size_t function, const void *const *inputs);
  Status finish(void *const *outputs);

  /// The bytes of a tensor of the state, where this process can reach them;
  /// null on a GPU.
  uint8_t *stateData(const TensorDesc &tensor) const {
    uint8_t *base = device->data(Space::State);
    return base ? base + tensor.offset : nullptr;
  }
  /// Copies a tensor of the state out, or `bytes` of it from `from` on; or in.
  Status readState(const TensorDesc &tensor, void *to) const;
  Status readState(const TensorDesc &tensor, uint64_t from, void *to,
                   uint64_t bytes) const;
  /// Calls `each` with the bytes of a tensor, in their order, in one or more
  /// pieces; stops at its first error.
  Status
  forState(const TensorDesc &tensor,
           const std::function<Status(const void *, uint64_t)> &each) const;
  Status writeState(const TensorDesc &tensor, const void *from);
  /// Zeroes every state tensor of a role (caches before a new text).
  Status clearRole(std::string_view role);
  /// SHA-256 over name, type, shape and bytes of each saved tensor in the
  /// order of the names.
  Result<Digest> hashWeights() const;
  /// The same where it cannot fail: on processors. Zeros if a GPU did.
  Digest weightHash() const;

  unsigned threads() const { return device->threads(); }
  /// Replaces the threads; 0: the processors this process may use. A GPU does
  /// not care.
  Status setThreads(unsigned count) { return device->setThreads(count); }
  /// Bytes that a space holds now; see tarn_allocated_bytes.
  uint64_t allocatedBytes(Space space) const {
    return ledger[static_cast<unsigned>(space)].bytes;
  }
  uint64_t scratchBytes() const { return ledger[spaceCount].bytes; }
  /// Bytes that it must hold by the manifest; see tarn_predicted_bytes.
  uint64_t predictedBytes(Space space) const;
  uint64_t predictedScratchBytes() const;
  /// Whether every space holds, in one allocation, what is predicted; else an
  /// internal error. Every run checks it before its first operation.
  Status checkMemory() const;
  /// What is held, by Space; the last entry is what the device holds beside
  /// the spaces.
  Accounts &accounts() { return ledger; }

  /// Forgets what was measured and measures from here on, or no more.
  void setProfile(bool on);
  const Profile &profile() const { return measured; }
  /// Switches poison and guards on or off. While one is on, nothing is
  /// measured.
  Status setDebug(bool poison, GuardSide guard) {
    return device->setDebug(poison, guard);
  }

private:
  Session() = default;
  Status reserveFor(const Function *function);

  std::shared_ptr<const Model> source;
  const Target *chosen = nullptr;
  std::string fallback;
  Accounts ledger; ///< outlives all that is counted in it
  std::unique_ptr<Device> device;
  SpaceSizes sizes = {};       ///< what the device has reserved
  std::vector<bool> hasRun;    ///< by function: its spaces were asked for
  std::deque<size_t> inFlight; ///< functions that were started
  Profile measured;
  bool profiling = false;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_SESSION_H
