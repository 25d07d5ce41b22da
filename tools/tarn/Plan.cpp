//===- Plan.cpp - `tarn plan` ---------------------------------------------===//

#include "compiler/Report/Condition.h"
#include "compiler/Report/Exports.h"
#include "compiler/Report/Html.h"
#include "frontends/HuggingFace/Import.h"
#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/PlanMesh.h"
#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include <cstdio>
#include <optional>

using namespace tarn;
using namespace tarn::cli;

/// Reads all conditions before anything is planned.
static int readConditions(const Invocation &in,
                          std::vector<report::Condition> &conditions) {
  for (const std::string &text : in.plan.asserts) {
    rt::Result<report::Condition> condition = report::parseCondition(text);
    if (!condition.ok()) {
      printError("--assert " + condition.status().message());
      return usageError;
    }
    conditions.push_back(condition.take());
  }
  return success;
}

/// Prints each condition that fails, with both figures.
static bool checkConditions(const report::Report &report,
                            const std::vector<report::Condition> &conditions) {
  bool all = true;
  for (const report::Condition &condition : conditions) {
    double figure = report::figureOf(report, condition.figure);
    if (report::holds(condition, figure))
      continue;
    all = false;
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.4g s", figure);
    if (condition.isTime())
      printError("assertion failed: " + condition.text + ", but time is " +
                 seconds + " (estimated)");
    else
      printError("assertion failed: " + condition.text + ", but " +
                 condition.figure + " is " + formatBytes(uint64_t(figure)) +
                 " (" + std::to_string(int64_t(figure)) +
                 " bytes, asked were " +
                 std::to_string(int64_t(condition.value)) + ")");
  }
  return all;
}

/// Writes what was asked for beside the terminal. Returns an ExitCode.
static int writeFiles(const Invocation &in, const report::Report &report) {
  auto write = [&](const std::string &path, const std::string &text) {
    std::string error;
    if (path.empty() ||
        writeWhole(path, std::vector<char>(text.begin(), text.end()), error))
      return true;
    printError(error);
    return false;
  };
  if (!in.plan.report.empty()) {
    rt::Json json = report::toJson(report);
    auto library = [](const std::string &file) { return hf::modelText(file); };
    if (!write(in.plan.report,
               report::toHtml(json, report::readSources(json, library))))
      return userError;
  }
  if (!in.plan.exportPytorch.empty() &&
      !write(in.plan.exportPytorch,
             report::toPickle(report::toPytorchSnapshot(report))))
    return userError;
  if (!in.plan.exportPerfetto.empty() &&
      !write(in.plan.exportPerfetto, report::toPerfetto(report).dump()))
    return userError;
  return success;
}

/// `--fit B --fit T`: each with the others as they are.
static int fitAll(const Invocation &in, const PlanSetup &setup,
                  report::Report &report, bool progress) {
  for (const std::string &dim : in.plan.fit) {
    if (setup.budgetBytes < 0) {
      printError("--fit needs a budget: without one, everything fits");
      return usageError;
    }
    if (!report.shape.count(dim)) {
      std::string known;
      for (const auto &[name, extent] : report.shape)
        known += (known.empty() ? "" : ", ") + name;
      printError("--fit: the model has no dimension `" + dim + "`",
                 known.empty() ? "it has none with a name" : "it has " + known);
      return userError;
    }
  }
  report.largest = fitDims(setup, report, in.plan.fit, progress);
  return success;
}

/// The report of a model, or one that was stored. Returns an ExitCode.
static int obtainReport(const Invocation &in, report::Report &report) {
  if (isReportFile(in.model.model)) {
    rt::Result<report::Report> stored = readReport(in.model.model);
    if (!stored.ok()) {
      printError(stored.status().message());
      return userError;
    }
    report = stored.take();
    return success;
  }
  PlanSetup setup;
  if (int code = setUpPlan(in, setup); code != success)
    return code;
  PlanRun run = planOrSmallest(setup);
  if (run.status != CompileStatus::success)
    return exitCodeFor(run.status);
  report = std::move(run.report);
  bool progress = !in.output.quiet && !in.output.noProgress;
  if (int code = fitAll(in, setup, report, progress); code != success)
    return code;
  if (in.output.quiet && in.plan.report.empty())
    return success; // nobody reads it
  // Sizes are searched by planning some twenty times: not of a large model,
  // unless somebody asks.
  constexpr size_t few = 1000;
  const report::Function *main = report::mainFunction(report);
  bool search = !in.plan.fit.empty() || (main && main->steps.size() <= few);
  advise(setup, report, run.offers, search, progress);
  return success;
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
  std::vector<report::Condition> conditions;
  if (int code = readConditions(in, conditions); code != success)
    return code;
  // Planning may take a while: a path that is wrong is known before it.
  for (const std::string &path :
       {in.plan.report, in.plan.exportPytorch, in.plan.exportPerfetto})
    if (std::string error; !path.empty() && !isWritable(path, error)) {
      printError(error);
      return userError;
    }
  // What there is to compare with is read before anything is planned.
  std::optional<report::Report> before;
  if (!in.plan.compare.empty()) {
    rt::Result<report::Report> read = readReport(in.plan.compare);
    if (!read.ok()) {
      printError("--compare: " + read.status().message());
      return userError;
    }
    before = read.take();
  }
  report::Report report;
  if (int code = obtainReport(in, report); code != success)
    return code;
  if (int code = writeFiles(in, report); code != success)
    return code;
  if (before) {
    report::Comparison comparison = report::compare(*before, report);
    if (in.output.json)
      std::printf("%s\n", report::toJson(comparison).dump().c_str());
    else if (!in.output.quiet)
      printComparison(comparison);
  } else if (in.output.json) {
    std::printf("%s\n", report::toJson(report).dump().c_str());
  } else if (!in.output.quiet) {
    printReport(report);
    if (in.plan.kernels)
      printKernels(report);
    if (in.plan.explainFusion)
      printBorders(report);
  }
  bool asserted = checkConditions(report, conditions);
  return report.fits && asserted ? success : userError;
}
