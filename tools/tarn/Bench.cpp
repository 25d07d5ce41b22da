//===- Bench.cpp - `tarn bench` -------------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Noise.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Predict.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "compiler/Target/Targets.h"
#include "runtime/File.h"
#include "runtime/Json.h"
#include "runtime/Manifest.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>

using namespace tarn;
using namespace tarn::cli;

/// Fills integer inputs with token numbers that any vocabulary of the model
/// has.
static void fillInputs(Bindings &bindings, int64_t vocabulary) {
  Noise noise;
  for (int i = 0; i < bindings.inputCount(); ++i) {
    std::vector<char> &bytes = bindings.input(i);
    if (bindings.inputInfo(i).dtype != TARN_I32)
      continue;
    for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
      int32_t token =
          int32_t(uint64_t(noise.next() >> 1) % uint64_t(vocabulary));
      std::memcpy(&bytes[at], &token, 4);
    }
  }
}

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
  /// Sorted seconds of the steps.
  std::vector<double> seconds;
  /// Of all profiled steps; and sorted seconds of one launch by kernel, the
  /// mean of each step.
  std::vector<tarn_kernel_time> kernels;
  std::vector<std::vector<double>> launches;
  double compileSeconds = 0;

  int open();
  int run();
  void addProfile(const std::vector<tarn_kernel_time> &step);
  int writeTimes(rt::AtomicFile &file);
  void print();
  void printJson();

  double least() const { return seconds.front(); }
  double median() const { return seconds[seconds.size() / 2]; }
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
  if (tarn_status status = tarn_initialize(session.get(), 0))
    return reportRuntimeError(status);
  int64_t vocabulary = 1;
  if (const rt::Json *vocab = manifest.hyper.find("vocab"))
    if (vocab->isInt())
      vocabulary = std::max<int64_t>(vocab->asInt(), 1);
  Bindings bindings(artifact.get(), step);
  fillInputs(bindings, vocabulary);
  auto runOnce = [&] {
    return tarn_run(session.get(), step, bindings.inputs(), bindings.outputs());
  };
  if (tarn_status status = runOnce()) // pages in, threads awake
    return reportRuntimeError(status);
  bool profile = in.bench.profile || !in.bench.times.empty();
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  for (int64_t i = 0; i < in.bench.steps; ++i) {
    progress.show(" step " + std::to_string(i + 1) + "/" +
                  std::to_string(in.bench.steps));
    if (profile)
      tarn_profile_set(session.get(), 1);
    auto start = std::chrono::steady_clock::now();
    if (tarn_status status = runOnce())
      return reportRuntimeError(status);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
    if (profile)
      addProfile(profileOf(session.get()));
  }
  std::sort(seconds.begin(), seconds.end());
  for (std::vector<double> &steps : launches)
    std::sort(steps.begin(), steps.end());
  return success;
}

/// Adds the kernels of one step.
void Bench::addProfile(const std::vector<tarn_kernel_time> &step) {
  if (kernels.empty()) {
    kernels = step;
    launches.resize(step.size());
  } else {
    for (size_t i = 0; i != step.size(); ++i) {
      kernels[i].launches += step[i].launches;
      kernels[i].nanoseconds += step[i].nanoseconds;
    }
  }
  for (size_t i = 0; i != step.size(); ++i)
    if (step[i].launches)
      launches[i].push_back(double(step[i].nanoseconds) * 1e-9 /
                            double(step[i].launches));
}

int Bench::writeTimes(rt::AtomicFile &file) {
  KernelTimes times = kernelTimes(*target, kernels, launches);
  times.model = manifest.model;
  times.device = model->device().name;
  times.target = "cpu:" + target->isa;
  times.threads = tarn_session_threads(session.get());
  if (times.kernels.empty()) {
    printError("the artifact does not name its kernels' programs",
               "compile the model again with this version");
    return userError;
  }
  std::string text = writeKernelTimes(times);
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
    for (size_t i = 0; i < kernels.size(); ++i) {
      if (kernels[i].launches == 0)
        continue;
      rt::Json entry = rt::Json::object();
      entry.set("name", kernels[i].name);
      entry.set("program", target->kernels[i].program);
      entry.set("launches", kernels[i].launches);
      entry.set("seconds_min", launches[i].front());
      entry.set("seconds_median", launches[i][launches[i].size() / 2]);
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
    printProfile(kernels, prediction ? predicted() : std::vector<double>());
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
