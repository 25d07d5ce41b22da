//===- Bench.cpp - `tarn bench` -------------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Predict.h"
#include "tools/tarn/StepTimes.h"
#include "tools/tarn/Terminal.h"

#include "compiler/Target/Targets.h"
#include "runtime/File.h"
#include "runtime/Json.h"
#include "runtime/Manifest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

using namespace tarn;
using namespace tarn::cli;

namespace {

/// One bench: what it is about and what it found.
struct Bench {
  explicit Bench(const Invocation &in) : in(in) {}
  const Invocation &in;
  ArtifactHandle artifact;
  SessionHandle session;
  int step = -1;
  rt::Manifest manifest;
  const rt::Target *target = nullptr;
  std::optional<CostModel> model;
  std::optional<Prediction> prediction;
  StepTimes times;
  double compileSeconds = 0;

  int open();
  int run();
  int writeTimes(rt::AtomicFile &file);
  void print();
  void printJson();

  double least() const { return times.steps.front(); }
  double median() const { return times.steps[times.steps.size() / 2]; }
  const rt::Function &function() const { return target->functions[step]; }
  /// Predicted seconds of a launch, by kernel.
  std::vector<double> predicted() const {
    std::vector<double> result;
    for (const Estimate &estimate : prediction->kernels)
      result.push_back(estimate.seconds);
    return result;
  }
};

} // namespace

int Bench::open() {
  std::string wanted = in.bench.device;
  if (wanted.empty()) {
    // What is measured runs here, whatever else the artifact is for.
    std::vector<Target> targets;
    std::string error, help;
    if (!resolveTargets(in.model.targets, targets, error, help)) {
      printError(error, help);
      return userError;
    }
    auto here = llvm::find_if(targets, [](const Target &target) {
      return target.kind == Target::Kind::cpu;
    });
    wanted = here != targets.end() ? here->device : "cpu";
  }
  rt::Result<Device> device = findDevice(wanted);
  if (!device.ok()) {
    printError(device.status().message());
    return userError;
  }
  std::vector<char> bytes;
  // The compile time is part of the answer: never from the cache.
  ModelOptions options = in.model;
  options.noCache = true;
  if (int code = obtainArtifact(options, bytes, compileSeconds))
    return code;
  if (int code =
          openSession(bytes, int(in.bench.threads), false, artifact, session))
    return code;
  step = findFunctionOfKind(artifact.get(), "train");
  if (step < 0) {
    printError("the model has no train function",
               "tarn bench times the training step");
    return userError;
  }
  rt::Result<rt::Manifest> parsed =
      rt::parseManifest(tarn_artifact_manifest(artifact.get()));
  if (!parsed.ok()) {
    printError(parsed.status().message());
    return userError;
  }
  manifest = parsed.take();
  for (const rt::Target &candidate : manifest.targets)
    if (candidate.isa == tarn_session_isa(session.get()))
      target = &candidate;
  std::string word = device->isCpu() ? "cpu:" + target->isa : "";
  if (!word.empty() && !device->findTarget(word)) {
    printError("device `" + device->name + "` has no figures for `" + word +
               "`");
    return userError;
  }
  model.emplace(*device, word, tarn_session_threads(session.get()));
  prediction = predict(*model, *target, function());
  return success;
}

int Bench::run() {
  int64_t vocabulary = 1;
  if (const rt::Json *vocab = manifest.hyper.find("vocab"))
    if (vocab->isInt())
      vocabulary = std::max<int64_t>(vocab->asInt(), 1);
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  return timeSteps(
      artifact.get(), session.get(), step, vocabulary, in.bench.steps,
      in.bench.profile || !in.bench.times.empty(),
      [&](int64_t which) {
        progress.show(" step " + std::to_string(which) + "/" +
                      std::to_string(in.bench.steps));
      },
      times);
}

int Bench::writeTimes(rt::AtomicFile &file) {
  KernelTimes measured = kernelTimes(*target, times.kernels, times.launches);
  measured.model = manifest.model;
  measured.device = model->device().name;
  measured.target = "cpu:" + target->isa;
  measured.threads = tarn_session_threads(session.get());
  if (measured.kernels.empty()) {
    printError("the artifact does not name its kernels' programs",
               "compile the model again with this version");
    return userError;
  }
  std::string text = writeKernelTimes(measured);
  rt::Status status = file.write(text.data(), text.size());
  if (status.ok())
    status = file.commit();
  if (status.ok())
    return success;
  printError(status.message());
  return userError;
}

void Bench::printJson() {
  rt::Json out = rt::Json::object();
  out.set("model", manifest.model);
  out.set("isa", target->isa);
  out.set("threads", tarn_session_threads(session.get()));
  out.set("steps", in.bench.steps);
  out.set("step_seconds_min", least());
  out.set("step_seconds_median", median());
  out.set("compile_seconds", compileSeconds);
  out.set("arena_bytes", tarn_allocated_bytes(session.get(), TARN_ARENA));
  out.set("state_bytes", tarn_allocated_bytes(session.get(), TARN_STATE));
  if (uint64_t host = tarn_allocated_bytes(session.get(), TARN_HOST))
    out.set("host_bytes", host);
  out.set("launches", rt::countLaunches(function().program));
  if (prediction) {
    out.set("device", model->device().name);
    out.set("predicted_seconds", prediction->seconds);
    out.set("predicted_error", prediction->error);
  }
  if (in.bench.profile) {
    rt::Json list = rt::Json::array();
    for (size_t i = 0; i < times.kernels.size(); ++i) {
      if (times.kernels[i].launches == 0)
        continue;
      rt::Json entry = rt::Json::object();
      entry.set("name", times.kernels[i].name);
      entry.set("program", target->kernels[i].program);
      entry.set("launches", times.kernels[i].launches);
      const std::vector<double> &launches = times.launches[i];
      entry.set("seconds_min", launches.front());
      entry.set("seconds_median", launches[launches.size() / 2]);
      if (prediction) {
        entry.set("predicted_seconds", prediction->kernels[i].seconds);
        entry.set("bound", prediction->kernels[i].bound);
        entry.set("work", target->kernels[i].work);
      }
      list.push(std::move(entry));
    }
    out.set("kernels", std::move(list));
  }
  std::printf("%s\n", out.dump().c_str());
}

void Bench::print() {
  std::printf(" %s  %s  %d threads\n"
              " step      %.2f ms min   %.2f ms median   (%lld steps)\n",
              manifest.model.c_str(), target->isa.c_str(),
              tarn_session_threads(session.get()), least() * 1e3,
              median() * 1e3, (long long)in.bench.steps);
  if (prediction) {
    double ratio = median() / prediction->seconds;
    std::printf(" predicted %.2f ms +-%.0f%%   measured/predicted %.2f   "
                "(roofline of `%s`)\n",
                prediction->seconds * 1e3, prediction->error * 100, ratio,
                model->device().name.c_str());
    if (model->device().name == "cpu" &&
        std::fabs(ratio - 1) > 2 * prediction->error)
      std::printf(
          "           `cpu` is another machine than this one, or this "
          "one is busy;\n           tarn measure mine.json and --target "
          "mine.json predict for this one\n");
  }
  std::printf(
      " compile   %s\n arena     %s   state %s\n launches  %lld\n",
      formatSeconds(compileSeconds).c_str(),
      formatBytes(tarn_allocated_bytes(session.get(), TARN_ARENA)).c_str(),
      formatBytes(tarn_allocated_bytes(session.get(), TARN_STATE)).c_str(),
      (long long)rt::countLaunches(function().program));
  if (uint64_t host = tarn_allocated_bytes(session.get(), TARN_HOST))
    std::printf(" host      %s (pinned)\n", formatBytes(host).c_str());
  if (in.bench.profile)
    printProfile(times.kernels,
                 prediction ? predicted() : std::vector<double>());
}

int tarn::cli::runBench(const Invocation &in) {
  if (!in.bench.tune.empty())
    return runTune(in);
  Bench bench(in);
  if (int code = bench.open())
    return code;
  // A path that cannot be written is better known before the steps.
  std::optional<rt::AtomicFile> file;
  if (!in.bench.times.empty()) {
    rt::Result<rt::AtomicFile> created = rt::AtomicFile::create(in.bench.times);
    if (!created.ok()) {
      printError(created.status().message());
      return userError;
    }
    file.emplace(created.take());
  }
  if (int code = bench.run())
    return code;
  if (file)
    if (int code = bench.writeTimes(*file))
      return code;
  if (in.output.json)
    bench.printJson();
  else
    bench.print();
  return success;
}
