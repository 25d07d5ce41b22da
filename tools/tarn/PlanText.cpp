//===- PlanText.cpp - a report for a terminal -----------------------------===//
//
// At most 80 columns: a label of nine, then what there is to say.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/PlanRun.h"
#include "tools/tarn/Terminal.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

using namespace tarn;
using namespace tarn::cli;
using namespace tarn::report;

/// Stands for a space at which no line is broken.
static constexpr char tied = '\x01';

static std::string bytes(int64_t count) {
  std::string text = formatBytes(uint64_t(std::max<int64_t>(count, 0)));
  std::replace(text.begin(), text.end(), ' ', tied);
  return text;
}

static void printLine(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  std::replace(line.begin(), line.end(), tied, ' ');
  std::printf("%s\n", line.c_str());
}

/// Microseconds to minutes, three digits.
static std::string seconds(double value) {
  char text[32];
  if (value < 1e-3)
    std::snprintf(text, sizeof text, "%.3g us", value * 1e6);
  else if (value < 1)
    std::snprintf(text, sizeof text, "%.3g ms", value * 1e3);
  else
    std::snprintf(text, sizeof text, "%.3g s", value);
  return text;
}

/// Words behind a label, broken before column 80.
static void say(const char *label, const std::string &text) {
  std::string line = std::string(" ") + label;
  line.resize(std::max<size_t>(11, line.size() + 1), ' ');
  size_t begin = line.size();
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, end - at);
    if (line.size() + word.size() > 79 && line.size() > begin) {
      printLine(line);
      line = std::string(11, ' ');
      begin = line.size();
    }
    line += word + " ";
    at = end + 1;
  }
  printLine(line);
}

static std::string placeText(const Place &place) {
  if (!place.line)
    return "";
  size_t slash = place.file.rfind('/');
  return (slash == std::string::npos ? place.file
                                     : place.file.substr(slash + 1)) +
         ":" + std::to_string(place.line);
}

/// `transformer.h.11.mlp` with less in front where it is long.
static std::string shortLayer(const std::string &layer) {
  return layer.size() <= 40 ? layer : "..." + layer.substr(layer.size() - 37);
}

static void sayHead(const Report &report) {
  std::string shape;
  for (const auto &[name, extent] : report.shape)
    shape += " " + name + "=" + std::to_string(extent);
  say(report.model.c_str(),
      formatCount(uint64_t(report.parameters)) + " parameters  " +
          report.precision + " " + shape + "  " + report.device.target +
          (report.device.name == "cpu" ? "" : " (" + report.device.name + ")"));
  std::string driver = bytes(report.device.driverBytes) + " driver (estimate)";
  std::string need = bytes(report.peakBytes) + " exact + " + driver;
  if (report.budgetBytes < 0)
    say("TAKES", need);
  else
    say(report.fits ? "FITS" : "DOES NOT FIT",
        "in " + bytes(report.budgetBytes) +
            (report.budgetFrom == "given"    ? ""
             : report.budgetFrom == "device" ? " (the device without driver)"
                                             : " (free memory)") +
            ": " + need);
}

static void sayRows(const Report &report) {
  // A row and its bytes stay on one line.
  std::string line;
  for (const Row &row : report.byRole) {
    std::string item = row.name + " " + bytes(row.bytes);
    if (!line.empty() && line.size() + item.size() > 70) {
      printLine(" " + line);
      line.clear();
    }
    line += (line.empty() ? "" : " | ") + item;
  }
  printLine(" " + line);
}

static void sayPeak(const Report &report) {
  if (report.peakFunction >= report.functions.size())
    return;
  const Function &most = report.functions[report.peakFunction];
  if (most.fullestStep < int64_t(most.steps.size())) {
    const Step &at = most.steps[most.fullestStep];
    say("peak at", (at.layer.empty() ? "" : shortLayer(at.layer) + " ") +
                       at.phase + " " + at.op + ", step " +
                       std::to_string(most.fullestStep) + " of " +
                       std::to_string(most.steps.size()) + " in " + most.name +
                       " " + placeText(at.place));
  }
  // What holds it, by line and role, the largest first.
  std::map<std::pair<std::string, std::string>,
           std::tuple<int64_t, int64_t, double, bool>>
      lines;
  for (const Tensor &tensor : most.tensors)
    if (tensor.space == "arena" && tensor.first <= most.fullestStep &&
        most.fullestStep <= tensor.last) {
      auto &[size, count, again, used] =
          lines[{tensor.role, placeText(tensor.place)}];
      size += tensor.bytes;
      ++count;
      again += std::max(tensor.againSeconds, 0.0);
      used |= tensor.first == most.fullestStep ||
              std::count(tensor.readers.begin(), tensor.readers.end(),
                         most.fullestStep);
    }
  std::vector<std::pair<int64_t, std::string>> largest;
  for (const auto &[key, what] : lines) {
    const auto &[size, count, again, used] = what;
    std::string text = bytes(size) + " " + key.first + ", " +
                       std::to_string(count) +
                       (count == 1 ? " value " : " values ") + key.second;
    if (again > 0 && report.seconds > 0) {
      char share[48];
      std::snprintf(share, sizeof share, "  again %+.1f%%",
                    100 * again / report.seconds);
      text += share;
    }
    if (used)
      text += "  in use";
    largest.push_back({size, text});
  }
  std::sort(largest.rbegin(), largest.rend());
  for (size_t i = 0; i < largest.size() && i < 4; ++i)
    say(i ? "" : "why", largest[i].second);
}

/// What kernels make in their prologues, by op and line, the largest first.
static void sayPrologues(const Report &report) {
  using Line = std::pair<std::string, std::string>;
  std::map<Line, std::map<std::string, int64_t>> lines; ///< bytes by layer
  for (const Function &function : report.functions)
    for (const Step &step : function.steps)
      for (const Made &made : step.prologue)
        lines[{made.op, placeText(made.place)}][made.layer] = made.bytes;
  std::vector<std::pair<int64_t, std::string>> largest;
  for (const auto &[line, layers] : lines) {
    int64_t size = 0;
    for (const auto &[layer, one] : layers)
      size += one;
    largest.push_back({size, bytes(size) + " " + line.first + ", " +
                                 std::to_string(layers.size()) +
                                 (layers.size() == 1 ? " value " : " values ") +
                                 line.second});
  }
  std::sort(largest.rbegin(), largest.rend());
  for (size_t i = 0; i < largest.size() && i < 4; ++i)
    say(i ? "" : "prologues", largest[i].second);
  if (largest.size() > 4)
    say("", "and of " + std::to_string(largest.size() - 4) + " more lines");
}

/// Plans that are worth a line: each smaller than all that are faster.
static std::vector<Rung> frontier(const Report &report) {
  std::vector<Rung> rungs = report.rungs;
  std::sort(rungs.begin(), rungs.end(), [](const Rung &x, const Rung &y) {
    return std::tie(x.seconds, x.arenaBytes, x.name) <
           std::tie(y.seconds, y.arenaBytes, y.name);
  });
  std::vector<Rung> best;
  for (const Rung &rung : rungs)
    if (best.empty() || rung.totalBytes < best.back().totalBytes)
      best.push_back(rung);
  return best;
}

/// What a plan computes again, and what it parks in host memory.
static void sayParts(const Rung &rung) {
  std::string text;
  if (rung.repeats)
    text = std::to_string(rung.repeats) + " launches again, " +
           seconds(rung.againSeconds);
  if (rung.offloadedBytes)
    text += (text.empty() ? "" : "; ") + bytes(rung.offloadedBytes) +
            " offloaded, " + bytes(rung.hostBytes) +
            " of pinned host memory, " + seconds(rung.copySeconds);
  if (!text.empty())
    say("", text + " (exact)");
}

/// About ten lines of the ladder, the chosen one among them.
static void sayLadder(const Report &report) {
  if (report.rungs.empty())
    return;
  std::vector<Rung> rungs = frontier(report);
  double fastest = rungs.front().seconds;
  for (const Rung &rung : report.rungs)
    if (rung.name == "keep-all")
      fastest = rung.seconds;
  auto cost = [&](const Rung &rung) {
    char text[32];
    std::snprintf(text, sizeof text, "%+.1f%%",
                  100 * (rung.seconds / std::max(fastest, 1e-12) - 1));
    return std::string(text);
  };
  for (const Rung &rung : report.rungs)
    if (rung.name == report.chosen) {
      std::string text =
          report.chosen + ", " + cost(rung) + " step time against keep-all";
      if (rung.name != "keep-all")
        for (const Rung &all : report.rungs)
          if (all.name == "keep-all")
            text += " (which needs " + bytes(all.totalBytes) + ")";
      if (rung.prologues)
        text += ", " + std::to_string(rung.prologues) +
                (rung.prologues == 1 ? " kernel makes" : " kernels make") +
                " inputs in their prologues";
      say("plan", text);
      sayParts(rung);
    }
  sayPrologues(report);
  auto gap = [](double found, double bound) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f%%",
                  100 * std::max(found / std::max(bound, 1e-12) - 1, 0.0));
    return std::string(text);
  };
  const Function *main = mainFunction(report);
  bool grouped = main && std::any_of(main->kernels.begin(), main->kernels.end(),
                                     [](const Kernel &kernel) {
                                       return !kernel.members.empty();
                                     });
  if (report.boundSeconds > 0)
    say("gap", gap(report.planSeconds, report.boundSeconds) +
                   "; no plan of these kernels in as much memory" +
                   (grouped ? ", launched one by one," : "") +
                   " takes less than " + seconds(report.boundSeconds) + " (" +
                   report.boundMethod + ")");
  say("smallest",
      bytes(report.leastBytes) + "; no plan of these kernels takes less than " +
          bytes(report.boundBytes) + ", the largest working set (" +
          gap(double(report.leastBytes), double(report.boundBytes)) + ")");
  const Rung *inTime = smallestInTime(report);
  if (inTime)
    say("", "that plan takes " + cost(rungs.back()) +
                " step time; within twice the time the smallest budget is " +
                bytes(inTime->totalBytes));
  std::string alike;
  for (const Alike &repeat : report.repeats)
    alike += (alike.empty() ? "" : ", ") + std::to_string(repeat.count) +
             " times " + std::to_string(repeat.kernels);
  if (!alike.empty())
    say("layers", alike + " kernels are alike");
  printLine("");
  printLine("    all memory   step time   plan");
  size_t every = (rungs.size() + 7) / 8;
  for (size_t i = 0; i != rungs.size(); ++i) {
    if (rungs[i].isSlow && i && !rungs[i - 1].isSlow)
      printLine("    in more than twice the time:");
    if (i % every == 0 || i + 1 == rungs.size() ||
        rungs[i].name == report.chosen ||
        (inTime && rungs[i].name == inTime->name)) {
      char line[64];
      std::snprintf(line, sizeof line, " %s %12s  %10s   ",
                    rungs[i].name == report.chosen ? "*" : " ",
                    bytes(rungs[i].totalBytes).c_str(), cost(rungs[i]).c_str());
      printLine(line + rungs[i].name +
                (rungs[i].repeats ? ", recomputes" : "") +
                (rungs[i].offloadedBytes
                     ? ", offloads " + bytes(rungs[i].offloadedBytes)
                     : ""));
    }
  }
  printLine("");
}

/// Choices that are not exact, those of the training step first.
static void sayNumerics(const Report &report) {
  const Function *main = mainFunction(report);
  std::string text, others;
  for (const Choice &choice : report.numerics) {
    bool isMain = main && (choice.function == main->name ||
                           choice.function == main->name + "_micro");
    if (!isMain) {
      if (others.find(choice.function) == std::string::npos)
        others += (others.empty() ? "" : ", ") + choice.function;
      continue;
    }
    text += choice.numerics + ": " + choice.text + " " +
            placeText(choice.place) + "; ";
  }
  if (!report.numerics.empty())
    say("numerics", text + (others.empty() ? "" : "likewise " + others + "; ") +
                        "the rest exact");
}

static void sayRest(const Report &report) {
  for (const Fit &fit : report.largest) {
    std::string text = fit.dim + "=" + std::to_string(fit.largest) +
                       (fit.others.empty() ? "" : " at " + fit.others) + ", " +
                       bytes(fit.bytes);
    if (fit.largest < 1)
      text = "no " + fit.dim + (fit.others.empty() ? "" : " at " + fit.others) +
             " fits";
    if (fit.next)
      text += "; " + fit.dim + "=" + std::to_string(fit.next) +
              (fit.nextBytes ? " takes at least " + bytes(fit.nextBytes)
                             : ": " + fit.reason);
    say("largest", text);
  }
  sayNumerics(report);
  bool first = true;
  for (const Advice &advice : report.advice) {
    char share[48];
    std::snprintf(share, sizeof share, "  %+.1f%% time",
                  100 * (advice.seconds / std::max(report.seconds, 1e-12) - 1));
    say(first ? (report.fits ? "faster" : "would fit") : "",
        advice.what + ": " + bytes(advice.bytes) +
            (advice.seconds > 0 ? share : "") + "  (" + advice.numerics +
            (report.fits || advice.fits ? "" : ", still too large") + ")  " +
            advice.how);
    first = false;
  }
  std::string functions;
  for (const Function &function : report.functions)
    functions += (functions.empty() ? "" : " | ") + function.name + " " +
                 bytes(function.totalBytes);
  std::string still = bytes(report.stateBytes + report.constantBytes);
  functions += " | load " + still + " | save " + still;
  say("functions", functions);
  say("host",
      "checkpoint " + bytes(report.checkpointBytes) + ", loaded through " +
          bytes(report.stagingBytes) + ", pinned " + bytes(report.pinnedBytes) +
          (report.hostBytes ? ", offloaded " + bytes(report.hostBytes) : ""));
  char error[32];
  std::snprintf(error, sizeof error, " (+-%.0f%%): ", 100 * report.error);
  say("time", seconds(report.seconds) + " a step, estimated" + error +
                  report.times +
                  (report.times == "roofline" ? ", nothing measured" : ""));
  for (const std::string &note : report.notes)
    say("note", note);
}

void tarn::cli::printReport(const Report &report) {
  sayHead(report);
  sayRows(report);
  sayPeak(report);
  sayLadder(report);
  sayRest(report);
}

void tarn::cli::printComparison(const Comparison &comparison) {
  say("before", comparison.before);
  say("after", comparison.after);
  char time[80];
  std::snprintf(time, sizeof time, "%s -> %s (%+.1f%%), estimated",
                seconds(comparison.secondsBefore).c_str(),
                seconds(comparison.secondsAfter).c_str(),
                100 * (comparison.secondsAfter /
                           std::max(comparison.secondsBefore, 1e-12) -
                       1));
  say("time", time);
  std::string group;
  size_t shown = 0;
  for (const Difference &row : comparison.rows) {
    if (row.group != group) {
      printLine("");
      char head[96];
      std::snprintf(head, sizeof head, " %-36s %12s %12s %13s",
                    row.group == "all" ? "" : ("by " + row.group).c_str(),
                    "before", "after", "difference");
      printLine(head);
      group = row.group;
      shown = 0;
    }
    // The rows that tell; all of them are in the JSON.
    if (row.group != "all" && (row.before == row.after || ++shown > 8))
      continue;
    std::string name = row.name.size() <= 35
                           ? row.name
                           : "..." + row.name.substr(row.name.size() - 32);
    int64_t change = row.after - row.before;
    std::string difference =
        change ? (change < 0 ? "-" : "+") + bytes(std::abs(change)) : "=";
    char line[128];
    std::snprintf(line, sizeof line, " %-36s %12s %12s %13s", name.c_str(),
                  bytes(row.before).c_str(), bytes(row.after).c_str(),
                  difference.c_str());
    printLine(line);
  }
}
