//===- CopyStream.cpp - Copies beside the kernels -------------------------===//

#include "runtime/CopyStream.h"

#include "runtime/Cpu.h"

#include <csignal>
#include <cstring>
#include <system_error>

using namespace tarn::rt;

/// Rounds of waiting for a copy before the thread sleeps.
static constexpr int patience = 200;

Result<std::unique_ptr<CopyStream>> CopyStream::create() {
  std::unique_ptr<CopyStream> stream(new CopyStream);
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    stream->thread = std::thread([raw = stream.get()] { raw->work(); });
  } catch (const std::system_error &error) {
    status = Status(Code::OutOfMemory, "cannot start the thread that copies: " +
                                           std::string(error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!status.ok())
    return status;
  return Result<std::unique_ptr<CopyStream>>(std::move(stream));
}

CopyStream::~CopyStream() {
  if (!thread.joinable())
    return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  queued.notify_one();
  thread.join();
}

CopyStream::Ticket CopyStream::start(void *to, const void *from,
                                     uint64_t bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    queue.push_back({to, from, bytes});
  }
  queued.notify_one();
  return ++started;
}

void CopyStream::wait(Ticket ticket) {
  for (int i = 0; i < patience; ++i) {
    if (made.load(std::memory_order_acquire) >= ticket)
      return;
    spinHint();
  }
  std::unique_lock<std::mutex> lock(mutex);
  finished.wait(lock,
                [&] { return made.load(std::memory_order_acquire) >= ticket; });
}

void CopyStream::work() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    queued.wait(lock, [this] { return stopping || !queue.empty(); });
    if (queue.empty())
      return;
    Copy copy = queue.front();
    queue.pop_front();
    lock.unlock();
    if (copy.bytes)
      std::memcpy(copy.to, copy.from, copy.bytes);
    lock.lock();
    made.fetch_add(1, std::memory_order_release);
    finished.notify_all();
  }
}
