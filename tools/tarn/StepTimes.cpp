//===- StepTimes.cpp - what a training step takes -------------------------===//

#include "tools/tarn/StepTimes.h"

#include "tools/tarn/Noise.h"
#include "tools/tarn/Options.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace tarn;
using namespace tarn::cli;

/// Fills integer inputs with token numbers that any vocabulary of the model
/// has.
static void fillInputs(Bindings &bindings, int64_t vocabulary) {
  Noise noise;
  for (int i = 0; i < bindings.inputCount(); ++i) {
    std::vector<char> &bytes = bindings.input(i);
    if (bindings.inputInfo(i).dtype != TARN_I32)
      continue;
    for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
      int32_t token =
          int32_t(uint64_t(noise.next() >> 1) % uint64_t(vocabulary));
      std::memcpy(&bytes[at], &token, 4);
    }
  }
}

/// Adds the kernels of one step.
static void addProfile(const std::vector<tarn_kernel_time> &step,
                       StepTimes &times) {
  if (times.kernels.empty()) {
    times.kernels = step;
    times.launches.resize(step.size());
  } else {
    for (size_t i = 0; i != step.size(); ++i) {
      times.kernels[i].launches += step[i].launches;
      times.kernels[i].nanoseconds += step[i].nanoseconds;
    }
  }
  for (size_t i = 0; i != step.size(); ++i)
    if (step[i].launches)
      times.launches[i].push_back(double(step[i].nanoseconds) * 1e-9 /
                                  double(step[i].launches));
}

int tarn::cli::timeSteps(const tarn_artifact *artifact, tarn_session *session,
                         int function, int64_t vocabulary, int64_t count,
                         bool profile, const std::function<void(int64_t)> &tell,
                         StepTimes &times) {
  if (tarn_status status = tarn_initialize(session, 0))
    return reportRuntimeError(status);
  Bindings bindings(artifact, function);
  fillInputs(bindings, vocabulary);
  auto runOnce = [&] {
    return tarn_run(session, function, bindings.inputs(), bindings.outputs());
  };
  if (tarn_status status = runOnce()) // pages in, threads awake
    return reportRuntimeError(status);
  for (int64_t i = 0; i < count; ++i) {
    tell(i + 1);
    if (profile)
      tarn_profile_set(session, 1);
    auto start = std::chrono::steady_clock::now();
    if (tarn_status status = runOnce())
      return reportRuntimeError(status);
    times.steps.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
    if (profile)
      addProfile(profileOf(session), times);
  }
  std::sort(times.steps.begin(), times.steps.end());
  for (std::vector<double> &steps : times.launches)
    std::sort(steps.begin(), steps.end());
  return success;
}
