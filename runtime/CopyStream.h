//===- CopyStream.h - Copies beside the kernels ----------------*- C++ -*-===//
//
// A queue of copies and one thread that makes them in their order, while the
// session's other threads run kernels. What a copy reads and writes is left
// alone until it has been waited for; the plan sees to that, and so results do
// not depend on when a copy runs.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_COPYSTREAM_H
#define TARN_RUNTIME_COPYSTREAM_H

#include "runtime/Status.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace tarn::rt {

class CopyStream {
public:
  /// Starts the thread.
  static Result<std::unique_ptr<CopyStream>> create();
  /// Makes the copies that are left, then ends the thread.
  ~CopyStream();

  /// A copy's place in the queue.
  using Ticket = uint64_t;
  /// Queues a copy of `bytes` bytes; it may begin at once.
  Ticket start(void *to, const void *from, uint64_t bytes);
  /// Returns when that copy, and all before it, are made.
  void wait(Ticket ticket);
  /// Returns when the queue is empty.
  void drain() { wait(started); }

private:
  struct Copy {
    void *to;
    const void *from;
    uint64_t bytes;
  };
  CopyStream() = default;
  void work();

  std::mutex mutex;
  std::condition_variable queued, finished;
  std::deque<Copy> queue;      ///< under the mutex
  bool stopping = false;       ///< under the mutex
  Ticket started = 0;          ///< of the caller
  std::atomic<Ticket> made{0}; ///< copies that are done
  std::thread thread;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_COPYSTREAM_H
