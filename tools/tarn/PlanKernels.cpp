//===- PlanKernels.cpp - a plan's launches for a terminal -----------------===//

#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include <algorithm>
#include <cstdio>
#include <map>

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

/// `attention gpt2.tarn:20`, `148 x select gpt2.tarn:60`.
static std::string nameText(const Kernel &kernel) {
  return groupText(kernel) + kernel.op + " " + placeText(kernel.place);
}

/// A count in five columns.
static std::string padded(int64_t count) {
  char text[32];
  std::snprintf(text, sizeof text, "%5lld", (long long)count);
  return text;
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
  std::printf(" share runs us each roof bound      work   moved kernel\n");
  for (const Kernel &kernel : main->kernels) {
    double all = kernel.seconds * double(kernel.launches);
    std::printf(
        " %4.1f%% %4lld %7.4g %3.0f%% %-7s %7s %7s %s\n",
        100 * all / std::max(seconds, 1e-12), (long long)kernel.launches,
        kernel.seconds * 1e6, 100 * kernel.roof, kernel.bound.c_str(),
        withUnit(double(kernel.flops), "F").c_str(),
        withUnit(double(kernel.bytes), "B").c_str(), nameText(kernel).c_str());
  }
}

/// Prints `text` behind a mark, in lines of 80 columns.
static void printWrapped(const std::string &mark, const std::string &text) {
  constexpr size_t columns = 80;
  std::string line = mark;
  const std::string indent(mark.size(), ' ');
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    bool first = line.size() == indent.size();
    if (!first && line.size() + 1 + (end - at) > columns) {
      std::printf("%s\n", line.c_str());
      line = indent;
      first = true;
    }
    line += (first ? "" : " ") + text.substr(at, end - at);
    at = end + 1;
  }
  std::printf("%s\n", line.c_str());
}

namespace {

/// How often each of some texts was said, in the order of the first time.
class Tally {
public:
  void add(const std::string &text, int64_t times) {
    for (auto &[known, count] : texts)
      if (known == text) {
        count += times;
        return;
      }
    texts.emplace_back(text, times);
  }
  /// The most frequent first.
  std::vector<std::pair<std::string, int64_t>> sorted() const {
    auto order = texts;
    std::stable_sort(order.begin(), order.end(),
                     [](auto &x, auto &y) { return x.second > y.second; });
    return order;
  }

private:
  std::vector<std::pair<std::string, int64_t>> texts;
};

} // namespace

/// The reasons of one row of the table: what is said of its launches, for each
/// kernel that reads them.
static void printBorders(const Kernel &kernel, const Tally &said,
                         int64_t launches) {
  std::string together;
  if (!kernel.members.empty())
    together = ", launched as " + std::to_string(kernel.launches);
  std::printf("\n %5lld  %s %s%s\n", (long long)launches, kernel.op.c_str(),
              placeText(kernel.place).c_str(), together.c_str());
  constexpr size_t most = 3;
  auto order = said.sorted();
  for (size_t i = 0; i < std::min(order.size(), most); ++i) {
    auto &[text, times] = order[i];
    printWrapped("        ", times == launches
                                 ? text
                                 : std::to_string(times) + " of them: " + text);
  }
  if (order.size() > most)
    std::printf("        and %zu more\n", order.size() - most);
}

void tarn::cli::printBorders(const Report &report) {
  const Function *main = mainFunction(report);
  if (!main)
    return;
  std::map<std::string, size_t> rows;
  for (size_t i = 0; i < main->kernels.size(); ++i)
    rows[main->kernels[i].name] = i;
  std::vector<Tally> said(main->kernels.size());
  std::vector<int64_t> launchesOf(main->kernels.size());
  Tally reasons;
  int64_t launches = 0, grouped = 0, groups = 0;
  for (const Step &step : main->steps) {
    auto row = rows.find(step.group.empty() ? step.kernel : step.group);
    if (row == rows.end())
      continue;
    launches += step.repeats;
    grouped += step.group.empty() ? 0 : step.repeats;
    launchesOf[row->second] += step.repeats;
    std::vector<std::string> each; // of the step's reasons, once
    for (const Border &border : step.borders) {
      std::string reader =
          border.op.empty() ? "" : border.op + " " + placeText(border.place);
      said[row->second].add(reader.empty() ? border.reason
                                           : reader + ": " + border.reason,
                            step.repeats);
      if (std::find(each.begin(), each.end(), border.reason) == each.end())
        each.push_back(border.reason);
    }
    if (each.empty()) {
      each.push_back("the first in its function");
      said[row->second].add(each.back(), step.repeats);
    }
    for (const std::string &reason : each)
      reasons.add(reason, step.repeats);
  }
  for (const Kernel &kernel : main->kernels)
    groups += kernel.members.empty() ? 0 : kernel.launches;
  std::string together = grouped ? ", " + std::to_string(grouped) +
                                       " of them as " + std::to_string(groups)
                                 : "";
  std::printf("\n");
  printWrapped(" ", std::to_string(launches) + " launches in " + main->name +
                        together +
                        "; why their work is in none of the kernels that read "
                        "their results:");
  for (const auto &[reason, times] : reasons.sorted())
    printWrapped(" " + padded(times) + "  ", reason);
  std::printf("\n kernel by kernel, with the reader that each is about:\n");
  for (size_t i = 0; i < main->kernels.size(); ++i)
    ::printBorders(main->kernels[i], said[i], launchesOf[i]);
}
