//===- Check.cpp - `tarn check` and `tarn compile` ------------------------===//

#include "compiler/Driver/Compile.h"
#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Terminal.h"

#include "compiler/Driver/Registry.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

int tarn::cli::runCheck(const Invocation &in) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  CompileStatus status = importModel(requestFor(in.model), context, module);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  uint64_t parameters = countParameters(*module);
  if (in.output.json)
    std::printf("{\"model\":\"%s\",\"parameters\":%llu}\n",
                in.model.model.c_str(), (unsigned long long)parameters);
  else if (!in.output.quiet)
    std::printf(" %s  %s parameters  ok\n", in.model.model.c_str(),
                formatCount(parameters).c_str());
  return success;
}

/// The line of phases and seconds; phases under 10 ms are left out.
static std::string describeSeconds(const CompileResult &result) {
  std::string line;
  for (const auto &[phase, seconds] : result.seconds)
    if (seconds >= 0.01)
      line += " " + phase + " " + formatSeconds(seconds) + " ";
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

/// Precision, symbolic dimensions, targets.
static std::string describeModel(const CompileResult &result) {
  std::string line = "  " + result.precision;
  const char *separator = "  ";
  for (const auto &[name, extent] : result.manifest.shape.asObject()) {
    line += separator + name + "=" + extent.dump();
    separator = " ";
  }
  for (const rt::Target &target : result.manifest.targets)
    line += "  cpu:" + target.isa;
  return line;
}

int tarn::cli::runCompile(const Invocation &in) {
  CompileRequest request = requestFor(in.model);
  request.from = in.compile.from;
  request.to = in.compile.to;
  request.locations = !in.compile.output.empty();
  if (request.to.empty() && in.compile.output.empty()) {
    printError("tarn compile needs an output", "add -o FILE, or --to PHASE to "
                                               "see the IR after a phase");
    return usageError;
  }
  CompileResult result;
  CompileStatus status = compileWithin(in.model, request, result);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
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
    std::printf("}}\n");
  } else if (!in.output.quiet) {
    const rt::Function &function = mainFunction(result.manifest);
    std::printf(" %s  %s parameters%s\n%s\n wrote %s  %s   arena %s   state %s"
                "   %lld launches\n",
                in.model.model.c_str(), formatCount(result.parameters).c_str(),
                describeModel(result).c_str(), describeSeconds(result).c_str(),
                in.compile.output.c_str(),
                formatBytes(result.artifact.size()).c_str(),
                formatBytes(function.arenaBytes).c_str(),
                formatBytes(result.manifest.stateBytes).c_str(),
                (long long)rt::countLaunches(function.program));
  }
  return success;
}
