//===- Device.h - Where the functions of a target run ----------*- C++ -*-===//
//
// A session is a model's state and the rules of using it; a device is the
// memory that the state lies in and the means to run programs on it. There are
// two: the processors' cores (CpuDevice.h) and a GPU (CudaDevice.h).
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_DEVICE_H
#define TARN_RUNTIME_DEVICE_H

#include "runtime/Guard.h"
#include "runtime/Ledger.h"
#include "runtime/Model.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tarn::rt {

/// Measured time of one kernel.
struct KernelTime {
  uint64_t launches = 0;
  uint64_t nanoseconds = 0;
};

/// Measured times of a session: by kernel, and all of run().
struct Profile {
  std::vector<KernelTime> kernels;
  KernelTime moves; ///< copies and fills
  KernelTime steps; ///< whole runs
};

/// Bytes by Space.
using SpaceSizes = std::array<uint64_t, spaceCount>;

/// What is held, by Space; the last entry is what a device holds beside the
/// spaces.
using Accounts = std::array<Account, spaceCount + 1>;

/// An algorithm of a library for a kernel, as files record it.
struct LibraryAlgorithm {
  std::string digits; ///< hexadecimal
  uint64_t workspace = 0;
};

/// What measured times belong to.
struct DeviceVersions {
  std::string architecture;
  int driver = 0;
  uint64_t library = 0; ///< 0: none is loaded
};

class Device {
public:
  virtual ~Device() = default;

  /// "2 threads", "NVIDIA H100 80GB HBM3".
  virtual std::string describe() const = 0;
  /// What a user should know of how it runs the target, a line each.
  virtual std::vector<std::string> notes() const { return {}; }

  /// Makes every space exactly that large, each in one allocation that its
  /// account counts. A space whose size changes is given back first; its new
  /// memory is zeroed. After an error the arena, input, output and host spaces
  /// are empty.
  virtual Status reserve(const SpaceSizes &bytes) = 0;
  /// What it must hold beside spaces of these sizes, in one allocation: the
  /// threads' scratch, or the memory that inputs and outputs pass through.
  virtual uint64_t besideBytes(const SpaceSizes &bytes) const = 0;

  /// Copies out of a space, into it, or zeroes a part, in the order of the
  /// calls and the runs.
  virtual Status read(Space space, uint64_t offset, void *to,
                      uint64_t bytes) = 0;
  virtual Status write(Space space, uint64_t offset, const void *from,
                       uint64_t bytes) = 0;
  virtual Status clear(Space space, uint64_t offset, uint64_t bytes) = 0;
  /// A space's first byte, where this process can reach it; else null.
  virtual uint8_t *data(Space space) const = 0;

  /// Starts a run of a function whose spaces are reserved. The inputs have been
  /// copied when it returns. `profile` may be null.
  virtual Status start(size_t function, const void *const *inputs,
                       Profile *profile) = 0;
  /// Waits for the oldest run that was started, of `function`; copies its
  /// outputs, those that are not null.
  virtual Status finish(size_t function, void *const *outputs) = 0;
  /// Runs that may have been started before the first is finished.
  virtual unsigned depth() const = 0;

  virtual unsigned threads() const = 0;
  virtual Status setThreads(unsigned count) = 0;
  virtual DeviceVersions versions() const { return {}; }
  /// What a library would run a kernel by, the best guess first; nothing for
  /// kernels that none runs.
  virtual Result<std::vector<LibraryAlgorithm>> algorithms(size_t) const {
    return std::vector<LibraryAlgorithm>();
  }
  /// Runs the kernel by this one from now on, but in graphs that are there.
  virtual void useAlgorithm(size_t, const LibraryAlgorithm &) {}
  /// See Session::setDebug.
  virtual Status setDebug(bool poison, GuardSide guard) = 0;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_DEVICE_H
