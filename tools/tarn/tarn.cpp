//===- tarn.cpp - the one front door --------------------------------------===//

#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Options.h"

using namespace tarn::cli;

int main(int argc, char **argv) {
  Invocation invocation;
  if (int code = parseCommandLine(argc, argv, invocation); code >= 0)
    return code;
  installCrashGuard(invocation.words, invocation.model.model);
  switch (invocation.command) {
  case Command::check:
    return runCheck(invocation);
  case Command::compile:
    return runCompile(invocation);
  case Command::train:
    return runTrain(invocation);
  case Command::run:
    return runRun(invocation);
  case Command::bench:
    return runBench(invocation);
  case Command::measure:
    return runMeasure(invocation);
  case Command::plan:
    return runPlan(invocation);
  case Command::inspect:
    return runInspect(invocation);
  }
  return internalError;
}
