//===- Calibrate.h - what compiled kernels reach here -----------*- C++ -*-===//

#ifndef TOOLS_TARN_CALIBRATE_H
#define TOOLS_TARN_CALIBRATE_H

#include "compiler/Cost/Device.h"

#include <functional>

namespace tarn::cli {

/// Compiles small training steps for each target of a CPU, which is this
/// machine with so many threads (0 = all), runs them, and fits the device's
/// efficiencies to what their kernels take. `missed` is the mean error that is
/// left. `tell` hears what runs. Returns an ExitCode.
int calibrate(Device &device, int threads, double &missed,
              const std::function<void(const std::string &)> &tell);

} // namespace tarn::cli

#endif // TOOLS_TARN_CALIBRATE_H
