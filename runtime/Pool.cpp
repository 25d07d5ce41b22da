//===- Pool.cpp - Threads that run the blocks of a launch -----------------===//

#include "runtime/Pool.h"

#include "runtime/Cpu.h"
#include "runtime/Guard.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sched.h>
#include <system_error>

using namespace tarn::rt;

/// Rounds of waiting before a thread offers its processor to others: about
/// 100 us on a processor of its own, next to nothing when threads share one.
static constexpr int patienceAlone = 2000;
static constexpr int patienceCrowded = 16;

Result<std::unique_ptr<Pool>>
Pool::create(unsigned threads, uint64_t scratchBytes, Account *account) {
  unsigned processors = usableProcessors();
  if (threads == 0)
    threads = std::min(processors, threadLimit);
  if (threads > threadLimit)
    return Status(Code::BadArgument, "at most " + std::to_string(threadLimit) +
                                         " threads, not " +
                                         std::to_string(threads));
  std::unique_ptr<Pool> pool(new Pool);
  pool->crowded = threads > processors;
  pool->scratchStride = (scratchBytes + 63) / 64 * 64;
  Result<Buffer> scratch = Buffer::allocate(scratchFor(threads, scratchBytes),
                                            "the threads' scratch", account);
  if (!scratch.ok())
    return scratch.status();
  pool->scratch = scratch.take();

  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    pool->workers.reserve(threads - 1);
    for (unsigned i = 1; i < threads; ++i)
      pool->workers.emplace_back([raw = pool.get(), i] { raw->work(i); });
  } catch (const std::system_error &error) {
    status = Status(Code::OutOfMemory,
                    "cannot start a thread: " + std::string(error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!status.ok())
    return status;
  return Result<std::unique_ptr<Pool>>(std::move(pool));
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping.store(true, std::memory_order_relaxed);
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void Pool::poisonScratch() { poisonBytes(scratch.data(), scratch.size()); }

void Pool::beginStep() {
  if (workers.empty())
    return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    awake.store(true, std::memory_order_relaxed);
  }
  wake.notify_all();
}

void Pool::endStep() { awake.store(false, std::memory_order_relaxed); }

/// Claims one block of the launch that is running and runs it; false if there
/// is none. Only a claim allows a look at the launch: until that block is
/// done, the launch cannot end.
bool Pool::claimAndRun(void *scratchOfThread) {
  int64_t left = remaining.load(std::memory_order_relaxed);
  do {
    if (left == 0)
      return false;
  } while (!remaining.compare_exchange_weak(
      left, left - 1, std::memory_order_acquire, std::memory_order_relaxed));
  kernel(args, blocks - left, scratchOfThread);
  done.fetch_add(1, std::memory_order_release);
  return true;
}

void Pool::work(unsigned index) {
  StrictFloats floats;
  void *own = scratch.data() ? scratch.data() + index * scratchStride : nullptr;
  int patience = crowded ? patienceCrowded : patienceAlone;
  int waited = 0;
  while (!stopping.load(std::memory_order_relaxed)) {
    if (claimAndRun(own)) {
      waited = 0;
    } else if (++waited < patience) {
      spinHint();
    } else if (awake.load(std::memory_order_relaxed)) {
      waited = 0;
      ::sched_yield();
    } else {
      waited = 0;
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [this] {
        return awake.load(std::memory_order_relaxed) ||
               stopping.load(std::memory_order_relaxed);
      });
    }
  }
}

void Pool::run(KernelFunction launched, void *const *launchArgs,
               int64_t count) {
  if (count <= 0)
    return;
  if (count == 1 || workers.empty()) {
    for (int64_t block = 0; block < count; ++block)
      launched(launchArgs, block, scratch.data());
    return;
  }
  kernel = launched;
  args = launchArgs;
  blocks = count;
  done.store(0, std::memory_order_relaxed);
  remaining.store(count, std::memory_order_release);
  while (claimAndRun(scratch.data()))
    ;
  int patience = crowded ? patienceCrowded : patienceAlone;
  for (int waited = 0; done.load(std::memory_order_acquire) != count;) {
    if (++waited < patience) {
      spinHint();
    } else {
      waited = 0;
      ::sched_yield();
    }
  }
}
