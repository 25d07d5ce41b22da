//===- MeasureDevice.h - the speeds of this machine -------------*- C++ -*-===//

#ifndef COMPILER_COST_MEASUREDEVICE_H
#define COMPILER_COST_MEASUREDEVICE_H

#include "compiler/Cost/Device.h"

#include <functional>

namespace tarn {

/// Measures the processors of this machine: what its threads compute, copy and
/// launch at most. Takes a few seconds, in which nothing else should run. What
/// is a share of these (the efficiencies of compiled kernels, which
/// fitEfficiencies finds) or cannot be seen from outside is taken over from
/// `like`, a CPU, with its source. `threads` of 0 are all processors that the
/// process may use. `tell` hears what is measured.
rt::Result<Device> measureDevice(const Device &like, const std::string &name,
                                 unsigned threads,
                                 const std::function<void(const char *)> &tell);

/// Floating-point operations of f32 a second that `threads` threads of this
/// machine reach with the vectors of a level (`x86-64-v3`): multiply-adds that
/// wait for nothing. 0 if it cannot run them.
double measurePeak(std::string_view isa, unsigned threads);

} // namespace tarn

#endif // COMPILER_COST_MEASUREDEVICE_H
