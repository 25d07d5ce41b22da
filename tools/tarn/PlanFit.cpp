//===- PlanFit.cpp - the largest size that fits ---------------------------===//
//
// Plans again and again, with little effort: doubling while it fits, then where
// the smallest plans of the sizes so far, which grow in a line nearly, say that
// the budget ends. The answer is a plan that was made with all effort, and so
// is the next size, which does not fit. Dims are searched beside each other.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include "llvm/Support/ThreadPool.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

using namespace tarn;
using namespace tarn::cli;

namespace {

/// One size, planned.
struct Probe {
  bool fits = false;
  bool refused = false; ///< by the model, not for its bytes
  int64_t bytes = 0;    ///< the peak, or the least where it does not fit
  int64_t least = 0;    ///< of any plan of this size; 0: not known
  double seconds = 0;
  std::string reason;
};

/// One line for all searches.
class Progress {
public:
  explicit Progress(bool enabled) : line(enabled) {}
  void show(const std::string &text) {
    std::lock_guard lock(mutex);
    line.show(text);
  }

private:
  std::mutex mutex;
  ProgressLine line;
};

class Search {
public:
  Search(const PlanSetup &setup, std::string dim, Progress &progress)
      : setup(setup), dim(std::move(dim)), progress(progress) {}

  report::Fit run(int64_t start);

private:
  const Probe &probe(int64_t size);
  void confirm(int64_t grain, int64_t &most, int64_t &next);
  bool narrow(int64_t low, int64_t high, int64_t grain, int64_t &most,
              int64_t &next);
  int64_t guess(int64_t between) const;

  const PlanSetup &setup;
  std::string dim;
  Progress &progress;
  double effort = 0.1; ///< that a plan takes, see CompileRequest
  std::map<int64_t, Probe> probes;
};

} // namespace

/// The first line of what was said, without `error: `.
static std::string firstLine(const std::string &text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.rfind("error: ", 0) == 0 ? line.substr(7) : line;
}

const Probe &Search::probe(int64_t size) {
  auto [found, isNew] = probes.try_emplace(size);
  Probe &result = found->second;
  if (!isNew)
    return result;
  progress.show(" trying " + dim + "=" + std::to_string(size));
  CompileRequest request = setup.request;
  request.shape[dim] = size;
  request.effort = effort;
  PlanRun run = planOnce(setup, request, /*quiet=*/true);
  result.refused = run.status != CompileStatus::success && !run.leastBudget;
  result.fits = run.status == CompileStatus::success && run.report.fits;
  result.bytes = run.leastBudget ? *run.leastBudget : run.report.peakBytes;
  result.least = run.leastBudget ? *run.leastBudget : run.report.leastBytes;
  result.seconds = run.report.seconds;
  if (result.refused)
    result.reason = firstLine(run.errors);
  return result;
}

/// The size at which the smallest plan takes the budget, by a line through the
/// two sizes nearest to `between`; -1 where two are not known.
int64_t Search::guess(int64_t between) const {
  std::vector<std::pair<int64_t, int64_t>> known;
  for (const auto &[size, probe] : probes)
    if (probe.least > 0)
      known.push_back({size, probe.least});
  std::sort(known.begin(), known.end(), [&](const auto &x, const auto &y) {
    return std::abs(x.first - between) < std::abs(y.first - between);
  });
  if (known.size() < 2 || known[0].second == known[1].second)
    return -1;
  double slope = double(known[1].second - known[0].second) /
                 double(known[1].first - known[0].first);
  double size = double(known[0].first) +
                double(setup.budgetBytes - known[0].second) / slope;
  return size >= 0 && size < 1e15 ? int64_t(size) : -1;
}

/// Between a size that fits (or 0) and one that does not, over multiples of
/// `grain`; false where a size in between is refused for itself.
bool Search::narrow(int64_t low, int64_t high, int64_t grain, int64_t &most,
                    int64_t &next) {
  int64_t fits = low / grain, fails = (high + grain - 1) / grain;
  int guesses = 0;
  while (fails - fits > 1) {
    int64_t middle = fits + (fails - fits) / 2;
    // A good guess and its neighbour end it. Where they do not, half of what is
    // left goes, whatever the line says.
    int64_t size = guess(middle * grain);
    if (size >= 0 && guesses < 2) {
      middle = std::clamp(size / grain, fits + 1, fails - 1);
      ++guesses;
    } else {
      guesses = 0;
    }
    const Probe &tried = probe(middle * grain);
    // Larger ones were taken: it is refused for what it is, not for its size.
    if (tried.refused && !probe(fails * grain).refused)
      return false;
    (tried.fits ? fits : fails) = middle;
  }
  most = fits * grain;
  next = fails * grain;
  return true;
}

/// Plans both sizes with all effort, and their neighbours if that changes the
/// answer.
void Search::confirm(int64_t grain, int64_t &most, int64_t &next) {
  effort = 1;
  probes.clear();
  while (most > 0 && !probe(most).fits) {
    next = most;
    most -= grain;
  }
  while (probe(next).fits) {
    most = next;
    next += grain;
  }
}

report::Fit Search::run(int64_t start) {
  report::Fit fit;
  fit.dim = dim;
  int64_t low = 0, high = start;
  while (high < int64_t(1) << 40 && probe(high).fits) {
    low = high;
    high *= 2;
  }
  int64_t most = 0, next = high;
  // Sizes may have to be multiples of something that the start is one of.
  for (int64_t grain = 1; grain <= start; ++grain)
    if (start % grain == 0 && narrow(low, high, grain, most, next)) {
      confirm(grain, most, next);
      break;
    }
  fit.largest = most;
  fit.next = next;
  if (most) {
    fit.bytes = probe(most).bytes;
    fit.seconds = probe(most).seconds;
  }
  const Probe &after = probe(next);
  if (after.refused)
    fit.reason = after.reason;
  else
    fit.nextBytes = after.bytes;
  return fit;
}

std::vector<report::Fit>
tarn::cli::fitDims(const PlanSetup &setup, const report::Report &report,
                   const std::vector<std::string> &dims, bool progress) {
  Progress line(progress);
  std::vector<report::Fit> fits(dims.size());
  llvm::DefaultThreadPool pool;
  for (size_t i = 0; i != dims.size(); ++i)
    pool.async([&, i] {
      fits[i] =
          Search(setup, dims[i], line).run(report.shape.find(dims[i])->second);
      for (const auto &[name, extent] : report.shape)
        if (name != dims[i])
          fits[i].others += (fits[i].others.empty() ? "" : ", ") + name + "=" +
                            std::to_string(extent);
    });
  pool.wait();
  return fits;
}
