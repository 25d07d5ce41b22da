//===- Predict.h - what the cost model says of an artifact ------*- C++ -*-===//

#ifndef TOOLS_TARN_PREDICT_H
#define TOOLS_TARN_PREDICT_H

#include "compiler/Cost/CostModel.h"
#include "runtime/Manifest.h"
#include "tools/tarn/Session.h"

#include <optional>
#include <string>
#include <vector>

namespace tarn::cli {

/// Predicted seconds of a function and of the kernels of its target.
struct Prediction {
  double seconds = 0;
  /// A share of the seconds.
  double error = 0;
  /// By kernel of the target, of one launch.
  std::vector<Estimate> kernels;
};

/// Predicts one run of `function`; nothing for an artifact without counts.
std::optional<Prediction> predict(const CostModel &model,
                                  const rt::Target &target,
                                  const rt::Function &function);

/// The median of what was measured, by program: `launches` has the sorted
/// seconds of a launch for each kernel.
KernelTimes kernelTimes(const rt::Target &target,
                        const std::vector<tarn_kernel_time> &measured,
                        const std::vector<std::vector<double>> &launches);

} // namespace tarn::cli

#endif // TOOLS_TARN_PREDICT_H
