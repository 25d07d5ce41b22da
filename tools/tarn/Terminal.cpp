//===- Terminal.cpp - how figures and progress are printed ----------------===//

#include "tools/tarn/Terminal.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace tarn::cli;

/// printf into a string.
template <typename... Args>
static std::string format(const char *text, Args... args) {
  std::array<char, 64> buffer;
  std::snprintf(buffer.data(), buffer.size(), text, args...);
  return buffer.data();
}

std::string tarn::cli::formatBytes(uint64_t bytes) {
  static constexpr const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = bytes;
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0)
    return format("%.0f B", value);
  int digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return format("%.*f %s", digits, value, units[unit]);
}

std::string tarn::cli::formatCount(uint64_t count) {
  std::string digits = std::to_string(count);
  for (int at = int(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(at, ",");
  return digits;
}

std::string tarn::cli::formatSeconds(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9)
    return "?";
  if (seconds < 10)
    return format("%.2fs", seconds);
  int64_t whole = std::llround(seconds);
  if (whole < 60)
    return format("%llds", (long long)whole);
  if (whole < 3600)
    return format("%lldm%02llds", (long long)whole / 60, (long long)whole % 60);
  return format("%lldh%02lldm", (long long)whole / 3600,
                (long long)whole / 60 % 60);
}

std::string tarn::cli::formatRate(double perSecond) {
  if (perSecond < 1e3)
    return format("%.0f", perSecond);
  if (perSecond < 1e6)
    return format(perSecond < 1e4 ? "%.1fk" : "%.0fk", perSecond / 1e3);
  return format("%.2fM", perSecond / 1e6);
}

ProgressLine::ProgressLine(bool enabled)
    : enabled(enabled && isatty(STDERR_FILENO)) {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10)
    columns = size.ws_col;
}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::show(const std::string &text) {
  if (!enabled)
    return;
  std::fprintf(stderr, "\r\033[K%.*s", columns - 1, text.c_str());
  std::fflush(stderr);
  shown = true;
}

void ProgressLine::clear() {
  if (shown)
    std::fprintf(stderr, "\r\033[K");
  shown = false;
}

void tarn::cli::printError(const std::string &message,
                           const std::string &help) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  if (!help.empty())
    std::fprintf(stderr, "help: %s\n", help.c_str());
}
