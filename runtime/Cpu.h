//===- Cpu.h - What the processor can do and how it rounds -----*- C++ -*-===//
#ifndef TARN_RUNTIME_CPU_H
#define TARN_RUNTIME_CPU_H

#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tarn::rt {

/// The instruction sets that this processor (and the system under it) can run,
/// best first.
const std::vector<std::string> &hostIsas();

/// Picks one of `available`: `wanted` if given, else the best that the host
/// runs. The error lists both sides.
Result<size_t> pickIsa(const std::vector<std::string> &available,
                       const std::string &wanted,
                       const std::vector<std::string> &host = hostIsas());

/// Processors that this process may use (the affinity mask), at least 1.
unsigned usableProcessors();

/// While it lives, this thread rounds to nearest, keeps subnormal numbers and
/// raises no floating-point traps; then the thread's own mode is back. Without
/// it a host process built with fast-math would change results.
class StrictFloats {
public:
  StrictFloats();
  ~StrictFloats();
  StrictFloats(const StrictFloats &) = delete;
  StrictFloats &operator=(const StrictFloats &) = delete;

private:
  uint64_t before;
};

/// Tells the processor that this is a waiting loop.
inline void spinHint() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

} // namespace tarn::rt

#endif // TARN_RUNTIME_CPU_H
