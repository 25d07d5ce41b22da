//===- Train.cpp - `tarn train` -------------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Replay.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Data.h"
#include "runtime/Parameters.h"
#include "runtime/Trainer.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

using namespace tarn;
using namespace tarn::cli;

namespace {
std::atomic<bool> stopRequested = false;
} // namespace

/// The first Ctrl-C finishes the step and saves; a second one ends at once.
static void onInterrupt(int) {
  if (stopRequested.exchange(true))
    _exit(130);
}

/// `runs/gpt2-3`: the first folder of the model that is not there yet.
static std::string freshFolder(const std::string &model) {
  std::string stem = std::filesystem::path(model).stem().string();
  for (int i = 1;; ++i) {
    std::string folder = "runs/" + stem + "-" + std::to_string(i);
    std::error_code ignored;
    if (!std::filesystem::exists(folder, ignored))
      return folder;
  }
}

/// What a run was started with, so that --resume needs only the folder: the
/// artifact itself lies beside the checkpoints, and the words of the command
/// line that chose data and steps.
static std::string settingsText(const TrainOptions &options,
                                const ModelOptions &model,
                                const std::vector<std::string> &data) {
  rt::Json json = rt::Json::object();
  std::error_code ignored;
  json.set("model", std::filesystem::absolute(model.model, ignored).string());
  rt::Json set = rt::Json::object(), shape = rt::Json::object();
  for (auto &[name, value] : model.set)
    set.set(name, value);
  for (auto &[name, value] : model.shape)
    shape.set(name, value);
  json.set("set", std::move(set));
  json.set("shape", std::move(shape));
  rt::Json files = rt::Json::array();
  for (const std::string &file : data)
    files.push(file);
  json.set("data", std::move(files));
  json.set("token_bytes", options.tokenBytes);
  json.set("steps", options.steps);
  json.set("eval_every", options.evalEvery);
  json.set("eval_batches", options.evalBatches);
  json.set("save_every", options.saveEvery);
  json.set("held_out", options.heldOut);
  return json.dump() + "\n";
}

/// Takes what the command line leaves open from the run's own settings.
static bool readSettings(const std::string &folder, TrainOptions &options,
                         ModelOptions &source, bool keepSteps) {
  std::vector<char> bytes;
  std::string error;
  if (!readWhole(folder + "/settings.json", bytes, error))
    return false;
  auto json = rt::parseJson({bytes.data(), bytes.size()});
  if (!json.ok() || !json->isObject())
    return false;
  auto integer = [&](const char *name, int64_t &value) {
    if (const rt::Json *found = json->find(name); found && found->isInt())
      value = found->asInt();
  };
  // What the artifact was made from, to explain a step that fails.
  if (const rt::Json *model = json->find("model"); model && model->isString())
    source.model = model->asString();
  if (const rt::Json *set = json->find("set"); set && set->isObject())
    for (auto &[name, value] : set->asObject())
      if (value.isString())
        source.set[name] = value.asString();
  if (const rt::Json *shape = json->find("shape"); shape && shape->isObject())
    for (auto &[name, value] : shape->asObject())
      if (value.isInt())
        source.shape[name] = value.asInt();
  if (options.data.empty())
    if (const rt::Json *files = json->find("data"); files && files->isArray())
      for (const rt::Json &file : files->asArray())
        if (file.isString())
          options.data.push_back(file.asString());
  integer("token_bytes", options.tokenBytes);
  if (!keepSteps)
    integer("steps", options.steps);
  integer("eval_every", options.evalEvery);
  integer("eval_batches", options.evalBatches);
  integer("save_every", options.saveEvery);
  if (const rt::Json *part = json->find("held_out"); part && part->isNumber())
    options.heldOut = part->asDouble();
  return true;
}

/// The progress line: `step 1200/5000  loss 3.412  val 3.498 ...`.
static std::string describe(const rt::StepReport &step, int64_t steps,
                            double validation, double seconds,
                            int64_t sinceStart) {
  char text[160];
  double rate = seconds > 0 ? double(step.tokens) / seconds : 0;
  std::string eta = formatSeconds(double(steps - step.step) * seconds);
  std::snprintf(text, sizeof text, " step %lld/%lld  loss %.3f",
                (long long)step.step, (long long)steps, step.loss);
  std::string line = text;
  if (validation >= 0) {
    std::snprintf(text, sizeof text, "  val %.3f", validation);
    line += text;
  }
  if (step.gradientNorm) {
    std::snprintf(text, sizeof text, "  grad %.2f", *step.gradientNorm);
    line += text;
  }
  if (step.rate) {
    std::snprintf(text, sizeof text, "  lr %.1e", *step.rate);
    line += text;
  }
  (void)sinceStart;
  return line + "  " + formatRate(rate) + " tok/s  eta " + eta;
}

int tarn::cli::runTrain(const Invocation &in) {
  TrainOptions options = in.train;
  ModelOptions model = in.model, source = in.model;
  bool resuming = !options.resume.empty();
  std::string folder = options.out;
  if (resuming) {
    folder = options.resume;
    if (!model.model.empty()) {
      printError("--resume goes on with the run's own model",
                 "leave MODEL out, or start a new run without --resume");
      return usageError;
    }
    bool stepsGiven = false;
    for (const std::string &word : in.words)
      stepsGiven |= word.rfind("--steps", 0) == 0;
    source = {};
    if (!readSettings(folder, options, source, stepsGiven)) {
      printError("`" + folder + "` is no run: it has no settings.json",
                 "--resume takes the folder that `tarn train` wrote");
      return userError;
    }
    model.model = folder + "/model.art";
  }
  if (model.model.empty()) {
    printError("tarn train needs a model", "tarn train MODEL DATA");
    return usageError;
  }
  if (options.data.empty()) {
    printError("tarn train needs data", "tarn train MODEL DATA");
    return usageError;
  }
  std::vector<char> bytes;
  double compileSeconds = 0;
  if (int code = obtainArtifact(model, bytes, compileSeconds))
    return code;
  auto loaded = rt::Model::parse(bytes.data(), bytes.size());
  if (!loaded.ok())
    return reportRuntimeError(loaded.status());
  rt::SessionOptions sessionOptions;
  sessionOptions.threads = unsigned(options.threads);
  sessionOptions.profile = options.profile;
  auto session = rt::Session::create(*loaded, sessionOptions);
  if (!session.ok())
    return reportRuntimeError(session.status());
  const rt::Manifest &manifest = (*session)->manifest();

  rt::DataOptions dataOptions;
  if (options.tokenBytes == 4)
    dataOptions.format = rt::DataFormat::Tokens32;
  if (const rt::Json *vocab = manifest.hyper.find("vocab"))
    if (vocab->isInt())
      dataOptions.vocabulary = vocab->asInt();
  dataOptions.heldOutPart =
      options.heldOut > 0 ? uint64_t(1 / options.heldOut + 0.5) : 0;
  auto data = rt::Dataset::open(options.data, dataOptions);
  if (!data.ok())
    return reportRuntimeError(data.status());

  if (folder.empty())
    folder = freshFolder(model.model);
  rt::TrainOptions train;
  train.steps = options.steps;
  train.seed = options.seed;
  train.folder = folder;
  train.checkpointEvery = options.saveEvery;
  train.keepCheckpoints = 3;
  train.validateEvery = options.evalEvery;
  train.validateBatches = options.evalBatches;
  auto trainer = rt::Trainer::create(**session, *data, train);
  if (!trainer.ok())
    return reportRuntimeError(trainer.status());
  if (resuming) {
    auto info = (*trainer)->resume(folder);
    if (!info.ok())
      return reportRuntimeError(info.status());
    if (!in.output.quiet)
      for (const std::string &note : info->notes)
        std::fprintf(stderr, "note: %s\n", note.c_str());
  } else {
    if (rt::Status status = (*trainer)->start(); !status.ok())
      return reportRuntimeError(status,
                                "--resume " + folder + " goes on with it");
    std::error_code code;
    std::filesystem::create_directories(folder, code);
    std::string error, settings = settingsText(options, source, options.data);
    std::vector<char> text(settings.begin(), settings.end());
    if (!writeWhole(folder + "/model.art", bytes, error) ||
        !writeWhole(folder + "/settings.json", text, error)) {
      printError(error);
      return userError;
    }
    if (!options.params.empty()) {
      auto weights = rt::loadParameters(**session, options.params);
      if (!weights.ok())
        return reportRuntimeError(weights.status());
      if (!in.output.quiet)
        std::fprintf(stderr,
                     " params  %zu loaded, %zu missing, %zu not expected\n",
                     weights->matched.size(), weights->missing.size(),
                     weights->unexpected.size());
    }
  }
  if (!in.output.quiet && !in.output.json) {
    uint64_t parameters = 0;
    for (const rt::TensorDesc &tensor : manifest.state)
      if (tensor.role == "parameter")
        parameters += rt::elementCount(tensor.shape).value_or(0);
    if (!(*session)->notOnGpu().empty())
      std::fprintf(stderr, "note: not on a GPU: %s\n",
                   (*session)->notOnGpu().c_str());
    for (const std::string &note : (*session)->notes())
      std::fprintf(stderr, "note: %s\n", note.c_str());
    std::printf(" %s  %s parameters  %s  %s  %s tokens\n",
                manifest.model.c_str(), formatCount(parameters).c_str(),
                (*session)->target().isa.c_str(),
                (*session)->describeDevice().c_str(),
                formatCount(data->tokens()).c_str());
    if (compileSeconds > 0)
      std::printf(" compiled in %s\n", formatSeconds(compileSeconds).c_str());
    std::printf(" memory %s%s\n",
                formatBytes(uint64_t(plannedBytes(manifest))).c_str(),
                describeLimit(model).c_str());
    std::fflush(stdout);
  }

  struct sigaction action{};
  action.sa_handler = onInterrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  double validation = -1, smooth = 0;
  int64_t first = (*trainer)->stepsDone();
  auto outcome = (*trainer)->run(
      [&](const rt::StepReport &step) {
        double seconds = step.seconds + step.dataSeconds;
        smooth = smooth == 0 ? seconds : 0.95 * smooth + 0.05 * seconds;
        if (step.validationLoss)
          validation = *step.validationLoss;
        std::string line = describe(step, options.steps, validation, smooth,
                                    step.step - first);
        if (step.validationLoss && !in.output.quiet && !in.output.json) {
          // Milestones stay; the line below them moves.
          progress.clear();
          std::printf("%s\n", line.c_str());
          std::fflush(stdout);
        } else if (step.step % options.logEvery == 0) {
          progress.show(line);
        }
      },
      &stopRequested);
  progress.clear();
  if (!outcome.ok() && outcome.status().code() == rt::Code::NotFinite)
    explainNotFinite(source, **session, **trainer);
  if (!outcome.ok())
    return reportRuntimeError(
        outcome.status(),
        outcome.status().code() == rt::Code::NotFinite
            ? "the state is that of the step before; a lower rate or "
              "a clip may help"
            : "");
  if (options.profile && !in.output.json)
    printProfile(profileOf(**session));
  if (in.output.json)
    std::printf("{\"step\":%lld,\"val\":%.5f,\"run\":\"%s\",\"hash\":\"%s\"}\n",
                (long long)outcome->step, outcome->validationLoss.value_or(-1),
                folder.c_str(), rt::toHex((*session)->weightHash()).c_str());
  else if (!in.output.quiet)
    std::printf(" %s step %lld, saved %s\n%s",
                outcome->stopped ? "finished" : "done at",
                (long long)outcome->step, outcome->checkpoint.c_str(),
                outcome->stopped
                    ? (" resume: tarn train --resume " + folder + "\n").c_str()
                    : "");
  return success;
}
