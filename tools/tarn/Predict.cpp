//===- Predict.cpp - what the cost model says of an artifact --------------===//

#include "tools/tarn/Predict.h"

#include "compiler/Cost/KernelCostJson.h"

#include <algorithm>

using namespace tarn;
using namespace tarn::cli;

/// Adds the seconds of a list of operations, each `times` over.
static void add(const CostModel &model, const std::vector<rt::Op> &program,
                double times, Prediction &sum) {
  for (const rt::Op &op : program) {
    switch (op.kind) {
    case rt::Op::Kind::Launch: {
      const Estimate &estimate = sum.kernels[op.kernel];
      sum.seconds += times * estimate.seconds;
      sum.error += times * estimate.seconds * estimate.error;
      break;
    }
    case rt::Op::Kind::Copy:
      sum.seconds += times * model.copySeconds(int64_t(op.bytes));
      break;
    case rt::Op::Kind::Fill:
      sum.seconds += times * model.fillSeconds(int64_t(op.bytes));
      break;
    case rt::Op::Kind::CopyStart: // beside the kernels
    case rt::Op::Kind::Wait:
      break;
    case rt::Op::Kind::Repeat:
      add(model, op.body, times * double(op.count), sum);
      break;
    }
  }
}

std::optional<Prediction> tarn::cli::predict(const CostModel &model,
                                             const rt::Target &target,
                                             const rt::Function &function) {
  Prediction prediction;
  for (const rt::Kernel &kernel : target.kernels) {
    std::optional<KernelCost> cost = readKernelCost(kernel.work);
    if (!cost)
      return std::nullopt;
    prediction.kernels.push_back(model.estimate(*cost, kernel.program));
  }
  add(model, function.program, 1, prediction);
  if (prediction.seconds > 0)
    prediction.error /= prediction.seconds;
  return prediction;
}

KernelTimes
tarn::cli::kernelTimes(const rt::Target &target,
                       const std::vector<tarn_kernel_time> &measured,
                       const std::vector<std::vector<double>> &launches) {
  KernelTimes times;
  for (size_t i = 0; i < launches.size() && i < target.kernels.size(); ++i) {
    const rt::Kernel &kernel = target.kernels[i];
    if (launches[i].empty() || kernel.program.empty())
      continue;
    // The clock's grain: nothing takes no time.
    double median = std::max(launches[i][launches[i].size() / 2], 1e-9);
    times.kernels[kernel.program] = {kernel.name, median, measured[i].launches};
  }
  return times;
}
