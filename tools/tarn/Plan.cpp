//===- Plan.cpp - `tarn plan` ---------------------------------------------===//

#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/PlanMesh.h"
#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

int tarn::cli::runPlan(const Invocation &in) {
  if (!in.plan.pack.empty())
    return runPack(in);
  if (in.model.model.empty()) {
    printError("tarn plan needs a model, or --pack FILE.csv",
               "tarn plan MODEL --budget 22GiB");
    return usageError;
  }
  if (in.mesh.asked)
    return runPlanMesh(in);
  PlanSetup setup;
  if (int code = setUpPlan(in, setup); code != success)
    return code;
  PlanRun run = planOrSmallest(setup);
  if (run.status != CompileStatus::success)
    return exitCodeFor(run.status);
  if (in.output.json)
    std::printf("%s\n", report::toJson(run.report).dump().c_str());
  else if (!in.output.quiet)
    printReport(run.report);
  return run.report.fits ? success : userError;
}
