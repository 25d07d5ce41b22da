//===- Plan.cpp - `tarn plan` ---------------------------------------------===//

#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/PlanMesh.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Json.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

using namespace tarn;
using namespace tarn::cli;

static const PlanSummary::Rung &chosenOf(const PlanSummary &plan) {
  for (const PlanSummary::Rung &rung : plan.rungs)
    if (rung.name == plan.chosen)
      return rung;
  return plan.rungs.front();
}

static void printJson(const CompileResult &result) {
  const PlanSummary &plan = *result.plan;
  rt::Json out = rt::Json::object(), rungs = rt::Json::array();
  out.set("parameters", result.parameters);
  out.set("chosen", plan.chosen);
  out.set("peak_bytes", uint64_t(plan.otherBytes + chosenOf(plan).arenaBytes));
  out.set("least_bytes", uint64_t(plan.leastBytes));
  out.set("bound_bytes", uint64_t(plan.boundBytes));
  out.set("other_bytes", uint64_t(plan.otherBytes));
  out.set("peak", plan.peak);
  for (const PlanSummary::Rung &rung : plan.rungs) {
    rt::Json entry = rt::Json::object();
    entry.set("name", rung.name);
    entry.set("arena_bytes", uint64_t(rung.arenaBytes));
    entry.set("seconds", rung.seconds);
    rungs.push(std::move(entry));
  }
  out.set("rungs", std::move(rungs));
  std::printf("%s\n", out.dump().c_str());
}

/// Plans that are worth a line: each smaller than all that are faster.
static std::vector<PlanSummary::Rung> frontier(const PlanSummary &plan) {
  std::vector<PlanSummary::Rung> rungs = plan.rungs;
  std::sort(rungs.begin(), rungs.end(), [](const auto &x, const auto &y) {
    return std::tie(x.seconds, x.arenaBytes, x.name) <
           std::tie(y.seconds, y.arenaBytes, y.name);
  });
  std::vector<PlanSummary::Rung> best;
  for (const PlanSummary::Rung &rung : rungs)
    if (best.empty() || rung.arenaBytes < best.back().arenaBytes)
      best.push_back(rung);
  return best;
}

static void printReport(const Invocation &in, const CompileResult &result) {
  const PlanSummary &plan = *result.plan;
  const PlanSummary::Rung &chosen = chosenOf(plan);
  int64_t peak = plan.otherBytes + chosen.arenaBytes;
  double fastest = plan.rungs.front().seconds;
  std::printf(" %s in %s   arena %s + state, inputs, outputs %s\n",
              in.model.budgetBytes < 0 ? "runs" : "FITS",
              formatBytes(uint64_t(peak)).c_str(),
              formatBytes(uint64_t(chosen.arenaBytes)).c_str(),
              formatBytes(uint64_t(plan.otherBytes)).c_str());
  std::printf(" plan      %s, %+.1f%% step time against keep-all (estimated)\n",
              plan.chosen.c_str(),
              100 * (chosen.seconds / std::max(fastest, 1e-12) - 1));
  std::printf(" at peak   %s\n", plan.peak.c_str());
  std::printf(" smallest  %s   no plan of these kernels below %s\n",
              formatBytes(uint64_t(plan.leastBytes)).c_str(),
              formatBytes(uint64_t(plan.boundBytes)).c_str());
  std::printf("\n    all memory    step time   plan\n");
  for (const PlanSummary::Rung &rung : frontier(plan))
    std::printf(
        " %s %12s   %+8.1f%%   %s\n", rung.name == plan.chosen ? "*" : " ",
        formatBytes(uint64_t(plan.otherBytes + rung.arenaBytes)).c_str(),
        100 * (rung.seconds / std::max(fastest, 1e-12) - 1), rung.name.c_str());
}

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
  CompileRequest request = requestFor(in.model);
  request.to = "plan";
  if (request.policy == "keep-all")
    request.policy = "auto";
  CompileResult result;
  CompileStatus status = compile(request, result);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  if (!result.plan) {
    printError("the model has no train function", "tarn plan is about one");
    return userError;
  }
  if (in.output.json)
    printJson(result);
  else if (!in.output.quiet)
    printReport(in, result);
  return success;
}
