//===- PlanRun.h - one planning of a model, as a report ---------*- C++ -*-===//

#ifndef TOOLS_TARN_PLANRUN_H
#define TOOLS_TARN_PLANRUN_H

#include "compiler/Driver/Compile.h"
#include "compiler/Report/Compare.h"
#include "compiler/Report/Report.h"
#include "tools/tarn/Options.h"

#include <string>

namespace tarn::cli {

/// What is planned, resolved from the command line.
struct PlanSetup {
  CompileRequest request;
  report::DeviceLine device;
  int64_t budgetBytes = -1;
  std::string budgetFrom;
  /// The budget is of one memory, host memory included.
  bool hostCounts = false;
};

/// Resolves target, budget, times and precision. Returns an ExitCode; errors
/// were printed.
int setUpPlan(const Invocation &in, PlanSetup &setup);

/// One planning.
struct PlanRun {
  CompileStatus status = CompileStatus::success;
  report::Report report;
  /// What it said, if it was not to be printed.
  std::string errors;
  /// Where the budget was missed.
  std::optional<int64_t> leastBudget;
  /// What more would be met by, there.
  std::vector<Offer> offers;
};

/// Plans `request` (usually that of the setup, changed). Messages go to stderr,
/// or into the result if `quiet`.
PlanRun planOnce(const PlanSetup &setup, CompileRequest request, bool quiet);

/// The plan for the setup's budget; where none fits, messages are printed and
/// the smallest plan comes with `fits` unset.
PlanRun planOrSmallest(const PlanSetup &setup);

/// The largest size of each of `dims` (of the report's) that fits the setup's
/// budget, the other dims as they are.
std::vector<report::Fit> fitDims(const PlanSetup &setup,
                                 const report::Report &report,
                                 const std::vector<std::string> &dims,
                                 bool progress);

/// Adds what would make it fit, or faster; with `search` also which sizes would
/// (planned again and again, so it takes a while).
void advise(const PlanSetup &setup, report::Report &report,
            const std::vector<Offer> &offers, bool search, bool progress);

/// Whether the model is a stored report (`tarn plan --json`).
bool isReportFile(const std::string &path);

/// Reads a stored report; errors begin with the path.
rt::Result<report::Report> readReport(const std::string &path);

/// Prints how two plans differ, as text.
void printComparison(const report::Comparison &comparison);

/// Prints a report as text, 80 columns wide at most.
void printReport(const report::Report &report);

/// Prints the main function's kernels by time, with their shares of the step
/// and of the device's roof.
void printKernels(const report::Report &report);

/// Prints how many launches a step has, and the reasons why not fewer.
void printBorders(const report::Report &report);

} // namespace tarn::cli

#endif // TOOLS_TARN_PLANRUN_H
