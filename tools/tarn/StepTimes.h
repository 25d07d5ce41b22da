//===- StepTimes.h - what a training step takes -----------------*- C++ -*-===//

#ifndef TOOLS_TARN_STEPTIMES_H
#define TOOLS_TARN_STEPTIMES_H

#include "tools/tarn/Session.h"

#include <functional>

namespace tarn::cli {

/// Seconds of the steps that were run, and of their kernels.
struct StepTimes {
  /// Sorted.
  std::vector<double> steps;
  /// By kernel of the target, if they were profiled: of all steps together; and
  /// sorted seconds of one launch, the mean of each step.
  std::vector<tarn_kernel_time> kernels;
  std::vector<std::vector<double>> launches;
};

/// Runs a train function of a session: once, then `count` times with a look at
/// the clock. Inputs are made up: numbers below `vocabulary`. `tell` hears
/// which step begins, from 1 on. Returns an ExitCode.
int timeSteps(const tarn_artifact *artifact, tarn_session *session,
              int function, int64_t vocabulary, int64_t count, bool profile,
              const std::function<void(int64_t)> &tell, StepTimes &times);

} // namespace tarn::cli

#endif // TOOLS_TARN_STEPTIMES_H
