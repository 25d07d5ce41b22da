//===- PlanKernels.cpp - a plan's launches for a terminal -----------------===//

#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include <algorithm>
#include <cstdio>

using namespace tarn;
using namespace tarn::cli;
using namespace tarn::report;

static std::string placeText(const Place &place) {
  if (!place.line)
    return "";
  return place.file.substr(place.file.rfind('/') + 1) + ":" +
         std::to_string(place.line);
}

/// A number with three digits and a unit of 1000s.
static std::string withUnit(double value, const char *unit) {
  const char *prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t i = 0;
  for (; value >= 1000 && i + 1 < std::size(prefixes); ++i)
    value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, value < 100 ? "%.3g %s%s" : "%.0f %s%s",
                value, prefixes[i], unit);
  return text;
}

/// `148 x `, of a group.
static std::string groupText(const Kernel &kernel) {
  int64_t launches = 0;
  for (const Kernel::Part &part : kernel.members)
    launches += part.launches;
  return launches ? std::to_string(launches) + " x " : "";
}

void tarn::cli::printKernels(const Report &report) {
  const Function *main = mainFunction(report);
  if (!main || main->kernels.empty())
    return;
  int64_t launches = 0;
  double seconds = 0;
  for (const Kernel &kernel : main->kernels) {
    launches += kernel.launches;
    seconds += kernel.seconds * double(kernel.launches);
  }
  std::printf("\n %zu kernels, %lld launches, %.4g ms in %s on %s\n",
              main->kernels.size(), (long long)launches, seconds * 1e3,
              main->name.c_str(), report.device.name.c_str());
  std::printf(
      " share launches  us each  roof  bound       work     moved  kernel\n");
  for (const Kernel &kernel : main->kernels) {
    double all = kernel.seconds * double(kernel.launches);
    std::printf(" %4.1f%% %8lld %8.4g %4.0f%%  %-7s %9s %9s  %s %s\n",
                100 * all / std::max(seconds, 1e-12),
                (long long)kernel.launches, kernel.seconds * 1e6,
                100 * kernel.roof, kernel.bound.c_str(),
                withUnit(double(kernel.flops), "F").c_str(),
                withUnit(double(kernel.bytes), "B").c_str(),
                (groupText(kernel) + kernel.op).c_str(),
                placeText(kernel.place).c_str());
  }
}

void tarn::cli::printBorders(const Report &report) {
  const Function *main = mainFunction(report);
  if (!main)
    return;
  struct Reason {
    int64_t launches = 0;
    std::vector<std::string> ops; ///< each once, in order
  };
  std::map<std::string, Reason> reasons;
  int64_t launches = 0;
  int64_t grouped = 0;
  for (const Step &step : main->steps) {
    bool launch = std::any_of(
        main->kernels.begin(), main->kernels.end(),
        [&](const Kernel &kernel) { return kernel.name == step.kernel; });
    grouped += step.group.empty() ? 0 : step.repeats;
    if (!launch && step.group.empty())
      continue;
    launches += step.repeats;
    Reason &reason = reasons[step.border.empty() ? "the first in its function"
                                                 : step.border];
    reason.launches += step.repeats;
    std::string op = step.op + " " + placeText(step.place);
    if (std::find(reason.ops.begin(), reason.ops.end(), op) == reason.ops.end())
      reason.ops.push_back(op);
  }
  std::vector<std::pair<std::string, Reason>> order(reasons.begin(),
                                                    reasons.end());
  std::stable_sort(order.begin(), order.end(), [](auto &x, auto &y) {
    return x.second.launches > y.second.launches;
  });
  int64_t groups = 0;
  for (const Kernel &kernel : main->kernels)
    groups += kernel.members.empty() ? 0 : kernel.launches;
  std::string together = grouped ? ", " + std::to_string(grouped) +
                                       " of them as " + std::to_string(groups)
                                 : "";
  std::printf("\n %lld launches in %s%s; why their work is in no other kernel:"
              "\n",
              (long long)launches, main->name.c_str(), together.c_str());
  for (const auto &[text, reason] : order) {
    std::printf(" %5lld  %s\n", (long long)reason.launches, text.c_str());
    std::string line;
    for (size_t i = 0; i < reason.ops.size() && i < 4; ++i)
      line += (i ? ", " : "") + reason.ops[i];
    if (reason.ops.size() > 4)
      line += " and " + std::to_string(reason.ops.size() - 4) + " more";
    std::printf("        %s\n", line.c_str());
  }
}
