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

int tarn::cli::runCompile(const Invocation &in) {
  CompileRequest request = requestFor(in.model);
  request.to = in.compile.to;
  if (request.to.empty() && in.compile.output.empty()) {
    printError("tarn compile needs an output", "add -o FILE, or --to PHASE to "
                                               "see the IR after a phase");
    return usageError;
  }
  CompileResult result;
  CompileStatus status = compile(request, result);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  if (!request.to.empty()) {
    std::fwrite(result.ir.data(), 1, result.ir.size(), stdout);
    return success;
  }
  std::string error;
  if (!writeWhole(in.compile.output, result.artifact, error)) {
    printError(error);
    return userError;
  }
  if (in.output.json) {
    std::printf("{\"artifact\":\"%s\",\"bytes\":%zu,\"parameters\":%llu,"
                "\"seconds\":{",
                in.compile.output.c_str(), result.artifact.size(),
                (unsigned long long)result.parameters);
    const char *separator = "";
    for (const auto &[phase, seconds] : result.seconds) {
      std::printf("%s\"%s\":%.4f", separator, phase.c_str(), seconds);
      separator = ",";
    }
    std::printf("}}\n");
  } else if (!in.output.quiet) {
    std::printf(" %s  %s parameters\n%s\n wrote %s  %s\n",
                in.model.model.c_str(), formatCount(result.parameters).c_str(),
                describeSeconds(result).c_str(), in.compile.output.c_str(),
                formatBytes(result.artifact.size()).c_str());
  }
  return success;
}
