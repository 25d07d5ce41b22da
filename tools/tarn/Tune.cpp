//===- Tune.cpp - `tarn bench --tune` -------------------------------------===//
//
// Times the candidates of each product on the GPU of this machine, which needs
// no compiler: an artifact of `tarn compile --tune-candidates` holds them. What
// it writes goes back into `tarn compile --tune-file`.
//
//===----------------------------------------------------------------------===//

#include "compiler/Cost/Tuning.h"
#include "runtime/File.h"
#include "runtime/Json.h"
#include "runtime/Session.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <limits>

using namespace tarn;
using namespace tarn::cli;

namespace {

class Tuner {
public:
  explicit Tuner(const Invocation &in) : in(in) {}
  int run();

private:
  int obtain(std::vector<char> &bytes);
  int open(const std::vector<char> &bytes);
  rt::Status measure(size_t function, std::vector<double> &seconds);
  rt::Status tuneFunction(size_t function);
  void chooseBest();
  void print() const;

  const Invocation &in;
  std::unique_ptr<rt::Session> session;
  Tuning tuning;
};

} // namespace

/// Numbers between -1 and 1 of a type, always the same ones.
static std::string noiseOf(const rt::TensorDesc &tensor) {
  std::string bytes(tensor.bytes, '\0');
  size_t size = rt::dtypeSize(tensor.dtype);
  uint64_t state = 1;
  for (size_t at = 0; at + size <= bytes.size(); at += size) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    // Sign, an exponent of 1/8 to below 1, and a random mantissa.
    uint64_t random = state >> 32;
    uint64_t word = 0;
    switch (tensor.dtype) {
    case rt::DType::F32:
      word = (random & 0x80000000) | (124 + (random >> 29 & 3)) << 23 |
             (random & 0x7FFFFF);
      break;
    case rt::DType::BF16:
      word = (random >> 16 & 0x8000) | (124 + (random >> 29 & 3)) << 7 |
             (random & 0x7F);
      break;
    case rt::DType::F16:
      word = (random >> 16 & 0x8000) | (12 + (random >> 29 & 3)) << 10 |
             (random & 0x3FF);
      break;
    default:
      break;
    }
    std::memcpy(&bytes[at], &word, size);
  }
  return bytes;
}

/// The candidates: MODEL itself, or what is compiled of it.
int Tuner::obtain(std::vector<char> &bytes) {
  if (!isModel(in.model.model)) {
    std::string error;
    if (readWhole(in.model.model, bytes, error))
      return success;
    printError(error);
    return userError;
  }
  CompileRequest request = requestFor(in.model);
  request.tuneCandidates = true;
  CompileResult result;
  CompileStatus status = compile(request, result);
  bytes = std::move(result.artifact);
  return status == CompileStatus::success ? success : exitCodeFor(status);
}

int Tuner::open(const std::vector<char> &bytes) {
  auto model = rt::Model::parse(bytes.data(), bytes.size());
  if (!model.ok())
    return reportRuntimeError(model.status());
  const rt::Manifest &manifest = (*model)->manifest();
  bool any = false;
  for (const rt::Function &function : manifest.targets.front().functions)
    any |= function.kind == "tune";
  if (!any) {
    printError("`" + in.model.model + "` holds no candidates to tune",
               "tarn compile --tune-candidates makes an artifact of them");
    return userError;
  }
  rt::SessionOptions options;
  options.isa = "cuda";
  options.profile = true;
  auto created = rt::Session::create(*model, options);
  if (!created.ok())
    return reportRuntimeError(created.status());
  session = created.take();
  rt::DeviceVersions versions = session->versions();
  tuning.model = manifest.model;
  const std::string &isa = session->target().isa;
  tuning.architecture = isa == "host" ? versions.architecture : isa;
  tuning.device = session->describeDevice();
  tuning.driver = versions.driver;
  tuning.library = int64_t(versions.library);
  char date[32];
  std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  tuning.date = date;
  return success;
}

/// The least seconds of a launch of each kernel, over some runs of a function;
/// infinity where it launches none.
rt::Status Tuner::measure(size_t function, std::vector<double> &seconds) {
  std::vector<std::string> inputs;
  std::vector<const void *> pointers;
  for (const rt::TensorDesc &input : session->functions()[function].inputs)
    inputs.push_back(noiseOf(input));
  for (const std::string &input : inputs)
    pointers.push_back(input.data());
  seconds.assign(session->target().kernels.size(),
                 std::numeric_limits<double>::infinity());
  for (int64_t run = 0; run <= in.bench.steps; ++run) {
    session->setProfile(true);
    if (rt::Status status = session->run(function, pointers.data(), nullptr);
        !status.ok())
      return status;
    for (size_t i = 0; run > 0 && i != seconds.size(); ++i)
      if (const rt::KernelTime &time = session->profile().kernels[i];
          time.launches)
        // A clock may be too coarse, but nothing takes no time.
        seconds[i] = std::min(seconds[i],
                              double(std::max<uint64_t>(time.nanoseconds, 1)) *
                                  1e-9 / double(time.launches));
  }
  return {};
}

/// Times what a function launches.
rt::Status Tuner::tuneFunction(size_t function) {
  std::vector<size_t> kernels;
  for (const rt::Op &op : session->functions()[function].program)
    if (op.kind == rt::Op::Kind::Launch &&
        std::find(kernels.begin(), kernels.end(), op.kernel) == kernels.end())
      kernels.push_back(op.kernel);
  auto add = [&](size_t index, TuningCandidate candidate, double seconds) {
    const rt::Kernel &kernel = session->target().kernels[index];
    TunedProduct &product = tuning.products[kernel.tune->key];
    if (product.name.empty())
      product.name = kernel.name;
    product.product = kernel.tune->product;
    candidate.seconds = seconds;
    product.candidates.push_back(std::move(candidate));
  };
  std::vector<double> seconds;
  for (size_t index : kernels) {
    const rt::Kernel &kernel = session->target().kernels[index];
    if (!kernel.tune)
      return rt::Status(rt::Code::Invalid,
                        "kernel `" + kernel.name + "` is no candidate");
    if (!kernel.library) {
      if (seconds.empty())
        if (rt::Status status = measure(function, seconds); !status.ok())
          return status;
      TuningCandidate candidate;
      std::copy_n(kernel.tune->block.begin(), 3, candidate.block.begin());
      add(index, candidate, seconds[index]);
      continue;
    }
    auto algorithms = session->algorithms(index);
    if (!algorithms.ok()) {
      // It takes no such product here: the others are candidates still.
      std::fprintf(stderr, "note: %s\n", algorithms.status().message().c_str());
      continue;
    }
    for (const rt::LibraryAlgorithm &algorithm : *algorithms) {
      session->useAlgorithm(index, algorithm);
      std::vector<double> times;
      if (rt::Status status = measure(function, times); !status.ok())
        return status;
      TuningCandidate candidate;
      candidate.algorithm = algorithm.digits;
      candidate.workspace = int64_t(algorithm.workspace);
      add(index, candidate, times[index]);
    }
  }
  return {};
}

/// Of equals the first: kernels of Tarn's before the library's.
void Tuner::chooseBest() {
  for (auto &[key, product] : tuning.products)
    for (size_t i = 0; i != product.candidates.size(); ++i)
      if (product.candidates[i].seconds <
          product.candidates[product.best].seconds)
        product.best = i;
}

void Tuner::print() const {
  std::printf(" %s  %s  %s  driver %lld%s\n", tuning.model.c_str(),
              tuning.architecture.c_str(), tuning.device.c_str(),
              (long long)tuning.driver,
              tuning.library
                  ? ("  cuBLASLt " + std::to_string(tuning.library)).c_str()
                  : "");
  std::printf("  untuned us     best us  candidates  best               "
              "product\n");
  for (const auto &[key, product] : tuning.products) {
    const TuningCandidate &best = product.candidates[product.best];
    std::printf(" %11.2f %11.2f  %10zu  %-18s %s\n",
                product.candidates.front().seconds * 1e6, best.seconds * 1e6,
                product.candidates.size(), best.text().c_str(),
                product.product.c_str());
  }
  std::printf(" wrote %s\n", in.bench.tune.c_str());
}

int Tuner::run() {
  std::vector<char> bytes;
  if (int code = obtain(bytes))
    return code;
  if (int code = open(bytes))
    return code;
  for (const std::string &note : session->notes())
    std::fprintf(stderr, "note: %s\n", note.c_str());
  // A path that cannot be written is better known before the runs.
  rt::Result<rt::AtomicFile> file = rt::AtomicFile::create(in.bench.tune);
  if (!file.ok()) {
    printError(file.status().message());
    return userError;
  }
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  size_t count = session->functions().size();
  for (size_t i = 0; i != count; ++i) {
    if (session->functions()[i].kind != "tune")
      continue;
    progress.show(" product " + std::to_string(i + 1) + "/" +
                  std::to_string(count));
    if (rt::Status status = tuneFunction(i); !status.ok())
      return reportRuntimeError(status);
  }
  chooseBest();
  std::string text = writeTuning(tuning);
  rt::Status status = file->write(text.data(), text.size());
  if (status.ok())
    status = file->commit();
  if (!status.ok())
    return reportRuntimeError(status);
  if (in.output.json)
    std::fputs(text.c_str(), stdout);
  else if (!in.output.quiet)
    print();
  return success;
}

int tarn::cli::runTune(const Invocation &invocation) {
  return Tuner(invocation).run();
}
