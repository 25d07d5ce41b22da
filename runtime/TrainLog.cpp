//===- TrainLog.cpp - What a step reports, and its log --------------------===//

#include "runtime/TrainLog.h"

#include "runtime/File.h"
#include "runtime/Json.h"

#include <cerrno>

using namespace tarn::rt;

static constexpr uint64_t logLimit = uint64_t(1) << 32;

std::string tarn::rt::logLine(const StepReport &report) {
  Json line = Json::object();
  line.set("step", report.step);
  line.set("loss", report.loss);
  if (report.validationLoss)
    line.set("validation_loss", *report.validationLoss);
  if (report.gradientNorm)
    line.set("gradient_norm", *report.gradientNorm);
  if (report.rate)
    line.set("rate", *report.rate);
  for (const auto &[name, value] : report.metrics)
    if (!line.find(name))
      line.set(name, value);
  line.set("tokens", report.tokens);
  line.set("seconds", report.seconds);
  line.set("data_seconds", report.dataSeconds);
  if (!report.checkpoint.empty())
    line.set("checkpoint", report.checkpoint);
  return line.dump() + "\n";
}

/// The lines of `text` that end, are JSON, and are of steps up to `last`.
static std::string keptLines(const std::string &text, int64_t last) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos)
      break;
    std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    Result<Json> json = parseJson(line);
    if (!json.ok())
      continue;
    const Json *step = json->find("step");
    if (step && step->isInt() && step->asInt() <= last)
      kept.append(line).push_back('\n');
  }
  return kept;
}

Result<TrainLog> TrainLog::open(const std::string &folder, int64_t step) {
  TrainLog log;
  log.path = folder + "/log.jsonl";
  if (isFile(log.path)) {
    Result<std::string> text = readFile(log.path, logLimit);
    if (!text.ok())
      return text.status();
    std::string kept = keptLines(*text, step);
    if (kept != *text)
      if (Status status = writeFile(log.path, kept); !status.ok())
        return status;
  }
  log.file.reset(std::fopen(log.path.c_str(), "ae"));
  if (!log.file)
    return ioError("cannot write", log.path, errno);
  return Result<TrainLog>(std::move(log));
}

Status TrainLog::add(const StepReport &report) {
  std::string line = logLine(report);
  if (std::fwrite(line.data(), 1, line.size(), file.get()) != line.size() ||
      std::fflush(file.get()) != 0)
    return ioError("cannot write", path, errno);
  return {};
}
