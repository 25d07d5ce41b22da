//===- Streams.cpp - Queued work: streams, events, copies -----------------===//

#include "test/gpu/host_driver/HostDriver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

using namespace tarn::gpu;

static constexpr uint64_t page = 4096;
/// Zeros over more than this give pages back instead of touching them.
static constexpr uint64_t sparseBytes = uint64_t(64) << 20;

//===----------------------------------------------------------------------===//
// Work
//===----------------------------------------------------------------------===//

TaskRef Driver::add(std::function<void()> run,
                    const std::vector<TaskRef> &before) {
  auto task = std::make_shared<Task>();
  task->run = std::move(run);
  for (const TaskRef &other : before)
    if (other && !other->done) {
      ++task->waiting;
      other->after.push_back(task);
    }
  if (!task->waiting)
    ready.push_back(task);
  return task;
}

void Driver::runOne() {
  if (ready.empty())
    return;
  size_t which = random() % ready.size();
  TaskRef task = ready[which];
  ready.erase(ready.begin() + static_cast<long>(which));
  // After an error nothing runs any more, but everything ends.
  if (task->run && !sticky)
    task->run();
  task->run = nullptr;
  task->done = true;
  for (const TaskRef &next : task->after)
    if (--next->waiting == 0)
      ready.push_back(next);
  task->after.clear();
}

void Driver::runUntil(const TaskRef &task) {
  while (task && !task->done) {
    if (ready.empty()) {
      fprintf(stderr, "host driver: work waits for itself\n");
      abort();
    }
    runOne();
  }
}

void Driver::runAll() {
  while (!ready.empty())
    runOne();
}

Stream *Driver::stream(void *handle) {
  if (!handle)
    return &legacy;
  auto *stream = static_cast<Stream *>(handle);
  return streams.count(stream) ? stream : nullptr;
}

Event *Driver::event(void *handle) {
  auto *event = static_cast<Event *>(handle);
  return events.count(event) ? event : nullptr;
}

int Driver::enqueue(Stream *stream, std::function<void()> run) {
  if (!stream)
    return invalidHandle;
  if (Capture *capture = stream->capture) {
    if (capture->invalid)
      return captureInvalidated;
    Node node{std::move(run), {stream->tips.begin(), stream->tips.end()}};
    stream->tips = {capture->nodes.size()};
    capture->nodes.push_back(std::move(node));
    return ok;
  }
  // The null stream would wait for all others, captured ones too.
  if (stream == &legacy && refuseInCapture())
    return captureImplicit;
  stream->last = add(std::move(run), {stream->last});
  return ok;
}

int Driver::refuseInCapture() {
  int error = ok;
  for (auto &[number, capture] : captures)
    if (capture->thread == std::this_thread::get_id()) {
      capture->invalid = true;
      error = captureUnsupported;
    }
  return error;
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

TARN_DRIVER_EXPORT cuStreamCreateWithPriority(void **stream, unsigned, int) {
  TARN_DRIVER_CALL(cuStreamCreateWithPriority)
  auto *made = new Stream;
  d.streams.insert(made);
  *stream = made;
  return ok;
}
TARN_DRIVER_EXPORT cuStreamDestroy_v2(void *handle) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  Stream *stream = handle ? d.stream(handle) : nullptr;
  if (!stream)
    return invalidHandle;
  if (stream->capture && stream->capture->origin == stream)
    d.endCapture(*stream->capture);
  else if (stream->capture)
    stream->capture->invalid = true;
  d.streams.erase(stream);
  delete stream; // its work goes on
  return ok;
}
TARN_DRIVER_EXPORT cuStreamSynchronize(void *handle) {
  TARN_DRIVER_CALL(cuStreamSynchronize)
  Stream *stream = d.stream(handle);
  if (!stream)
    return invalidHandle;
  if (stream->capture) {
    stream->capture->invalid = true;
    return captureUnsupported;
  }
  d.runUntil(stream->last);
  return d.sticky;
}
TARN_DRIVER_EXPORT cuStreamWaitEvent(void *handle, void *eventHandle,
                                     unsigned) {
  TARN_DRIVER_CALL(cuStreamWaitEvent)
  Stream *stream = d.stream(handle);
  Event *event = d.event(eventHandle);
  if (!stream || !event)
    return invalidHandle;
  Capture *own = stream->capture;
  if (event->capture) {
    auto found = d.captures.find(event->capture);
    if (found == d.captures.end())
      return capturedEvent;
    Capture *other = found->second.get();
    if (own && own != other) {
      own->invalid = other->invalid = true;
      return captureMerge;
    }
    if (other->invalid)
      return captureInvalidated;
    if (!own) {
      if (stream == &d.legacy) {
        other->invalid = true;
        return captureImplicit;
      }
      stream->capture = other; // the fork
      stream->tips.clear();
    }
    stream->tips.insert(event->tips.begin(), event->tips.end());
    return ok;
  }
  if (own) {
    // What the graph would wait for is not in it.
    own->invalid = true;
    return captureIsolation;
  }
  stream->last = d.add(nullptr, {stream->last, event->recorded});
  return ok;
}

TARN_DRIVER_EXPORT cuEventCreate(void **event, unsigned) {
  TARN_DRIVER_CALL(cuEventCreate)
  auto *made = new Event;
  d.events.insert(made);
  *event = made;
  return ok;
}
TARN_DRIVER_EXPORT cuEventDestroy_v2(void *handle) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  Event *event = d.event(handle);
  if (!event)
    return invalidHandle;
  d.runUntil(event->recorded);
  d.events.erase(event);
  delete event;
  return ok;
}
TARN_DRIVER_EXPORT cuEventRecord(void *handle, void *streamHandle) {
  TARN_DRIVER_CALL(cuEventRecord)
  Event *event = d.event(handle);
  Stream *stream = d.stream(streamHandle);
  if (!event || !stream)
    return invalidHandle;
  if (stream->capture) {
    if (stream->capture->invalid)
      return captureInvalidated;
    event->capture = stream->capture->number;
    event->tips = stream->tips;
    event->recorded = nullptr;
    return ok;
  }
  d.runUntil(event->recorded); // its time is about to be another
  int error = d.enqueue(stream, [event, &d] { event->time = d.now(); });
  event->capture = 0;
  event->recorded = stream->last;
  return error;
}
TARN_DRIVER_EXPORT cuEventSynchronize(void *handle) {
  TARN_DRIVER_CALL(cuEventSynchronize)
  Event *event = d.event(handle);
  if (!event)
    return invalidHandle;
  if (event->capture) {
    if (auto found = d.captures.find(event->capture); found != d.captures.end())
      found->second->invalid = true;
    return capturedEvent;
  }
  d.runUntil(event->recorded);
  return d.sticky;
}
TARN_DRIVER_EXPORT cuEventElapsedTime(float *milliseconds, void *from,
                                      void *to) {
  TARN_DRIVER_CALL(cuEventElapsedTime)
  Event *start = d.event(from), *end = d.event(to);
  if (!start || !end || !start->recorded || !end->recorded)
    return invalidHandle;
  if (!start->recorded->done || !end->recorded->done)
    return 600; // not ready
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return ok;
}
TARN_DRIVER_EXPORT cuLaunchHostFunc(void *handle, void (*function)(void *),
                                    void *data) {
  TARN_DRIVER_CALL(cuLaunchHostFunc)
  return d.enqueue(d.stream(handle), [=] { function(data); });
}

//===----------------------------------------------------------------------===//
// Copies and fills
//===----------------------------------------------------------------------===//

/// Whether bytes are the driver's from end to end, or none of them are.
/// `pageable`: they are none of the driver's.
static bool whole(Driver &d, Address at, uint64_t bytes, bool &pageable) {
  uint64_t offset = 0;
  const Allocation *allocation = d.find(at, offset);
  pageable = !allocation;
  if (allocation)
    return bytes <= allocation->bytes - offset;
  auto next = d.allocations.lower_bound(at);
  return next == d.allocations.end() || next->first >= at + bytes;
}

static void *pointer(Address at) { return reinterpret_cast<void *>(at); }

TARN_DRIVER_EXPORT cuMemcpyAsync(Address to, Address from, size_t bytes,
                                 void *handle) {
  TARN_DRIVER_CALL(cuMemcpyAsync)
  Stream *stream = d.stream(handle);
  bool hostTo = false, hostFrom = false;
  if (!whole(d, to, bytes, hostTo) || !whole(d, from, bytes, hostFrom))
    return invalidValue;
  if (!stream)
    return invalidHandle;
  // Memory that is not pinned goes through the driver's own, at once.
  bool pageable = hostTo || hostFrom;
  if (pageable && stream->capture) {
    stream->capture->invalid = true;
    return captureUnsupported;
  }
  int error =
      d.enqueue(stream, [=] { memcpy(pointer(to), pointer(from), bytes); });
  if (pageable && !error)
    d.runUntil(stream->last);
  return error;
}

template <class T>
static int fill(Driver &d, Address to, T value, size_t count, void *handle) {
  bool host = false;
  uint64_t bytes = count * sizeof(T);
  if (!whole(d, to, bytes, host) || host || to % sizeof(T))
    return invalidValue;
  return d.enqueue(d.stream(handle), [=] {
    auto *begin = static_cast<char *>(pointer(to));
    if (value == 0 && bytes >= sparseBytes) {
      auto *first = reinterpret_cast<char *>((to + page - 1) / page * page);
      uint64_t pages = (bytes - static_cast<uint64_t>(first - begin)) / page;
      madvise(first, pages * page, MADV_DONTNEED);
      memset(begin, 0, static_cast<size_t>(first - begin));
      char *end = first + pages * page;
      memset(end, 0, static_cast<size_t>(begin + bytes - end));
      return;
    }
    std::fill_n(reinterpret_cast<T *>(begin), count, value);
  });
}

TARN_DRIVER_EXPORT cuMemsetD8Async(Address to, unsigned char value,
                                   size_t count, void *stream) {
  TARN_DRIVER_CALL(cuMemsetD8Async)
  return fill(d, to, value, count, stream);
}
TARN_DRIVER_EXPORT cuMemsetD16Async(Address to, unsigned short value,
                                    size_t count, void *stream) {
  TARN_DRIVER_CALL(cuMemsetD16Async)
  return fill(d, to, value, count, stream);
}
TARN_DRIVER_EXPORT cuMemsetD32Async(Address to, unsigned value, size_t count,
                                    void *stream) {
  TARN_DRIVER_CALL(cuMemsetD32Async)
  return fill(d, to, value, count, stream);
}
