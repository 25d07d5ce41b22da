//===- HostModel.h - run emitted CUDA text on the host ----------*- C++ -*-===//
//
// A model of one Hopper multiprocessor: threads are fibers, one block at a
// time. Asynchronous work (TMA loads, wgmma) completes as early or as late as
// the rules allow, or at random, so that a missing wait shows.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_GPU_HOST_MODEL_HOSTMODEL_H
#define TEST_GPU_HOST_MODEL_HOSTMODEL_H

#include "compiler/Target/Cuda/device/tarn_device.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tarn::gpu {

/// When something asynchronous completes.
enum class Completion { early, late, random };

/// One order of events among those that the rules allow.
struct Schedule {
  std::string name;
  Completion wgmma = Completion::early;
  Completion tma = Completion::early;
  Completion stores = Completion::early; ///< of TMA
  Completion copies = Completion::early; ///< cp.async
  /// Whether threads and blocks run in a random order.
  bool shuffled = false;
  uint32_t seed = 1;
};

/// The schedules that every kernel is run under: each of them finds mistakes
/// that the others miss.
std::vector<Schedule> standardSchedules(unsigned randomOnes = 2);

/// A stretch of global memory that a launch may touch.
struct BufferRange {
  uintptr_t begin = 0, end = 0;
  bool mayWrite = true;
};

/// A grid to run.
struct Launch {
  dim3 grid, threads;
  uint32_t sharedBytes = 0;
  /// Whether each access is checked (Checker.h): only of kernels that are
  /// compiled for it, and then against these buffers.
  bool isChecked = false;
  std::vector<BufferRange> buffers = {};
};

/// The faults of a launch, one line each, without repetitions.
using Faults = std::vector<std::string>;

/// Runs `body` as every thread of every block.
Faults runGrid(const Launch &launch, const Schedule &schedule,
               const std::function<void()> &body);

/// Runs an emitted kernel. An argument is the address of a TensorMap, or the
/// pointer itself; at most 128 of them.
Faults runKernel(void *kernel, const Launch &launch, const Schedule &schedule,
                 std::vector<const void *> arguments);

/// What cuTensorMapEncodeTiled takes, dims from the fastest on.
struct TensorMapShape {
  unsigned elementBytes = 2;
  /// Floats that loads round to tf32. NVIDIA does not say what becomes of ties;
  /// here they go away from zero.
  bool isTf32 = false;
  std::vector<uint64_t> sizes;
  /// Bytes from one element to the next in dims 1 and up.
  std::vector<uint64_t> strides;
  std::vector<uint32_t> box;
};

/// Encodes a map with 128-byte swizzle; an error text if the driver would
/// refuse it.
std::string encodeTensorMap(const void *address, const TensorMapShape &shape,
                            TensorMap &map);

} // namespace tarn::gpu

#endif // TEST_GPU_HOST_MODEL_HOSTMODEL_H
