//===- Guard.h - Kernels between pages that must not be touched -*- C++ -*-===//
//
// For finding bugs. A launch gets its arguments as copies, each in pages of its
// own with forbidden pages around it, so that a kernel that reads or writes
// outside of what it was given is stopped at the first byte. What is only read
// cannot be written; what is written whole holds poison before. Slow, on the
// calling thread alone, and on the same bytes as without it.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_GUARD_H
#define TARN_RUNTIME_GUARD_H

#include "runtime/Code.h"
#include "runtime/Manifest.h"

#include <memory>
#include <vector>

namespace tarn::rt {

/// Which end of an argument lies at the forbidden page. Past the other one up
/// to a page is only checked for writes, after the launch.
enum class GuardSide : uint8_t { None, End, Front };

/// The 16 bits that poison repeats.
constexpr uint16_t poisonPattern = 0x7FF1;

/// Fills with a pattern that is a NaN in f64, f32, bf16 and f16, a large number
/// in i32 and i64, and no i1.
void poisonBytes(void *at, uint64_t bytes);

/// Pages for the arguments and the scratch of one launch at a time.
class Guard {
public:
  /// Room for the largest argument of each position over all kernels.
  static Result<std::unique_ptr<Guard>> create(const std::vector<Kernel> &,
                                               GuardSide side);
  ~Guard();

  /// What a kernel did that it may not.
  struct Trap {
    int64_t block = 0;
    /// The argument it happened at; args.size(): scratch; -1: far from all.
    int64_t argument = -1;
    /// "reads past the end of", "writes to the read-only", ...
    std::string what;
  };
  /// Runs all blocks in order. True if the kernel kept to its bytes; then what
  /// it wrote is in `args`. Else `trap` says what happened and nothing is
  /// copied back.
  bool launch(const Kernel &kernel, KernelFunction code, void *const *args,
              int64_t blocks, Trap &trap);

private:
  /// Pages that can be opened, with forbidden ones before and after.
  struct Region {
    uint8_t *mapped = nullptr; ///< begin of the forbidden pages before
    uint8_t *begin = nullptr;
    uint64_t size = 0; ///< of the pages that can be opened
    // The launch that is running:
    uint8_t *data = nullptr;
    uint64_t bytes = 0;
    uint8_t *opened = nullptr;
    uint64_t openedSize = 0;
  };
  Guard() = default;
  Status reserve(Region &region, uint64_t bytes);
  bool open(Region &region, uint64_t bytes);
  void close(Region &region);
  bool slackIsWhole(const Region &region) const;
  std::string describe(const Region &region, uint8_t *fault, bool write) const;

  std::vector<Region> regions; ///< by argument; the last is scratch
  GuardSide side = GuardSide::End;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_GUARD_H
