//===- Debugger.h - Runs that look for bugs of the compiler ----*- C++ -*-===//
//
// Poison: memory that nobody owns holds NaN. All of the arena and the host
// space before a run, the bytes of a value from its last use on, scratch before
// each launch. A step that reads what the plan gave up shows in its results.
// Guard: kernels between forbidden pages; see Guard.h.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_DEBUGGER_H
#define TARN_RUNTIME_DEBUGGER_H

#include "runtime/Guard.h"
#include "runtime/Lives.h"
#include "runtime/Pool.h"

#include <array>
#include <memory>
#include <optional>

namespace tarn::rt {

/// Where each space begins, by Space.
using SpaceBases = std::array<uint8_t *, spaceCount>;

class Debugger {
public:
  /// For the functions of a target. `guard` may be None.
  static Result<std::unique_ptr<Debugger>> create(const Manifest &manifest,
                                                  const Target &target,
                                                  bool poison, GuardSide guard);

  /// A run of `function` begins, its inputs in place.
  void beginRun(const Function &function, const SpaceBases &bases);
  /// Runs a launch; an error (of the kind Internal) if it left its bytes.
  Status launch(const Op &op, KernelFunction code, void *const *args,
                Pool &pool);
  /// A launch, copy, fill, start or wait is done.
  void finishStep();

private:
  Debugger(const Manifest &manifest, const Target &target, bool poison)
      : manifest(manifest), target(target), poison(poison) {}
  std::string describe(const Op &op, const Kernel &kernel, void *const *args,
                       const Guard::Trap &trap) const;

  const Manifest &manifest;
  const Target &target;
  bool poison;
  std::unique_ptr<Guard> guard;
  std::optional<Lives> lives;
  SpaceBases bases = {};
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_DEBUGGER_H
