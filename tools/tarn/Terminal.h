//===- Terminal.h - how figures and progress are printed --------*- C++ -*-===//

#ifndef TOOLS_TARN_TERMINAL_H
#define TOOLS_TARN_TERMINAL_H

#include <cstdint>
#include <string>

namespace tarn::cli {

/// `1.50 MiB`: bytes with a binary unit, three significant digits.
std::string formatBytes(uint64_t bytes);

/// `124,439,808`: a count with separators.
std::string formatCount(uint64_t count);

/// `8m39s`, `41s`, `0.42s`: a duration for people.
std::string formatSeconds(double seconds);

/// `90k`, `1.2M`: a rate with two or three digits.
std::string formatRate(double perSecond);

/// One line on stderr that is written over again, on a terminal only; silent
/// elsewhere, so that logs hold no control characters.
class ProgressLine {
public:
  /// `enabled` false silences it even on a terminal.
  explicit ProgressLine(bool enabled);
  ~ProgressLine();
  /// Replaces the line (cut to the terminal's width).
  void show(const std::string &text);
  /// Removes the line, so that ordinary output may follow.
  void clear();

private:
  bool enabled;
  bool shown = false;
  int columns = 80;
};

/// Prints `error: MESSAGE` (and `help: HELP`) to stderr.
void printError(const std::string &message, const std::string &help = "");

} // namespace tarn::cli

#endif // TOOLS_TARN_TERMINAL_H
