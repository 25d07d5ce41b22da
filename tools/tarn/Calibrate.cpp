//===- Calibrate.cpp - what compiled kernels reach here -------------------===//
//
// Two sizes of the library's decoder: one whose values fit into caches and one
// whose do not. Their kernels are those of most models.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/Calibrate.h"

#include "compiler/Cost/FitDevice.h"
#include "compiler/Cost/KernelCostJson.h"
#include "compiler/Driver/Compile.h"
#include "frontends/HuggingFace/Import.h"
#include "runtime/Manifest.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/StepTimes.h"
#include "tools/tarn/Terminal.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

#include <cstring>

using namespace tarn;
using namespace tarn::cli;

namespace {

struct Size {
  int64_t width, heads, hidden, vocabulary, batch, context;
};

} // namespace

static constexpr Size sizes[] = {{128, 4, 512, 96, 12, 64},
                                 {384, 6, 1536, 4096, 4, 256}};

/// Adds the kernels of one size. Returns an ExitCode.
static int measure(const std::string &model, const Size &size,
                   const std::string &target, int threads,
                   std::vector<MeasuredKernel> &measured) {
  CompileRequest request;
  request.model = model;
  request.targets = {target};
  request.set = {{"layers", "2"},
                 {"mode", "fp32"},
                 {"width", std::to_string(size.width)},
                 {"heads", std::to_string(size.heads)},
                 {"kv", std::to_string(size.heads)},
                 {"size", std::to_string(size.width / size.heads)},
                 {"hidden", std::to_string(size.hidden)},
                 {"vocab", std::to_string(size.vocabulary)},
                 {"context", std::to_string(size.context)}};
  request.shape = {{"B", size.batch}, {"T", size.context}};
  request.deviceBudget = false;
  CompileResult result;
  if (CompileStatus status = compile(request, result);
      status != CompileStatus::success)
    return exitCodeFor(status);
  ArtifactHandle artifact;
  SessionHandle session;
  if (int code =
          openSession(result.artifact, threads, false, artifact, session))
    return code;
  constexpr int64_t steps = 8;
  StepTimes times;
  int step = findFunctionOfKind(artifact.get(), "train");
  if (int code = timeSteps(
          artifact.get(), session.get(), step, size.vocabulary, steps,
          /*profile=*/true, [](int64_t) {}, times))
    return code;
  double all = 0;
  for (const tarn_kernel_time &kernel : times.kernels)
    all += double(kernel.nanoseconds);
  const std::vector<rt::Kernel> &kernels =
      result.manifest.targets.front().kernels;
  for (size_t i = 0; i != times.launches.size(); ++i)
    if (const std::vector<double> &launches = times.launches[i];
        !launches.empty())
      if (std::optional<KernelCost> cost = readKernelCost(kernels[i].work))
        // The median; all sizes count the same.
        measured.push_back({*cost,
                            std::max(launches[launches.size() / 2], 1e-9),
                            double(times.kernels[i].nanoseconds) / all});
  return success;
}

int tarn::cli::calibrate(Device &device, int threads, double &missed,
                         const std::function<void(const std::string &)> &tell) {
  llvm::SmallString<128> path;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("decoder", "tarn", path)) {
    printError("cannot write a temporary file: " + code.message());
    return userError;
  }
  llvm::FileRemover remover(path);
  const char *text = hf::modelText("huggingface/decoder.tarn");
  std::string error;
  if (!writeWhole(path.str().str(),
                  std::vector<char>(text, text + std::strlen(text)), error)) {
    printError(error);
    return userError;
  }
  // What belongs to no target is taken from the best.
  for (size_t i = device.targets.size(); i-- > 0;) {
    const std::string target = device.targets[i].target;
    std::vector<MeasuredKernel> measured;
    for (const Size &size : sizes) {
      tell("kernels of " + target.substr(std::strlen("cpu:")) + ", width " +
           std::to_string(size.width));
      if (int code = measure(path.str().str(), size, target, threads, measured))
        return code;
    }
    bool isBest = i + 1 == device.targets.size();
    double left = fitEfficiencies(
        device, target, isBest, measured,
        "measured on " + device.name + ": fitted to " +
            std::to_string(measured.size()) + " kernels of a small decoder");
    if (isBest)
      missed = left;
  }
  return success;
}
