//===- Session.h - A model's state and the means to run steps --*- C++ -*-===//
#ifndef TARN_RUNTIME_SESSION_H
#define TARN_RUNTIME_SESSION_H

#include "runtime/Buffer.h"
#include "runtime/Code.h"
#include "runtime/Hash.h"
#include "runtime/Ledger.h"
#include "runtime/Model.h"
#include "runtime/Pool.h"
#include "runtime/Program.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

struct SessionOptions {
  std::string isa;      ///< empty: the best that processor and artifact share
  unsigned threads = 0; ///< 0: the processors this process may use
  bool poison = false;  ///< NaN in all memory that nobody owns; Debugger.h
  GuardSide guard = GuardSide::None; ///< kernels between forbidden pages
  bool profile = false;              ///< measure each kernel
};

/// Loaded code, one allocation for each space, and a pool of threads. One
/// thread uses it at a time.
class Session {
public:
  /// Loads the code and allocates the state, zeroed. The environment can ask
  /// for what `options` does not: TARN_POISON=1, TARN_GUARD=end or front.
  static Result<std::unique_ptr<Session>>
  create(std::shared_ptr<const Model> model,
         const SessionOptions &options = {});

  const Model &model() const { return *source; }
  const Manifest &manifest() const { return source->manifest(); }
  /// The target in use.
  const Target &target() const { return *chosen; }
  const std::vector<Function> &functions() const { return chosen->functions; }
  /// The index of a function by name, or of the first of a kind.
  std::optional<size_t> findFunction(std::string_view name) const;
  std::optional<size_t> findKind(std::string_view kind) const;

  /// Zeroes the state and runs the function of kind `init` with the seed.
  Status initialize(uint64_t seed);
  /// Runs a function: `inputs[i]` is read, `outputs[i]` written unless null;
  /// `outputs` itself may be null.
  Status run(size_t function, const void *const *inputs, void *const *outputs);

  /// The bytes of a tensor of the state.
  uint8_t *stateData(const TensorDesc &tensor) const {
    return spaces[0].data() + tensor.offset;
  }
  /// Zeroes every state tensor of a role (caches before a new text).
  void clearRole(std::string_view role);
  /// SHA-256 over name, type, shape and bytes of each saved tensor in the
  /// order of the names.
  Digest weightHash() const;

  unsigned threads() const { return pool->threads(); }
  /// Replaces the threads; 0: the processors this process may use.
  Status setThreads(unsigned count);
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
  /// What is held, by Space; the last entry is the threads' scratch.
  using Ledger = std::array<Account, spaceCount + 1>;
  Ledger &accounts() { return ledger; }

  /// Forgets what was measured and measures from here on, or no more.
  void setProfile(bool on);
  const Profile &profile() const { return measured; }
  /// Switches poison and guards on or off. While one is on, nothing is
  /// measured.
  Status setDebug(bool poison, GuardSide guard);

private:
  Session() = default;
  Status reserve(Space space, uint64_t bytes);
  Status reserveFor(const Function &function);

  std::shared_ptr<const Model> source;
  const Target *chosen = nullptr;
  CodeImage code;
  std::vector<KernelFunction> kernels;
  Ledger ledger; ///< outlives all that is counted in it
  std::array<Buffer, spaceCount> spaces;
  CopyStreams streams;      ///< stopped before the spaces go
  std::vector<bool> hasRun; ///< by function: its spaces were asked for
  std::vector<std::unique_ptr<Program>> programs; ///< by function, when bound
  std::unique_ptr<Pool> pool;
  Profile measured;
  bool profiling = false;
  std::unique_ptr<Debugger> debugger; ///< while poison or a guard is on
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_SESSION_H
