//===- Block.h - the state of a running block -------------------*- C++ -*-===//

#ifndef TEST_GPU_HOST_MODEL_BLOCK_H
#define TEST_GPU_HOST_MODEL_BLOCK_H

#include "test/gpu/host_model/Checker.h"
#include "test/gpu/host_model/HostModel.h"

#include <deque>
#include <map>
#include <random>

namespace tarn::gpu {

constexpr size_t fiberStackBytes = 128 << 10;

/// Copies that a thread starts, in groups that it waits for.
class CopyGroups {
public:
  /// Starts a copy that completes now, or when it is waited for.
  void start(Completion when, Flight flight, std::function<void()> run);
  void commit() { ++open; }
  /// Waits until at most `pending` groups are in flight.
  void wait(int pending);
  bool areOver() const { return copies.empty(); }

private:
  struct Copy {
    int group;
    Flight flight;
    std::function<void()> run; ///< null: it has completed
  };
  std::vector<Copy> copies;
  int open = 0; ///< the group that is not committed yet
};

/// A CUDA thread.
struct Fiber {
  void *stackPointer = nullptr;
  char *stack = nullptr;
  HostThread thread;
  bool done = false;
  /// What it waits for, and where.
  const char *waitsFor = "";
  int line = 0;
  /// How many wgmma it has issued, and how many groups it has committed.
  uint64_t issued = 0;
  int groups = 0;
  /// TMA stores and cp.async that it has started.
  CopyGroups stores, copies;
  /// Whether wgmma_fence came after the last use of accumulators.
  bool isFenced = false;
  /// What is known to be over; and how often it has fenced its writes for TMA
  /// and wgmma.
  Clock clock;
  uint32_t fences = 0;
};

using Queue = std::vector<Fiber *>;

/// An mbarrier. A thread's n-th wait must be for its n-th phase (or for the
/// phase before the first, if its first wait is with the parity of that).
struct MBarrier {
  uint32_t count = 0, pending = 0;
  int64_t bytes = 0;
  uint64_t phase = 0;
  Queue waiting;
  /// What came before the arrivals of this phase, and of all that are over.
  Clock arriving, over;
  /// Who initialised it, when, and whether it fenced that for TMA.
  uint32_t maker = 0;
  Epoch made;
  bool isFenced = false;
  struct History {
    uint64_t waits = 0;
    bool fromFirstPhase = true;
  };
  std::map<uint32_t, History> histories;

  /// Completes the phase if nothing is missing.
  void completeIfDone();
};

struct NamedBarrier {
  uint32_t threads = 0, arrived = 0;
  Queue waiting;
  Clock clock;
};

/// Values that a warp exchanges, double-buffered.
struct Warp {
  uint64_t values[2][32] = {};
  void *parts[32] = {}; ///< what each lane brings to an instruction of the warp
  uint32_t arrived = 0;
  uint64_t generation = 0;
  Queue waiting;
  Clock clock;
};

/// One wgmma instruction of a warpgroup.
struct WgmmaOp {
  uint64_t a, b;
  bool add, transposeA, transposeB, fromRegisters;
  HostFactor factor;
  int n, line, group;
  uint32_t issuers = 0;
  bool run = false;
  float *key = nullptr;
  std::vector<float *> fragments;
  std::vector<float> registersA;
  /// What came before it; then itself.
  Clock clock;
  Flight flight;
};

/// An accumulator in flight: the matrix, and each thread's fragment.
struct Accumulator {
  std::vector<float> matrix;
  std::vector<float *> fragments;
  int inFlight = 0;
};

struct Warpgroup {
  std::deque<WgmmaOp> ops;
  /// The number of ops that have left `ops`.
  uint64_t retired = 0;
  uint32_t waiters = 0;
  Queue waiting;
  std::map<float *, Accumulator> accumulators;
  /// Products that no wait has covered yet, with their groups.
  std::vector<std::pair<int, Epoch>> uncovered;
  int registers = 0;
};

/// A block and everything that is shared among its threads.
struct Block {
  HostBlock view;
  const Schedule *schedule = nullptr;
  std::vector<Fiber> fibers;
  Queue ready;
  std::map<uint32_t, MBarrier> mbarriers;
  std::map<int, NamedBarrier> namedBarriers;
  std::vector<Warp> warps;
  std::vector<Warpgroup> warpgroups;
  /// TMA loads that have not landed yet.
  std::deque<std::function<void()>> tma;
  std::mt19937 random;
  Checker *checker = nullptr; ///< of instrumented kernels, or null
  void *schedulerStack = nullptr;
  bool abandoned = false;
  Faults *faults = nullptr;

  /// Whether something asynchronous completes at once this time.
  bool completesNow(Completion when);
};

extern thread_local Block *block;
extern thread_local Fiber *fiber;

/// Notes a fault at a line of the kernel; faults that differ in the detail only
/// are noted once.
void fault(const std::string &what, int line, const std::string &detail = "");
/// Notes a fault after which the block can't go on; does not return.
[[noreturn]] void fatalFault(const std::string &what, int line);
/// Lets others run until `queue` is woken.
void blockOn(Queue &queue, const char *what, int line);
/// Makes the fibers of `queue` ready; with a checker they know then what is in
/// the clock.
void wake(Queue &queue, const Clock *clock = nullptr);
/// The running thread's past goes into the clock, or the clock into its past,
/// where accesses are checked.
void releaseTo(Clock &clock);
void acquireFrom(const Clock &clock);
/// The values of all threads of the warp, until the exchange after the next.
/// __syncwarp orders what the lanes do to memory, shuffles do not.
const uint64_t *gatherWarp(uint64_t value, uint32_t mask, bool ordersMemory,
                           int line);
/// Notes a fault if `bytes` at `p` are not aligned, or not in the block's
/// shared memory.
void host_check_shared(const void *p, uint32_t bytes, int line);
/// The barrier at `address`, which must have been initialised.
MBarrier &mbarrierAt(const void *address, int line);

} // namespace tarn::gpu

#endif // TEST_GPU_HOST_MODEL_BLOCK_H
