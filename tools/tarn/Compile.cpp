//===- Compile.cpp - `tarn compile` ---------------------------------------===//

#include "compiler/Driver/Compile.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

/// Kernels of the CUDA targets: how many, how many of them distinct, and how
/// many of those were compiled before.
static std::string describeKernels(const CompileResult &result) {
  size_t kernels = 0, images = 0, cached = 0;
  for (const cuda::CompiledKernels &code : result.cuda) {
    kernels += code.kernels.size();
    images += code.images.size();
    cached += code.cached;
  }
  return " (" + std::to_string(kernels) + " kernels, " +
         std::to_string(images) + " distinct, " + std::to_string(cached) +
         " cached) ";
}

/// The line of phases and seconds; phases under 10 ms are left out, but for
/// that of a cached result.
static std::string describeSeconds(const CompileResult &result) {
  std::string line;
  for (const auto &[phase, seconds] : result.seconds) {
    if (seconds >= 0.01 || phase == cachePhase)
      line += " " + phase + " " + formatSeconds(seconds) + " ";
    if (phase == "nvrtc")
      line += describeKernels(result);
  }
  return line;
}

/// The function that figures are about: the training step, else the first.
static const rt::Function &mainFunction(const rt::Manifest &manifest) {
  const std::vector<rt::Function> &all = manifest.targets.front().functions;
  for (const rt::Function &function : all)
    if (function.kind == "train")
      return function;
  return all.front();
}

/// What became of a CUDA target's kernels, as JSON.
static rt::Json describeCuda(const cuda::CompiledKernels &code) {
  rt::Json out = rt::Json::object();
  out.set("target", "cuda:" + code.architecture);
  out.set("compiler", code.compiler);
  out.set("distinct", code.images.size());
  out.set("cached", code.cached);
  rt::Json kernels = rt::Json::array();
  for (auto [launch, index] : llvm::zip(code.kernels, code.imageOf)) {
    const cuda::CompiledKernel &made = code.images[index].code;
    rt::Json kernel = rt::Json::object();
    kernel.set("name", launch.name);
    kernel.set("threads", launch.threads);
    kernel.set("shared", launch.sharedBytes);
    kernel.set("registers", made.registers);
    kernel.set("spilled_bytes", made.spilledBytes);
    rt::Json notes = rt::Json::array();
    for (const std::string &note : made.serialisation)
      notes.push(note);
    kernel.set("notes", std::move(notes));
    kernel.set("bytes", made.cubin.size());
    kernels.push(std::move(kernel));
  }
  out.set("kernels", std::move(kernels));
  return out;
}

/// Writes the text of CUDA kernels: to a folder, a file for each kernel and the
/// header (a folder for each architecture where there are several); to one
/// file that ends in .cu; or to the terminal.
static int writeTexts(const CompileResult &result, const std::string &output) {
  std::string error;
  auto write = [&](const std::string &path, llvm::StringRef text) {
    return writeWhole(path, std::vector<char>(text.begin(), text.end()), error);
  };
  bool oneFile = output.empty() || output.ends_with(".cu");
  if (oneFile && result.cuda.size() > 1) {
    printError("the text differs between the targets",
               "name a folder with -o, or one target");
    return userError;
  }
  for (const cuda::CompiledKernels &code : result.cuda) {
    if (output.empty()) {
      std::fputs(cuda::joinTexts(code).c_str(), stdout);
      continue;
    }
    if (oneFile) {
      if (write(output, cuda::joinTexts(code)))
        continue;
      printError(error);
      return userError;
    }
    std::string folder = output;
    if (result.cuda.size() > 1)
      folder += "/" + code.architecture;
    if (std::error_code failed = llvm::sys::fs::create_directories(folder)) {
      printError("cannot write into `" + folder + "`: " + failed.message());
      return userError;
    }
    bool good = write(folder + "/tarn_device.h", cuda::getDeviceHeader());
    for (const cuda::Image &image : code.images)
      good = good && write(folder + "/" + image.name + ".cu", image.text);
    if (!good) {
      printError(error);
      return userError;
    }
  }
  return success;
}

int tarn::cli::runCompile(const Invocation &in) {
  CompileRequest request = requestFor(in.model);
  request.from = in.compile.from;
  request.to = in.compile.to;
  request.locations = !in.compile.output.empty();
  request.emitOnly = in.compile.emit == "cuda";
  request.keepSource = in.compile.keepSource;
  request.tuneCandidates = in.compile.tuneCandidates;
  if (!request.emitOnly && request.to.empty() && in.compile.output.empty()) {
    printError("tarn compile needs an output", "add -o FILE, or --to PHASE to "
                                               "see the IR after a phase");
    return usageError;
  }
  // What is asked for beside an artifact is of a compilation.
  bool cached = request.from.empty() && request.to.empty() &&
                !request.emitOnly && !request.tuneCandidates &&
                !in.compile.explainGemm && !in.output.json;
  CompileResult result;
  std::string summary;
  CompileStatus status =
      compileWithin(in.model, request, cached, result, summary);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  if (request.emitOnly)
    return writeTexts(result, in.compile.output);
  bool stopped = !result.ir.empty();
  if (stopped)
    result.artifact.assign(result.ir.begin(), result.ir.end());
  std::string error;
  if (in.compile.output.empty()) {
    std::fwrite(result.ir.data(), 1, result.ir.size(), stdout);
  } else if (!writeWhole(in.compile.output, result.artifact, error)) {
    printError(error);
    return userError;
  }
  if (stopped)
    return success;
  if (in.output.json) {
    std::printf("{\"artifact\":\"%s\",\"bytes\":%zu,\"parameters\":%llu,"
                "\"arena_bytes\":%llu,\"state_bytes\":%llu,\"seconds\":{",
                in.compile.output.c_str(), result.artifact.size(),
                (unsigned long long)result.parameters,
                (unsigned long long)mainFunction(result.manifest).arenaBytes,
                (unsigned long long)result.manifest.stateBytes);
    const char *separator = "";
    for (const auto &[phase, seconds] : result.seconds) {
      std::printf("%s\"%s\":%.4f", separator, phase.c_str(), seconds);
      separator = ",";
    }
    rt::Json targets = rt::Json::array();
    for (const cuda::CompiledKernels &code : result.cuda)
      targets.push(describeCuda(code));
    std::printf("},\"targets\":%s}\n", targets.dump().c_str());
  } else if (!in.output.quiet) {
    if (in.compile.explainGemm)
      summary = summarize(request, result, /*explainGemm=*/true);
    auto [head, notes] = llvm::StringRef(summary).split('\n');
    const rt::Function &function = mainFunction(result.manifest);
    std::printf(
        "%s\n%s\n wrote %s  %s   arena %s   state %s"
        "   %lld launches\n%s",
        head.str().c_str(), describeSeconds(result).c_str(),
        in.compile.output.c_str(), formatBytes(result.artifact.size()).c_str(),
        formatBytes(function.arenaBytes).c_str(),
        formatBytes(result.manifest.stateBytes).c_str(),
        (long long)rt::countLaunches(function.program), notes.str().c_str());
  }
  return success;
}
