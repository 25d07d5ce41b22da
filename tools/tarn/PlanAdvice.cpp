//===- PlanAdvice.cpp - what would make it fit, or faster -----------------===//
//
// Each piece of advice is a plan that was made, so that it holds. They are
// ranked: what changes no number first, then by how little is given up.
//
//===----------------------------------------------------------------------===//

#include "compiler/Cost/Device.h"
#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include <algorithm>
#include <tuple>

using namespace tarn;
using namespace tarn::cli;
using report::Advice;

/// The class of a plan with all its choices, those of its rungs too.
static std::string numericsOf(const report::Report &report) {
  std::string numerics = "exact";
  for (const report::Choice &choice : report.numerics)
    if (numerics != "meaning")
      numerics = choice.numerics;
  return numerics;
}

/// More memory: the smallest plan as it is, here and on other devices.
static void adviseMemory(const report::Report &report,
                         std::vector<Advice> &advice) {
  Advice more;
  more.what = "a budget of " + formatBytes(uint64_t(report.leastBytes)) + " (" +
              report.chosen + ")";
  more.how = "--budget " + std::to_string(report.leastBytes);
  more.bytes = report.leastBytes;
  more.seconds = report.seconds;
  more.fits = true;
  more.numerics = numericsOf(report);
  if (report.budgetFrom == "given" || report.device.isCpu()) {
    advice.push_back(more);
    // That one may take many times as long.
    if (const report::Rung *rung = smallestInTime(report))
      advice.push_back({"a budget of " +
                            formatBytes(uint64_t(rung->totalBytes)) + " (" +
                            rung->name + ")",
                        "--budget " + std::to_string(rung->totalBytes),
                        rung->totalBytes, rung->seconds, true, more.numerics});
  }
  if (report.device.isCpu())
    return;
  const Device *smallest = nullptr;
  for (const Device &device : knownDevices()) {
    double room = device.memoryBytes.value - device.contextBytes.value;
    if (device.isCpu() || room < double(report.leastBytes))
      continue;
    if (!smallest || device.memoryBytes.value < smallest->memoryBytes.value)
      smallest = &device;
  }
  if (smallest && smallest->name != report.device.name) {
    more.what = "on " + smallest->name;
    more.how = "--target " + smallest->name;
    more.seconds = 0; // of another device: not to be compared
    advice.push_back(more);
  }
}

static void advisePrecision(const PlanSetup &setup,
                            const report::Report &report,
                            std::vector<Advice> &advice) {
  if (report.precision == "bf16")
    return;
  CompileRequest request = setup.request;
  request.forcedPrecision = "bf16";
  PlanRun run = planOnce(setup, request, /*quiet=*/true);
  if (run.status != CompileStatus::success && !run.leastBudget)
    return;
  Advice half;
  half.what = "mixed precision";
  half.how = "--precision bf16";
  half.bytes = run.leastBudget ? *run.leastBudget : run.report.peakBytes;
  half.seconds = run.report.seconds;
  half.fits = run.status == CompileStatus::success && run.report.fits;
  half.numerics = "precision";
  advice.push_back(half);
}

/// Smaller dims; seconds are for as much work as before.
static void adviseDims(const PlanSetup &setup, const report::Report &report,
                       bool progress, std::vector<Advice> &advice,
                       std::vector<report::Fit> &largest) {
  auto isKnown = [&](const std::string &dim) {
    return std::any_of(largest.begin(), largest.end(),
                       [&](const report::Fit &fit) { return fit.dim == dim; });
  };
  std::vector<std::string> unknown;
  for (const auto &[dim, extent] : report.shape)
    if (extent > 1 && !isKnown(dim))
      unknown.push_back(dim);
  for (report::Fit &fit : fitDims(setup, report, unknown, progress))
    largest.push_back(std::move(fit));
  for (const report::Fit &fit : largest) {
    const std::string &dim = fit.dim;
    int64_t extent = report.shape.find(dim)->second;
    if (!fit.largest || extent < 2)
      continue;
    Advice smaller;
    smaller.what = dim + "=" + std::to_string(fit.largest);
    smaller.how = "--shape ";
    for (const auto &[name, value] : report.shape)
      smaller.how += (name == report.shape.begin()->first ? "" : ",") + name +
                     "=" + std::to_string(name == dim ? fit.largest : value);
    smaller.bytes = fit.bytes;
    smaller.seconds = fit.seconds * double(extent) / double(fit.largest);
    smaller.fits = true;
    smaller.numerics = "meaning";
    advice.push_back(smaller);
  }
}

/// The next plans that are faster, with what they take.
static void adviseFaster(const report::Report &report,
                         std::vector<Advice> &advice) {
  double now = 0;
  for (const report::Rung &rung : report.rungs)
    if (rung.name == report.chosen)
      now = rung.seconds;
  std::vector<report::Rung> faster;
  for (const report::Rung &rung : report.rungs)
    if (rung.seconds < now * 0.995)
      faster.push_back(rung);
  std::sort(faster.begin(), faster.end(), [](const auto &x, const auto &y) {
    return std::tie(x.totalBytes, x.seconds) <
           std::tie(y.totalBytes, y.seconds);
  });
  // The nearest, one in the middle, and the fastest.
  std::vector<report::Rung> frontier;
  for (const report::Rung &rung : faster)
    if (frontier.empty() || rung.seconds < frontier.back().seconds)
      frontier.push_back(rung);
  for (size_t i = 0; i != frontier.size(); ++i)
    if (i == 0 || i == frontier.size() / 2 || i + 1 == frontier.size()) {
      const report::Rung &rung = frontier[i];
      advice.push_back(
          {rung.name, "--budget " + std::to_string(rung.totalBytes),
           rung.totalBytes, rung.seconds,
           report.budgetBytes < 0 || rung.totalBytes <= report.budgetBytes,
           numericsOf(report)});
    }
}

/// Choices that are not exact; planned where the budget was missed.
static void adviseAllowing(const std::vector<Offer> &offers,
                           std::vector<Advice> &advice) {
  for (const Offer &offer : offers) {
    std::string word =
        offer.allowed == Allowed::meaning ? "meaning" : "rounding";
    advice.push_back({offer.text, "--allow " + word, offer.bytes, offer.seconds,
                      true, word});
  }
}

void tarn::cli::advise(const PlanSetup &setup, report::Report &report,
                       const std::vector<Offer> &offers, bool search,
                       bool progress) {
  if (report.rungs.empty())
    return;
  if (report.fits)
    return adviseFaster(report, report.advice);
  adviseMemory(report, report.advice);
  adviseAllowing(offers, report.advice);
  advisePrecision(setup, report, report.advice);
  if (search)
    adviseDims(setup, report, progress, report.advice, report.largest);
  else
    report.notes.push_back("planning takes long: sizes that fit are searched "
                           "when --fit names a dimension");
  auto rank = [](const Advice &advice) {
    int numerics = advice.numerics == "exact"       ? 0
                   : advice.numerics == "rounding"  ? 1
                   : advice.numerics == "precision" ? 2
                                                    : 3;
    return std::tuple(!advice.fits, numerics, advice.seconds);
  };
  std::sort(
      report.advice.begin(), report.advice.end(),
      [&](const Advice &x, const Advice &y) { return rank(x) < rank(y); });
}
