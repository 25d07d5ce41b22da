//===- run_artifact.cpp - whole steps on a GPU, without a compiler --------===//
//
// run-artifact train ARTIFACT STEPS BOUND: trains on the processors and twice
//   on the GPU; each loss within BOUND (relative), the second time the same
//   bits. The artifact has code for both.
// run-artifact time ARTIFACT STEPS JSON: seconds of a step and of its kernels,
//   and a line about it at the end of JSON.
// run-artifact tune ARTIFACT STEPS FILE: times the candidates of each product,
//   cuBLASLt's among them; FILE goes into `tarn compile --tune-file`.
//
// Exit status: 1 for a wrong result or an error, 2 for a wrong call.
//
//===----------------------------------------------------------------------===//

#include "runtime/File.h"
#include "runtime/Json.h"
#include "runtime/Session.h"
#include "tools/tarn/Noise.h"
#include "tools/tarn/Tuner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace tarn;

namespace {

[[noreturn]] void stop(const std::string &why) {
  std::printf("FAILED: %s\n", why.c_str());
  std::exit(1);
}

void check(const rt::Status &status) {
  if (!status.ok())
    stop(status.message());
}

std::shared_ptr<const rt::Model> open(const char *path) {
  auto model = rt::Model::open(path);
  if (!model.ok())
    stop(model.status().message());
  return model.take();
}

/// A session and the inputs of its training step.
class Training {
public:
  Training(std::shared_ptr<const rt::Model> model, const char *isa);
  /// One step; its loss.
  float step();
  rt::Session &session() { return *owner; }
  size_t function() const { return index; }

private:
  std::unique_ptr<rt::Session> owner;
  size_t index = 0, loss = 0, done = 0;
  /// Two batches that take turns.
  std::vector<std::vector<char>> inputs[2];
  std::vector<std::vector<char>> outputs;
};

} // namespace

Training::Training(std::shared_ptr<const rt::Model> model, const char *isa) {
  rt::SessionOptions options;
  options.isa = isa;
  auto created = rt::Session::create(model, options);
  if (!created.ok())
    stop(created.status().message());
  owner = created.take();
  std::optional<size_t> found = owner->findKind("train");
  if (!found)
    stop("the artifact has no training step");
  index = *found;
  const rt::Function &step = owner->functions()[index];
  int64_t limit = 1;
  for (const char *name : {"vocab", "classes"})
    if (const rt::Json *value = owner->manifest().hyper.find(name))
      if (value->isInt())
        limit = std::max<int64_t>(limit, value->asInt());
  cli::Noise noise;
  auto random = [&] { return noise.next() >> 1; };
  for (auto &batch : inputs)
    for (const rt::TensorDesc &input : step.inputs) {
      std::vector<char> &bytes = batch.emplace_back(input.bytes);
      for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
        int32_t number = int32_t(random() % uint64_t(limit));
        float share = float(random()) / float(1u << 30) - 1;
        if (input.dtype == rt::DType::I32)
          std::memcpy(&bytes[at], &number, 4);
        else if (input.dtype == rt::DType::F32)
          std::memcpy(&bytes[at], &share, 4);
        else
          stop("input `" + input.name + "` is neither f32 nor i32");
      }
    }
  loss = step.outputs.size();
  for (size_t i = 0; i != step.outputs.size(); ++i) {
    outputs.emplace_back(step.outputs[i].bytes);
    if (step.outputs[i].name == "loss")
      loss = i;
  }
  if (loss == outputs.size())
    stop("the step has no output `loss`");
  check(owner->initialize(0));
}

float Training::step() {
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const std::vector<char> &bytes : inputs[done++ % 2])
    in.push_back(bytes.data());
  for (std::vector<char> &bytes : outputs)
    out.push_back(bytes.data());
  check(owner->run(index, in.data(), out.data()));
  float value = 0;
  std::memcpy(&value, outputs[loss].data(), 4);
  return value;
}

static int train(const char *path, int64_t steps, double bound) {
  std::shared_ptr<const rt::Model> model = open(path);
  std::vector<float> losses[3];
  rt::Digest weights[3];
  for (int run = 0; run != 3; ++run) {
    Training training(model, run == 0 ? "cpu" : "cuda");
    for (int64_t i = 0; i != steps; ++i)
      losses[run].push_back(training.step());
    check(training.session().checkMemory());
    auto hash = training.session().hashWeights();
    if (!hash.ok())
      stop(hash.status().message());
    weights[run] = *hash;
  }
  double worst = 0;
  for (int64_t i = 0; i != steps; ++i) {
    double error = std::fabs(losses[1][i] - losses[0][i]) /
                   std::fabs(double(losses[0][i]));
    // NaN is no small error.
    worst = error <= worst ? worst : error;
  }
  bool same = losses[1] == losses[2] && weights[1] == weights[2];
  bool right = worst <= bound && same && losses[0].back() < losses[0].front();
  std::printf("%lld steps, loss %.4f to %.4f, error %.1e of %.0e; %s: %s\n",
              (long long)steps, losses[0].front(), losses[0].back(), worst,
              bound, same ? "twice the same bits" : "two runs differ",
              right ? "right" : "WRONG");
  return !right;
}

static int timeSteps(const char *path, int64_t steps, const char *json) {
  using Clock = std::chrono::steady_clock;
  Training training(open(path), "cuda");
  rt::Session &session = training.session();
  for (int i = 0; i != 3; ++i)
    training.step();
  std::vector<double> seconds;
  for (int64_t i = 0; i != steps; ++i) {
    auto start = Clock::now();
    training.step();
    seconds.push_back(
        std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  double least = seconds.front(), median = seconds[seconds.size() / 2];
  std::printf("%s on %s\n  step %.3f ms min, %.3f ms median of %lld; arena "
              "%.2f GiB, state %.2f GiB\n",
              session.manifest().model.c_str(),
              session.describeDevice().c_str(), least * 1e3, median * 1e3,
              (long long)steps,
              double(session.allocatedBytes(rt::Space::Arena)) / (1 << 30),
              double(session.allocatedBytes(rt::Space::State)) / (1 << 30));

  session.setProfile(true);
  training.step();
  const std::vector<rt::KernelTime> &times = session.profile().kernels;
  const std::vector<rt::Kernel> &kernels = session.target().kernels;
  std::vector<size_t> order;
  double sum = 0;
  for (size_t i = 0; i != times.size(); ++i)
    if (times[i].launches) {
      order.push_back(i);
      sum += double(times[i].nanoseconds);
    }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return times[a].nanoseconds > times[b].nanoseconds;
  });
  rt::Json list = rt::Json::array();
  std::printf("  share  launches    us each  TFLOPS    GB/s  kernel\n");
  for (size_t rank = 0; rank != order.size(); ++rank) {
    size_t i = order[rank];
    double each = std::max<double>(double(times[i].nanoseconds), 1) * 1e-9 /
                  double(times[i].launches);
    if (rank < 20)
      std::printf("  %4.1f%% %9llu %10.1f %7.1f %7.0f  %s\n",
                  100 * double(times[i].nanoseconds) / sum,
                  (unsigned long long)times[i].launches, each * 1e6,
                  double(kernels[i].flops) / each * 1e-12,
                  double(kernels[i].bytes) / each * 1e-9,
                  kernels[i].name.c_str());
    rt::Json entry = rt::Json::object();
    entry.set("name", kernels[i].name);
    entry.set("program", kernels[i].program);
    entry.set("launches", int64_t(times[i].launches));
    entry.set("seconds", each);
    entry.set("flops", kernels[i].flops);
    entry.set("bytes", kernels[i].bytes);
    list.push(std::move(entry));
  }
  std::printf("  kernels alone, one by one: %.3f ms\n", sum * 1e-6);

  std::string name = path;
  name.erase(0, name.rfind('/') + 1);
  rt::Json out = rt::Json::object();
  out.set("artifact", name);
  out.set("device", session.describeDevice());
  out.set("seconds_min", least);
  out.set("seconds_median", median);
  out.set("kernels", std::move(list));
  FILE *file = std::fopen(json, "a");
  if (!file || std::fprintf(file, "%s\n", out.dump().c_str()) < 0 ||
      std::fclose(file) != 0)
    stop(std::string("cannot write ") + json);
  return 0;
}

static int tune(const char *path, int64_t steps, const char *file) {
  rt::Result<cli::Tuner> tuner = cli::Tuner::open(open(path));
  if (!tuner.ok())
    stop(tuner.status().message());
  for (const std::string &note : tuner->notes())
    std::printf("note: %s\n", note.c_str());
  rt::Result<Tuning> tuning = tuner->run(steps);
  for (const std::string &remark : tuner->remarks())
    std::printf("note: %s\n", remark.c_str());
  if (!tuning.ok())
    stop(tuning.status().message());
  cli::printTuning(*tuning);
  rt::Result<rt::AtomicFile> out = rt::AtomicFile::create(file);
  check(out.status());
  std::string text = writeTuning(*tuning);
  check(out->write(text.data(), text.size()));
  check(out->commit());
  return 0;
}

int main(int argc, char **argv) {
  std::string what = argc == 5 ? argv[1] : "";
  int64_t steps = argc == 5 ? std::atoll(argv[3]) : 0;
  if (what == "train" && steps > 1)
    return train(argv[2], steps, std::atof(argv[4]));
  if (what == "time" && steps > 0)
    return timeSteps(argv[2], steps, argv[4]);
  if (what == "tune" && steps > 0)
    return tune(argv[2], steps, argv[4]);
  std::fprintf(stderr, "usage: run-artifact train ARTIFACT STEPS BOUND\n"
                       "       run-artifact time ARTIFACT STEPS JSON\n"
                       "       run-artifact tune ARTIFACT STEPS FILE\n");
  return 2;
}
