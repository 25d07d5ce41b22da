//===- FitDevice.h - efficiencies from measured kernels ---------*- C++ -*-===//

#ifndef COMPILER_COST_FITDEVICE_H
#define COMPILER_COST_FITDEVICE_H

#include "compiler/Cost/Device.h"
#include "compiler/Cost/KernelCost.h"

#include <span>

namespace tarn {

/// What a compiled kernel has to do and how long that took.
struct MeasuredKernel {
  KernelCost cost;
  /// Of one launch.
  double seconds = 0;
  /// All its launches of a step: how much it counts.
  double total = 0;
};

/// Sets the efficiencies of `device` such that CostModel says of these kernels,
/// which ran on all of its units, what was measured; peaks stay. Of `target`
/// what products and elements reach; with `shared` also what belongs to no
/// target: memory, cache and the start of an op. What the kernels do not depend
/// on stays. The error of what was fitted is the mean one that is left, and
/// returned. `source` says where the kernels are from.
double fitEfficiencies(Device &device, std::string_view target, bool shared,
                       std::span<const MeasuredKernel> kernels,
                       const std::string &source);

} // namespace tarn

#endif // COMPILER_COST_FITDEVICE_H
