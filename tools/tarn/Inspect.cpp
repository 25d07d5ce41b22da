//===- Inspect.cpp - `tarn inspect` ---------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "compiler/Target/Cuda/Cubin.h"
#include "runtime/Artifact.h"
#include "runtime/Manifest.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

/// The kernels of a CUDA target: as they are launched, and what their code says
/// of itself.
static void printCudaKernels(const rt::Target &target,
                             std::string_view section) {
  std::printf("   registers threads   shared  spills    image  kernel\n");
  for (const rt::Kernel &kernel : target.kernels) {
    if (const auto &product = kernel.library) {
      std::printf("   cuBLASLt, %lld x %lld x %lld, %s  %s\n",
                  (long long)product->rows, (long long)product->columns,
                  (long long)product->depth,
                  product->algorithm.empty() ? "its own choice"
                                             : "a measured algorithm",
                  kernel.symbol.c_str());
      continue;
    }
    const rt::CodeSpan &image = target.images[kernel.image];
    const char *spills = "?";
    if (image.offset + image.bytes <= section.size()) {
      llvm::Expected<cuda::Cubin> cubin =
          cuda::readCubin(section.substr(image.offset, image.bytes));
      if (!cubin)
        llvm::consumeError(cubin.takeError()); // host code, in tests
      else if (const cuda::CubinKernel *found = cubin->find(kernel.symbol))
        spills = found->spills ? "yes" : "no";
    }
    std::printf("   %9u %7u %8u  %6s %8llu  %s\n", kernel.registers,
                kernel.threads, kernel.shared, spills,
                (unsigned long long)image.bytes, kernel.symbol.c_str());
  }
}

/// The text of the CUDA kernels, where the artifact has it.
static int printSource(const rt::Artifact &artifact) {
  bool any = false;
  for (const rt::Artifact::Section &section : artifact.sections())
    if (section.name.starts_with("source.")) {
      std::string_view text = artifact.section(section.name);
      std::fwrite(text.data(), 1, text.size(), stdout);
      any = true;
    }
  if (any)
    return success;
  printError("the artifact does not hold its kernels' text",
             "tarn compile --keep-source puts it there");
  return userError;
}

static void printTarget(const rt::Target &target) {
  if (target.kind != rt::TargetKind::Cuda) {
    std::printf(" %-10s %zu kernels\n", target.isa.c_str(),
                target.kernels.size());
    return;
  }
  uint64_t bytes = 0;
  for (const rt::CodeSpan &image : target.images)
    bytes += image.bytes;
  std::printf(" cuda:%s  %zu kernels in %zu images, %s, by NVRTC %s\n",
              target.isa.c_str(), target.kernels.size(), target.images.size(),
              formatBytes(bytes).c_str(), target.nvrtc.c_str());
}

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
  rt::Result<rt::Artifact> container =
      rt::Artifact::parse(bytes.data(), bytes.size());
  if (!container.ok()) {
    printError(container.status().message());
    return userError;
  }
  if (in.model.source)
    return printSource(*container);
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
    printTarget(target);
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
    if (target.kind == rt::TargetKind::Cuda)
      printCudaKernels(target, container->section(target.code));
  }
  return success;
}
