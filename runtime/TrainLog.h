//===- TrainLog.h - What a step reports, and its log -----------*- C++ -*-===//
#ifndef TARN_RUNTIME_TRAINLOG_H
#define TARN_RUNTIME_TRAINLOG_H

#include "runtime/Status.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tarn::rt {

/// Figures of one finished step.
struct StepReport {
  int64_t step = 0; ///< counted from 1
  double loss = 0;
  std::optional<double> gradientNorm, rate;
  std::vector<std::pair<std::string, double>> metrics;
  std::optional<double> validationLoss;
  uint64_t tokens = 0;    ///< of this step
  double seconds = 0;     ///< of this step, without reading data
  double dataSeconds = 0; ///< reading data
  std::string checkpoint; ///< written after this step, or ""
};

/// One line of the log: a JSON object.
std::string logLine(const StepReport &report);

/// FOLDER/log.jsonl: one line a step, complete lines only.
class TrainLog {
public:
  /// Opens the log and drops lines of steps after `step` and a line that a
  /// killed process left unfinished.
  static Result<TrainLog> open(const std::string &folder, int64_t step);
  /// Appends a line.
  Status add(const StepReport &report);

private:
  struct Close {
    void operator()(FILE *file) const { std::fclose(file); }
  };
  std::unique_ptr<FILE, Close> file;
  std::string path;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_TRAINLOG_H
