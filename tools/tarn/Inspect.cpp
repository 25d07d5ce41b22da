//===- Inspect.cpp - `tarn inspect` ---------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Manifest.h"

#include <cstdio>

using namespace tarn::cli;

int tarn::cli::runInspect(const Invocation &in) {
  std::vector<char> bytes;
  std::string error;
  if (!readWhole(in.model.model, bytes, error)) {
    printError(error);
    return userError;
  }
  tarn_artifact *opened = nullptr;
  if (tarn_status status =
          tarn_artifact_open_bytes(bytes.data(), bytes.size(), &opened))
    return reportRuntimeError(status);
  ArtifactHandle artifact(opened);
  const char *text = tarn_artifact_manifest(opened);
  if (in.output.json) {
    std::printf("%s\n", text);
    return success;
  }
  auto manifest = rt::parseManifest(text);
  if (!manifest.ok()) {
    printError(manifest.status().message());
    return userError;
  }
  std::printf(" %s  %s  artifact %s  id %.12s\n", in.model.model.c_str(),
              manifest->model.c_str(), formatBytes(bytes.size()).c_str(),
              tarn_artifact_id(opened));
  uint64_t parameters = 0, tensors = 0;
  for (const rt::TensorDesc &tensor : manifest->state)
    if (tensor.role == "parameter") {
      parameters += rt::elementCount(tensor.shape).value_or(0);
      ++tensors;
    }
  std::printf(" state      %s in %zu tensors; %s parameters in %llu\n",
              formatBytes(manifest->stateBytes).c_str(), manifest->state.size(),
              formatCount(parameters).c_str(), (unsigned long long)tensors);
  for (const rt::Target &target : manifest->targets) {
    std::printf(" %-10s %zu kernels\n", target.isa.c_str(),
                target.kernels.size());
    for (const rt::Function &function : target.functions) {
      std::printf("   %-10s %-8s arena %-9s %zu operations\n",
                  function.name.c_str(), function.kind.c_str(),
                  formatBytes(function.arenaBytes).c_str(),
                  function.program.size());
      if (function.hostBytes)
        std::printf("     host (pinned) %s in %lld copies beside the kernels\n",
                    formatBytes(function.hostBytes).c_str(),
                    (long long)rt::countStartedCopies(function.program));
      for (const rt::TensorDesc &tensor : function.inputs)
        std::printf("     in   %s: %s\n", tensor.name.c_str(),
                    rt::typeText(tensor.dtype, tensor.shape).c_str());
      for (const rt::TensorDesc &tensor : function.outputs)
        std::printf("     out  %s: %s\n", tensor.name.c_str(),
                    rt::typeText(tensor.dtype, tensor.shape).c_str());
    }
  }
  return success;
}
