//===- Condition.cpp - `--assert 'peak<=22GiB'` ---------------------------===//

#include "compiler/Report/Condition.h"

#include <charconv>

using namespace tarn;
using namespace tarn::report;

static const char *const figures[] = {
    "peak",       "arena",     "state",      "inputs",  "outputs",
    "host",       "time",      "least",      "bound",   "driver",
    "checkpoint", "weights",   "optimizer",  "saved",   "logits",
    "cache",      "gradients", "recomputed", "scratch", "constants"};

static std::string trimmed(const std::string &text) {
  size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

/// `22GiB` or `15ms`, by what is compared; negative where it is none.
static double quantity(const std::string &text, bool isTime) {
  static const std::pair<const char *, double> bytes[] = {
      {"", 1},         {"B", 1},       {"kB", 1e3},     {"MB", 1e6},
      {"GB", 1e9},     {"TB", 1e12},   {"KiB", 0x1p10}, {"MiB", 0x1p20},
      {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  static const std::pair<const char *, double> times[] = {
      {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"min", 60}};
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit = trimmed(std::string(end, text.data() + text.size()));
  if (error != std::errc() || number < 0)
    return -1;
  auto in = [&](const auto &units) {
    for (const auto &[name, factor] : units)
      if (unit == name)
        return number * factor < 0x1p62 ? number * factor : -1.0;
    return -1.0;
  };
  return isTime ? in(times) : in(bytes);
}

rt::Result<Condition> tarn::report::parseCondition(const std::string &text) {
  auto wrong = [&](const std::string &why) {
    return rt::Status(rt::Code::BadArgument, "`" + text + "`: " + why);
  };
  size_t at = text.find_first_of("<>=");
  if (at == std::string::npos)
    return wrong("a condition compares, as peak<=22GiB");
  size_t end = text.find_first_not_of("<>=", at);
  std::string sign = text.substr(at, end == std::string::npos ? end : end - at);
  Condition condition;
  condition.text = text;
  condition.figure = trimmed(text.substr(0, at));
  using Compare = Condition::Compare;
  if (sign == "<")
    condition.compare = Compare::less;
  else if (sign == "<=")
    condition.compare = Compare::atMost;
  else if (sign == ">")
    condition.compare = Compare::more;
  else if (sign == ">=")
    condition.compare = Compare::atLeast;
  else if (sign == "==" || sign == "=")
    condition.compare = Compare::equal;
  else
    return wrong("`" + sign + "` is no comparison");
  std::string known;
  bool found = false;
  for (const char *figure : figures) {
    found |= condition.figure == figure;
    known += (known.empty() ? "" : ", ") + std::string(figure);
  }
  if (!found)
    return wrong("no figure is called `" + condition.figure + "`; there are " +
                 known);
  std::string value = end == std::string::npos ? "" : trimmed(text.substr(end));
  condition.value = quantity(value, condition.isTime());
  if (condition.value < 0)
    return wrong("`" + value + "` is no " +
                 (condition.isTime() ? "time, such as 1.5s or 20ms"
                                     : "number of bytes, such as 22GiB"));
  return condition;
}

double tarn::report::figureOf(const Report &report, const std::string &figure) {
  const std::pair<const char *, double> known[] = {
      {"peak", double(report.peakBytes)},
      {"arena", double(report.arenaBytes)},
      {"state", double(report.stateBytes)},
      {"inputs", double(report.inputBytes)},
      {"outputs", double(report.outputBytes)},
      {"host", double(report.hostBytes)},
      {"checkpoint", double(report.checkpointBytes)},
      {"least", double(report.leastBytes)},
      {"bound", double(report.boundBytes)},
      {"driver", double(report.device.driverBytes)},
      {"time", report.seconds}};
  for (const auto &[name, value] : known)
    if (figure == name)
      return value;
  for (const Row &row : report.byRole)
    if (row.name == figure)
      return double(row.bytes);
  return 0;
}

bool tarn::report::holds(const Condition &condition, double figure) {
  switch (condition.compare) {
  case Condition::Compare::less:
    return figure < condition.value;
  case Condition::Compare::atMost:
    return figure <= condition.value;
  case Condition::Compare::more:
    return figure > condition.value;
  case Condition::Compare::atLeast:
    return figure >= condition.value;
  case Condition::Compare::equal:
    return figure == condition.value;
  }
  return false;
}
