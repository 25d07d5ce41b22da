//===- Device.h - what a device can do, and who says so ---------*- C++ -*-===//
//
// A device is data: one JSON file each in compiler/Cost/devices, embedded into
// the library, or a file of the user's. compiler/Cost/README.md has the format.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_COST_DEVICE_H
#define COMPILER_COST_DEVICE_H

#include "compiler/Cost/KernelCost.h"
#include "runtime/Status.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tarn {

/// A quantity, how far it may be off (a share of it), and where it is from.
struct Figure {
  double value = 0;
  double error = 0;
  std::string source;
};

/// A speed in units per second: what the device has at most, and the share of
/// it that good kernels reach.
struct Rate {
  Figure peak;
  Figure efficiency;
  /// Units per second that a kernel may count on.
  double reached() const { return peak.value * efficiency.value; }
};

/// Speeds of code made for one target of the device.
struct DeviceTarget {
  /// `cpu:x86-64-v4`, `cuda:sm_90a`.
  std::string target;
  /// Floating-point operations of products by type: `f32`, `tf32`, `bf16`, ...
  std::map<std::string, Rate> dots;
  /// Simple operations on f32 elements, and exponentials.
  Rate vector, special;

  /// The speed of products of `type`: its own, else that of the next wider type
  /// they can be computed in.
  const Rate &dot(DotType type) const;
};

struct Device {
  std::string name;
  std::vector<std::string> aliases;
  /// At least one, from the least to the best.
  std::vector<DeviceTarget> targets;
  /// Cores, or multiprocessors: blocks beyond this number queue up.
  Figure units;
  /// Bytes of memory, and what of it the driver's context takes (estimated).
  Figure memoryBytes, contextBytes;
  /// Bytes per second of the memory: read and written together.
  Rate memory;
  /// What one unit alone can draw of it; 0 = its share.
  Rate unitMemory;
  /// The last cache: its size, and the bandwidth of what fits into it.
  Figure cacheBytes;
  Rate cache;
  /// Bytes per second that move from there into all units together, each time
  /// that a block loads them: what small blocks of products wait for. 0 = not
  /// known, and no limit.
  Rate operands;
  /// Seconds from a load to its arrival, where nothing queues; 0 = not known.
  Figure load;
  /// Bytes per second between host and device.
  Rate hostToDevice, deviceToHost;
  /// Seconds that a launch costs beside the work, handing out each block, and
  /// starting each op on a tile; the last two are 0 where they are not known.
  Figure launch, block, tileOp;

  /// The target by name, or null; "" is the last.
  const DeviceTarget *findTarget(std::string_view target) const;
  bool isCpu() const;
};

/// Reads a device from JSON; errors begin with `origin`.
rt::Result<Device> parseDevice(std::string_view text,
                               const std::string &origin);

/// The text that parseDevice reads, indented for people.
std::string writeDevice(const Device &device);

/// All devices that are embedded, in the order of their names.
const std::vector<Device> &knownDevices();

/// Their names with commas between.
std::string deviceNames();

/// The device whose figures stand for a target (`cuda:sm_90a`): the first by
/// name, where several have it; null if none has.
const Device *usualDevice(std::string_view target);

/// A device by name or alias in any case, by a target that only one has
/// (`cuda:sm_100a`, `cpu:x86-64-v4`), or by the path of a file (which has a `/`
/// or ends in `.json`).
rt::Result<Device> findDevice(const std::string &word);

} // namespace tarn

#endif // COMPILER_COST_DEVICE_H
