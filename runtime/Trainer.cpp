//===- Trainer.cpp - The training loop ------------------------------------===//

#include "runtime/Trainer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace tarn::rt;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static std::string numberText(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

Result<std::unique_ptr<Trainer>> Trainer::create(Session &session,
                                                 const Dataset &data,
                                                 const TrainOptions &options) {
  std::optional<size_t> train = session.findKind("train");
  if (!train)
    return Status(Code::NotFound, "the artifact has no function to train with");
  Result<Feed> feed = Feed::create(session.functions()[*train]);
  if (!feed.ok())
    return feed.status();
  if (feed->output("loss") < 0)
    return Status(Code::Invalid,
                  "`" + session.functions()[*train].name + "` has no loss");
  if (Status status = data.checkWindow(feed->window()); !status.ok())
    return status;
  std::unique_ptr<Trainer> trainer(
      new Trainer(session, data, options, feed.take()));
  trainer->trainIndex = *train;
  if (std::optional<size_t> evaluate = session.findKind("eval")) {
    trainer->evaluateIndex = *evaluate;
    Result<Feed> evaluation = Feed::create(session.functions()[*evaluate]);
    if (evaluation.ok() && evaluation->output("loss") >= 0)
      trainer->evaluation = evaluation.take();
    else if (options.validateEvery > 0)
      return evaluation.ok()
                 ? Status(Code::Invalid, "the eval function has no loss")
                 : evaluation.status();
  } else if (options.validateEvery > 0) {
    return Status(Code::NotFound, "the artifact has no eval function");
  }
  return trainer;
}

Status Trainer::start() {
  if (!options.folder.empty()) {
    if (!listCheckpoints(options.folder).empty())
      return Status(Code::BadArgument,
                    "`" + options.folder +
                        "` already has checkpoints: resume it or choose "
                        "another folder");
    if (Status status = makeFolders(options.folder); !status.ok())
      return status;
    removeStaleTemporaries(options.folder);
    // Opened at step -1: nothing of an older run's log stays.
    Result<TrainLog> log = TrainLog::open(options.folder, -1);
    if (!log.ok())
      return log.status();
    file = log.take();
  }
  done = 0;
  filledStep = -1;
  return session.initialize(options.seed);
}

/// What a checkpoint must say beyond the state for an exact continuation.
Metadata Trainer::position() const {
  return {{"seed", std::to_string(options.seed)},
          {"data", data.fingerprint()},
          {"data_step", std::to_string(done)}};
}

Result<CheckpointInfo> Trainer::resume(const std::string &path) {
  Result<std::string> found = findCheckpoint(path);
  if (!found.ok())
    return found.status();
  // Before the state changes: the header alone answers this.
  Result<SafetensorsFile> header = SafetensorsFile::open(*found);
  if (!header.ok())
    return header.status();
  const std::string *print = header->index().text("data");
  bool other = print && *print != data.fingerprint();
  if (other && !options.allowOtherData) {
    // Damage is the better explanation if there is some.
    if (Status status = verifyCheckpoint(*header); !status.ok())
      return status.within("`" + *found + "`");
    return Status(Code::Mismatch, "`" + *found +
                                      "` was trained on other data than those "
                                      "given now");
  }
  Result<CheckpointInfo> info = loadCheckpoint(session, *found);
  if (!info.ok())
    return info.status();
  done = info->step;
  filledStep = -1;
  if (std::string seed = info->text("seed"); !seed.empty())
    options.seed = std::strtoull(seed.c_str(), nullptr, 10);
  if (!options.folder.empty()) {
    if (Status status = makeFolders(options.folder); !status.ok())
      return status;
    removeStaleTemporaries(options.folder);
    Result<TrainLog> log = TrainLog::open(options.folder, done);
    if (!log.ok())
      return log.status();
    file = log.take();
  }
  return info;
}

/// The batch of a step, unless it is there already.
Status Trainer::fill(int64_t step) {
  if (filledStep == step)
    return {};
  filledStep = -1;
  std::vector<int32_t> window(feed.window());
  for (uint64_t row = 0; row < feed.rows(); ++row) {
    if (Status status = data.sample(options.seed, static_cast<uint64_t>(step),
                                    row, window.size(), window.data());
        !status.ok())
      return status;
    feed.setRow(row, window.data());
  }
  filledStep = step;
  return {};
}

Result<StepReport> Trainer::step() {
  StepReport report;
  double begin = now();
  if (Status status = fill(done); !status.ok())
    return status;
  double filled = now();
  report.dataSeconds = filled - begin;
  Status status = session.start(trainIndex, feed.inputs());
  if (!status.ok())
    return status;
  // The batch is the session's now; a GPU works on it while the next is read.
  if (done + 1 < options.steps && session.target().kind == TargetKind::Cuda)
    status = fill(done + 1);
  Status finished = session.finish(feed.outputs());
  if (!finished.ok() || !status.ok())
    return finished.ok() ? status : finished;
  report.seconds = now() - filled;
  report.step = done + 1;
  report.tokens = tokensPerStep();
  const std::vector<TensorDesc> &outputs = trainFunction().outputs;
  int loss = feed.output("loss"), finite = feed.output("finite"),
      norm = feed.output("grad_norm"), rate = feed.output("rate");
  report.loss = feed.scalar(loss);
  if (norm >= 0)
    report.gradientNorm = feed.scalar(norm);
  if (rate >= 0)
    report.rate = feed.scalar(rate);
  for (int i = 0; i < static_cast<int>(outputs.size()); ++i)
    if (i != loss && i != finite && i != norm && i != rate &&
        outputs[i].shape.empty())
      report.metrics.emplace_back(outputs[i].name, feed.scalar(i));
  if (finite >= 0 && feed.scalar(finite) == 0) {
    // Whoever looks for the reason finds the inputs of this step.
    if (status = fill(done); !status.ok())
      return status;
    return Status(
        Code::NotFinite,
        "step " + std::to_string(report.step) + " is not finite: loss " +
            numberText(report.loss) +
            (norm >= 0 ? ", gradient norm " + numberText(*report.gradientNorm)
                       : "") +
            "; the state was not updated and is that of step " +
            std::to_string(done));
  }
  ++done;
  return report;
}

Result<double> Trainer::validate() {
  if (!evaluation)
    return Status(Code::NotFound, "the artifact has no eval function");
  // No more windows than fit without overlap, but whole batches.
  uint64_t held = data.heldOutTokens() ? data.heldOutTokens() : data.tokens();
  uint64_t fit = held / evaluation->length() / evaluation->rows();
  uint64_t wanted = options.validateBatches > 0
                        ? static_cast<uint64_t>(options.validateBatches)
                        : fit;
  uint64_t batches = std::max<uint64_t>(1, std::min(wanted, fit));
  uint64_t windows = batches * evaluation->rows();
  std::vector<int32_t> window(evaluation->window());
  double sum = 0;
  for (uint64_t batch = 0; batch < batches; ++batch) {
    for (uint64_t row = 0; row < evaluation->rows(); ++row) {
      if (Status status = data.heldOut(batch * evaluation->rows() + row,
                                       windows, window.size(), window.data());
          !status.ok())
        return status;
      evaluation->setRow(row, window.data());
    }
    if (Status status = session.run(evaluateIndex, evaluation->inputs(),
                                    evaluation->outputs());
        !status.ok())
      return status;
    sum += evaluation->scalar(evaluation->output("loss"));
  }
  return sum / static_cast<double>(batches);
}

Result<std::string> Trainer::save() {
  Result<std::string> path =
      saveCheckpoint(session, options.folder, done, position());
  if (path.ok() && options.keepCheckpoints)
    pruneCheckpoints(options.folder, options.keepCheckpoints);
  return path;
}

Result<Trainer::Outcome> Trainer::run(const Progress &progress,
                                      const std::atomic<bool> *stop) {
  Outcome outcome;
  outcome.step = done;
  const int64_t begin = done;
  int64_t saved = -1;
  auto every = [&](int64_t interval) {
    return interval > 0 && done % interval == 0;
  };
  while (done < options.steps) {
    if (stop && stop->load())
      break;
    Result<StepReport> report = step();
    if (!report.ok())
      return report.status();
    outcome.step = done;
    bool last = done >= options.steps || (stop && stop->load());
    if (canValidate() &&
        (every(options.validateEvery) || (options.validateEvery > 0 && last))) {
      Result<double> loss = validate();
      if (!loss.ok())
        return loss.status();
      report->validationLoss = outcome.validationLoss = *loss;
    }
    if (!options.folder.empty() && (every(options.checkpointEvery) || last)) {
      Result<std::string> path = save();
      if (!path.ok())
        return path.status();
      report->checkpoint = outcome.checkpoint = *path;
      saved = done;
    }
    if (file)
      if (Status status = file->add(*report); !status.ok())
        return status;
    if (progress)
      progress(*report);
  }
  outcome.stopped = done < options.steps;
  // Stopped between two steps: the last one is not saved yet.
  if (outcome.stopped && done > begin && done != saved &&
      !options.folder.empty()) {
    Result<std::string> path = save();
    if (!path.ok())
      return path.status();
    outcome.checkpoint = *path;
  }
  return outcome;
}
