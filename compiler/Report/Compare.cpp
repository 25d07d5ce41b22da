//===- Compare.cpp - two plans side by side -------------------------------===//

#include "compiler/Report/Compare.h"

#include <algorithm>
#include <map>

using namespace tarn;
using namespace tarn::report;
using rt::Json;

using Sums = std::map<std::string, int64_t>;

static Sums sumsOf(const std::vector<Row> &rows) {
  Sums sums;
  for (const Row &row : rows)
    sums[row.name] += row.bytes;
  return sums;
}

/// The peak by lines of the model: what the arena holds at its fullest step,
/// and the rest by its space.
static Sums linesOf(const Report &report) {
  Sums sums;
  int64_t left = report.arenaBytes;
  if (report.peakFunction < report.functions.size()) {
    const Function &most = report.functions[report.peakFunction];
    for (const Tensor &tensor : most.tensors)
      if (tensor.space == "arena" && tensor.first <= most.fullestStep &&
          most.fullestStep <= tensor.last) {
        size_t slash = tensor.place.file.rfind('/');
        std::string line = tensor.place.line
                               ? tensor.place.file.substr(slash + 1) + ":" +
                                     std::to_string(tensor.place.line)
                               : "(no line)";
        sums[line] += tensor.bytes;
        left -= tensor.bytes;
      }
  }
  sums["(gaps)"] += left;
  sums["(state)"] = report.stateBytes;
  sums["(constants)"] = report.constantBytes;
  sums["(inputs)"] = report.inputBytes;
  sums["(outputs)"] = report.outputBytes;
  return sums;
}

static std::string nameOf(const Report &report) {
  std::string name = report.model + " " + report.precision;
  for (const auto &[dim, extent] : report.shape)
    name += " " + dim + "=" + std::to_string(extent);
  return name + " " + report.device.target +
         (report.chosen.empty() ? "" : ", " + report.chosen);
}

static void add(const char *group, const Sums &before, const Sums &after,
                std::vector<Difference> &rows) {
  std::map<std::string, Difference> all;
  for (const auto &[name, bytes] : before)
    all[name].before = bytes;
  for (const auto &[name, bytes] : after)
    all[name].after = bytes;
  std::vector<Difference> list;
  for (auto &[name, difference] : all) {
    difference.group = group;
    difference.name = name;
    if (difference.before || difference.after)
      list.push_back(difference);
  }
  auto change = [](const Difference &difference) {
    return std::abs(difference.after - difference.before);
  };
  std::sort(
      list.begin(), list.end(), [&](const Difference &x, const Difference &y) {
        return std::pair(change(y), x.name) < std::pair(change(x), y.name);
      });
  rows.insert(rows.end(), list.begin(), list.end());
}

Comparison tarn::report::compare(const Report &before, const Report &after) {
  Comparison comparison;
  comparison.before = nameOf(before);
  comparison.after = nameOf(after);
  comparison.secondsBefore = before.seconds;
  comparison.secondsAfter = after.seconds;
  auto one = [&](const char *name, int64_t Report::*figure) {
    comparison.rows.push_back({"all", name, before.*figure, after.*figure});
  };
  one("peak", &Report::peakBytes);
  one("state", &Report::stateBytes);
  one("arena", &Report::arenaBytes);
  one("inputs", &Report::inputBytes);
  one("outputs", &Report::outputBytes);
  one("constants", &Report::constantBytes);
  one("smallest budget", &Report::leastBytes);
  one("host", &Report::hostBytes);
  one("checkpoint", &Report::checkpointBytes);
  add("role", sumsOf(before.byRole), sumsOf(after.byRole), comparison.rows);
  add("layer", sumsOf(before.byLayer), sumsOf(after.byLayer), comparison.rows);
  add("op", sumsOf(before.byOp), sumsOf(after.byOp), comparison.rows);
  add("line", linesOf(before), linesOf(after), comparison.rows);
  return comparison;
}

Json tarn::report::toJson(const Comparison &comparison) {
  Json out = Json::object(), rows = Json::array();
  out.set("tarn_comparison", 1);
  out.set("before", comparison.before);
  out.set("after", comparison.after);
  out.set("seconds_before", comparison.secondsBefore);
  out.set("seconds_after", comparison.secondsAfter);
  for (const Difference &difference : comparison.rows) {
    Json row = Json::object();
    row.set("group", difference.group);
    row.set("name", difference.name);
    row.set("before", difference.before);
    row.set("after", difference.after);
    row.set("difference", difference.after - difference.before);
    rows.push(std::move(row));
  }
  out.set("rows", std::move(rows));
  return out;
}
