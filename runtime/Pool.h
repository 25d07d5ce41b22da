//===- Pool.h - Threads that run the blocks of a launch --------*- C++ -*-===//
//
// Launches are short (a millisecond to a microsecond) and many, so workers
// wait for the next one in a loop while a step runs, and sleep between steps.
// Blocks are claimed one by one from an atomic counter: which thread runs a
// block is not fixed, and must not matter to its result.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_POOL_H
#define TARN_RUNTIME_POOL_H

#include "runtime/Buffer.h"
#include "runtime/Code.h"
#include "runtime/Status.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tarn::rt {

class Pool {
public:
  static constexpr unsigned threadLimit = 1024;

  /// A pool of `threads` (the caller is one of them; 0: usableProcessors()),
  /// each with `scratchBytes` of its own, counted in `account`.
  static Result<std::unique_ptr<Pool>>
  create(unsigned threads, uint64_t scratchBytes, Account *account = nullptr);
  ~Pool();

  /// Bytes of scratch that `threads` threads of `scratchBytes` each come to.
  static uint64_t scratchFor(unsigned threads, uint64_t scratchBytes) {
    return (scratchBytes + 63) / 64 * 64 * threads;
  }

  unsigned threads() const { return static_cast<unsigned>(workers.size()) + 1; }

  /// Fills all threads' scratch with poison, between launches.
  void poisonScratch();

  /// Wakes the workers. Between beginStep and endStep the calling thread (and
  /// always the workers) computes under StrictFloats; see Step.
  void beginStep();
  /// Lets them sleep.
  void endStep();
  /// Runs blocks 0 to `blocks - 1` and returns when all are done.
  void run(KernelFunction kernel, void *const *args, int64_t blocks);

  /// beginStep and endStep as a scope.
  class Step {
  public:
    explicit Step(Pool &pool) : pool(pool) { pool.beginStep(); }
    ~Step() { pool.endStep(); }
    Step(const Step &) = delete;
    Step &operator=(const Step &) = delete;

  private:
    Pool &pool;
  };

private:
  Pool() = default;
  void work(unsigned index);
  bool claimAndRun(void *scratchOfThread);

  std::vector<std::thread> workers;
  Buffer scratch;
  uint64_t scratchStride = 0;
  bool crowded = false; ///< more threads than processors: give way early

  // The launch that is running. Written only while no block is left or being
  // run; `remaining` publishes it.
  KernelFunction kernel = nullptr;
  void *const *args = nullptr;
  int64_t blocks = 0;
  alignas(64) std::atomic<int64_t> remaining{0};
  alignas(64) std::atomic<int64_t> done{0};

  alignas(64) std::atomic<bool> awake{false};
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable wake;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_POOL_H
