//===- HostDriver.h - A CUDA driver over host memory ------------*- C++ -*-===//
//
// The driver's functions without a GPU, as a shared library that the runtime
// cannot tell from the real one: TARN_CUDA_DRIVER names it. Device memory is
// host memory, kernels run on the host model. Work that was queued runs when
// somebody waits, or at random before, in an order that respects streams and
// events only. What the real driver refuses, this one refuses.
//
// The environment is read at each cuInit:
//   TARN_HOST_DRIVER_SEED    of all random choices; 1
//   TARN_HOST_DRIVER_DEVICE  count=1,capability=9.0,memory=68719476736,
//                            pinned=68719476736,version=13000,shared=232448,
//                            multiprocessors=132,init=0 (what cuInit returns)
//   TARN_HOST_DRIVER_TIMES   _64x64x64=5000,cublasLt.2=300: events measure
//                            these nanoseconds for runs of kernels whose names
//                            end so, 1000 for all others, and nothing else
//   TARN_HOST_DRIVER_FAULTS  cuMemAlloc_v2:2=2: the second call fails with 2.
//                            @k_step:1=700: the first run of that kernel ends
//                            the context with 700. With a final !, a call does
//                            so too. A list, with commas between.
//
//===----------------------------------------------------------------------===//
#ifndef TEST_GPU_HOST_DRIVER_HOSTDRIVER_H
#define TEST_GPU_HOST_DRIVER_HOSTDRIVER_H

#include "test/gpu/host_model/HostModel.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace tarn::gpu {

using Address = uint64_t;

/// CUresult.
enum Error : int {
  ok = 0,
  invalidValue = 1,
  outOfMemory = 2,
  notInitialized = 3,
  noDevice = 100,
  invalidDevice = 101,
  invalidImage = 200,
  invalidContext = 201,
  noBinary = 209,
  invalidHandle = 400,
  illegalState = 401,
  notFound = 500,
  launchFailed = 719,
  notSupported = 801,
  captureUnsupported = 900,
  captureInvalidated = 901,
  captureMerge = 902,
  captureUnmatched = 903,
  captureUnjoined = 904,
  captureIsolation = 905,
  captureImplicit = 906,
  capturedEvent = 907,
  captureWrongThread = 908,
};

//===----------------------------------------------------------------------===//
// Work: tasks that run in any order that their dependences allow
//===----------------------------------------------------------------------===//

struct Task {
  std::function<void()> run; ///< empty: only an order
  unsigned waiting = 0;      ///< tasks before it that are not done
  std::vector<std::shared_ptr<Task>> after;
  bool done = false;
};
using TaskRef = std::shared_ptr<Task>;

/// A captured operation.
struct Node {
  std::function<void()> run;
  std::vector<size_t> before;
};

struct Stream;

/// A capture that is going on.
struct Capture {
  uint64_t number = 0;
  Stream *origin = nullptr;
  std::thread::id thread;
  bool invalid = false;
  std::vector<Node> nodes;
};

struct Stream {
  TaskRef last;
  Capture *capture = nullptr;
  std::set<size_t> tips; ///< nodes that the next one follows
};

struct Event {
  TaskRef recorded;
  std::chrono::steady_clock::time_point time;
  uint64_t capture = 0; ///< number of the capture it was recorded in
  std::set<size_t> tips;
};

struct Graph {
  std::vector<Node> nodes;
};

struct GraphExec {
  std::vector<Node> nodes;
  TaskRef last; ///< of the launch before: they do not overlap
};

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

struct Library {
  void *handle = nullptr;
  std::map<std::string, struct KernelHandle *> kernels;
};

struct KernelHandle {
  std::string name;
  void *entry = nullptr;
  const HostKernelInfo *info = nullptr; ///< null: not known
  unsigned dynamicShared = 48 * 1024;
  bool wideClusters = false;
  bool touched = false;
};

//===----------------------------------------------------------------------===//
// The driver
//===----------------------------------------------------------------------===//

struct Allocation {
  uint64_t bytes = 0, mapped = 0;
  enum Kind { Device, Pinned, Registered } kind = Device;
};

struct Fault {
  std::string name;
  uint64_t call = 0;
  int code = 0;
  bool sticky = false;
};

struct Driver {
  std::recursive_mutex mutex;

  // Settings.
  std::mt19937_64 random{1};
  int initResult = 0, deviceCount = 1, major = 9, minor = 0, version = 13000;
  uint64_t memory = uint64_t(64) << 30, pinnedMemory = uint64_t(64) << 30;
  uint64_t shared = 232448;
  int multiprocessors = 132;
  std::vector<Fault> faults;
  std::vector<std::pair<std::string, uint64_t>> times; ///< empty: the clock's
  std::chrono::steady_clock::time_point spent;         ///< so far, of `times`

  // What is alive.
  bool initialized = false;
  int contexts = 0;
  int sticky = 0; ///< the error that ended the context
  std::map<Address, Allocation> allocations;
  std::set<Stream *> streams;
  std::set<Event *> events;
  std::set<Graph *> graphs;
  std::set<GraphExec *> execs;
  std::set<Library *> libraries;
  std::set<KernelHandle *> kernels;
  std::set<const void *> encodedMaps; ///< where maps were written to
  std::map<uint64_t, std::unique_ptr<Capture>> captures; ///< by number
  uint64_t captureCount = 0;
  Stream legacy; ///< the null stream

  /// Calls of each function, runs of each kernel (with @ before its name),
  /// since cuInit.
  std::map<std::string, uint64_t> calls;

  std::vector<TaskRef> ready;

  ~Driver();
  void readEnvironment();
  /// A function of the interface begins: its fault, or the context's, or 0.
  int begin(const char *name, bool needsContext = true);
  /// Counts a run of a kernel and ends the context if a fault says so.
  void countKernel(const std::string &name);
  /// A kernel of this name has run.
  void spend(const std::string &name);
  std::chrono::steady_clock::time_point now() const {
    return times.empty() ? std::chrono::steady_clock::now() : spent;
  }
  uint64_t live() const;
  uint64_t bytesOf(Allocation::Kind kind) const;
  /// The allocation that holds `at`; null if none does.
  const Allocation *find(Address at, uint64_t &offset) const;

  // Work.
  TaskRef add(std::function<void()> run, const std::vector<TaskRef> &before);
  void runOne();
  void runUntil(const TaskRef &task);
  void runAll();
  /// Queues on a stream, or adds to its capture. An error if that is not
  /// allowed.
  int enqueue(Stream *stream, std::function<void()> run);
  /// A call that no capture of this thread allows: ends them, and says so.
  int refuseInCapture();
  /// Its streams capture no more.
  void endCapture(Capture &capture);
  Stream *stream(void *handle);
  Event *event(void *handle);
};

Driver &driver();

/// Checks a launch and queues it.
int queueLaunch(Driver &d, KernelHandle *kernel, const Launch &launch,
                unsigned cluster, void *stream, void **parameters);

} // namespace tarn::gpu

// Every function of the interface begins like this.
#define TARN_DRIVER_CALL(name)                                                 \
  Driver &d = driver();                                                        \
  std::lock_guard<std::recursive_mutex> lock(d.mutex);                         \
  if (int error = d.begin(#name))                                              \
    return error;

#define TARN_DRIVER_EXPORT extern "C" __attribute__((visibility("default"))) int

#endif // TEST_GPU_HOST_DRIVER_HOSTDRIVER_H
