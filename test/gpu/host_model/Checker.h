//===- Checker.h - who may touch which byte when ----------------*- C++ -*-===//
//
// Kernels that are compiled with the flags of `%checked-kernel` report every
// access to memory. The checker keeps vector clocks (Fidge 1988, Mattern 1989)
// of the threads and of everything asynchronous, and epochs per byte
// (FastTrack, PLDI 2009): two accesses to a byte, one of them a write, that no
// barrier orders are a race, also where the numbers are right. It finds reads
// of what nobody wrote, accesses outside of all buffers, and bytes that TMA or
// wgmma may not see yet because a proxy fence is missing.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_GPU_HOST_MODEL_CHECKER_H
#define TEST_GPU_HOST_MODEL_CHECKER_H

#include "test/gpu/host_model/HostModel.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace tarn::gpu {

/// For each agent the last of its moments that is known to be over.
class Clock {
public:
  Clock() = default;
  void join(const Clock &other) {
    if (at.size() < other.at.size())
      at.resize(other.at.size(), 0);
    for (size_t i = 0; i < other.at.size(); ++i)
      at[i] = at[i] < other.at[i] ? other.at[i] : at[i];
  }
  uint32_t operator[](size_t agent) const {
    return agent < at.size() ? at[agent] : 0;
  }
  uint32_t &entry(size_t agent) {
    if (agent >= at.size())
      at.resize(agent + 1, 0);
    return at[agent];
  }
  void clear() { at.clear(); }

private:
  std::vector<uint32_t> at;
};

/// A moment of an agent: a thread, or something asynchronous.
struct Epoch {
  uint32_t agent = 0, moment = 0;
  bool isBefore(const Clock &clock) const { return moment <= clock[agent]; }
};

/// Something asynchronous in flight: what came before it, and its own moment.
struct Flight {
  Clock clock;
  Epoch epoch;
};

/// What is known of a byte.
struct ByteHistory {
  Epoch write, read;
  /// How often the writer had fenced when it wrote: TMA and wgmma see the byte
  /// once it has done so again.
  uint32_t fences = 0;
  /// Of the block that these epochs are of.
  uint32_t run = 0;
  /// Blocks of the launch that wrote and read it, plus 1; the largest number if
  /// they are several.
  uint32_t writingBlock = 0, readingBlock = 0;
  bool isWritten = false, byThread = false;
  /// Readers that nothing orders stand in a list of their own.
  bool hasMoreReaders = false;
};

/// All accesses of one launch.
class Checker {
public:
  explicit Checker(std::vector<BufferRange> buffers);

  /// A new block begins, in an arena of its own.
  void beginBlock(uint32_t number, const uint8_t *shared, uint32_t bytes,
                  uint32_t threads);

  /// What a thread does. `code` is the place in the kernel, for messages.
  void access(const void *address, uint32_t bytes, bool isWrite,
              const void *code);
  /// What TMA, wgmma and cp.async do; `line` is that of the instruction.
  void accessAsync(const Flight &flight, const void *address, uint32_t bytes,
                   bool isWrite, bool isGenericProxy, int line);

  /// Something asynchronous begins, after all that the thread has done.
  Flight begin(const Clock &before);
  /// The running thread's moment ends; what it did so far is in `clock`.
  void release(Clock &clock);
  void acquire(const Clock &clock);

private:
  struct Area {
    uintptr_t begin, end;
    bool mayWrite, isShared;
    std::vector<ByteHistory> history;
  };
  Area *find(uintptr_t address, uint32_t bytes);
  void touch(Area &area, size_t byte, const Clock &clock, Epoch epoch,
             bool isWrite, bool byThread, uint32_t fences, uint32_t owner,
             bool &race, bool &unwritten, bool &unfenced, bool &blocks);
  void report(const Area &area, uintptr_t address, bool isWrite, bool race,
              bool unwritten, bool unfenced, bool blocks,
              const std::string &where, int line);

  /// Slots that asynchronous agents take in turns; enough that a slot's last
  /// user is over when it comes round.
  static constexpr uint32_t slots = 96;
  std::vector<Area> areas; ///< the arena first
  std::unordered_map<const ByteHistory *, std::vector<Epoch>> moreReaders;
  std::array<uint32_t, slots> moments = {};
  uint32_t nextSlot = 0, threads = 0, run = 0, block = 0;
};

/// `kernel.cu:31`, of an address in a kernel; its offset if no symbolizer is
/// there.
std::string placeOf(const void *code);

} // namespace tarn::gpu

#endif // TEST_GPU_HOST_MODEL_CHECKER_H
