//===- CostModel.h - seconds of kernels on a device -------------*- C++ -*-===//
//
// A launch takes as long as its computation or its memory traffic, whichever is
// longer, and the launch itself. Measured times take the place of that where
// there are any.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_COST_COSTMODEL_H
#define COMPILER_COST_COSTMODEL_H

#include "compiler/Cost/Device.h"
#include "compiler/Cost/KernelCost.h"
#include "compiler/Cost/KernelTimes.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace tarn {

/// A time, how far it may be off, and how it was found.
struct Estimate {
  double seconds = 0;
  /// A share of the seconds.
  double error = 0;
  /// Measured, or else from the roofline.
  bool measured = false;
  /// What the roofline's time is spent on: "compute", "memory", "cache" (its
  /// way into the units) or "launch".
  const char *bound = "compute";
};

class CostModel {
public:
  /// For code of `target` (empty = the device's best) on `threads` of its units
  /// (0 = all; GPUs: always all).
  explicit CostModel(Device device, std::string_view target = "",
                     int64_t threads = 0);

  /// Uses measured times for kernels that they have; the others stay with the
  /// roofline. `hashes` are those of the model's kernels; returns how many of
  /// them were measured. Fails if the times are of another device or target, or
  /// with other threads, or of another model: none of them is about a kernel
  /// here, or less than half of them while the models' names differ (every
  /// model has the same small kernels of an optimizer).
  rt::Result<unsigned> useTimes(KernelTimes times,
                                llvm::ArrayRef<std::string> hashes,
                                llvm::StringRef model = "");
  /// The same for the kernels of a module.
  rt::Result<unsigned> useTimes(KernelTimes times, mlir::ModuleOp module);

  /// Seconds of one launch. The time this takes is linear in the size of the
  /// kernel: ask once for each kernel.
  double seconds(tile::KernelOp kernel) const;
  /// `measured` or `roofline`.
  std::string sourceOf(tile::KernelOp kernel) const;
  Estimate estimate(tile::KernelOp kernel) const;
  /// The same from counts and hash, for kernels that are compiled already.
  Estimate estimate(const KernelCost &cost, llvm::StringRef hash) const;

  /// Seconds that the work takes at the device's peaks: no kernel is faster.
  /// The roof that shares are of.
  double roofSeconds(const KernelCost &cost) const;

  /// Seconds of a copy (fill) of `bytes` within the device's memory.
  double copySeconds(int64_t bytes) const;
  double fillSeconds(int64_t bytes) const;
  /// Seconds of moving `bytes` to the host and back to the device.
  double toHostSeconds(int64_t bytes) const;
  double fromHostSeconds(int64_t bytes) const;
  /// Seconds that kernels lose to such a move beside them, in either direction:
  /// its share of the memory's bandwidth; on a CPU, where a thread copies, at
  /// least a core's share of its time.
  double besideSeconds(int64_t bytes) const;

  const Device &device() const { return info; }
  const DeviceTarget &target() const { return info.targets[code]; }
  int64_t threads() const { return units; }
  /// Whether times are in use.
  bool hasTimes() const { return !times.kernels.empty(); }

private:
  double unitsUsed(const KernelCost &cost) const;
  double bandwidth(double bytes, double used) const;

  Device info;
  size_t code = 0; ///< index of the target
  int64_t units = 1;
  KernelTimes times;
};

/// The model for what `--target` and `--times` say: a device's name, alias or
/// file, or a target (`cpu:x86-64-v3`: then for its code), and a file of times
/// ("" = none) for the kernels of `module`.
rt::Result<CostModel> findCostModel(const std::string &word,
                                    const std::string &times,
                                    mlir::ModuleOp module);

} // namespace tarn

#endif // COMPILER_COST_COSTMODEL_H
