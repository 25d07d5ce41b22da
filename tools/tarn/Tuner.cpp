//===- Tuner.cpp - times candidates on the GPU of this machine ------------===//

#include "tools/tarn/Tuner.h"

#include "tools/tarn/Noise.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <limits>

using namespace tarn;
using namespace tarn::cli;

/// Numbers between -1 and 1 of a type, always the same ones.
static std::string noiseOf(const rt::TensorDesc &tensor) {
  std::string bytes(tensor.bytes, '\0');
  size_t size = rt::dtypeSize(tensor.dtype);
  Noise noise;
  for (size_t at = 0; at + size <= bytes.size(); at += size) {
    // Sign, an exponent of 1/8 to below 1, and a random mantissa.
    uint64_t random = noise.next();
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

rt::Result<Tuner> Tuner::open(std::shared_ptr<const rt::Model> model) {
  const rt::Manifest &manifest = model->manifest();
  bool any = false;
  for (const rt::Function &function : manifest.targets.front().functions)
    any |= function.kind == "tune";
  if (!any)
    return rt::Status(rt::Code::NotFound,
                      "the artifact holds no candidates to tune");
  rt::SessionOptions options;
  options.isa = "cuda";
  options.profile = true;
  auto created = rt::Session::create(std::move(model), options);
  if (!created.ok())
    return created.status();
  Tuner tuner;
  tuner.session = created.take();
  const rt::Session &session = *tuner.session;
  rt::DeviceVersions versions = session.versions();
  tuner.tuning.model = manifest.model;
  const std::string &isa = session.target().isa;
  tuner.tuning.architecture = isa == "host" ? versions.architecture : isa;
  tuner.tuning.device = session.describeDevice();
  tuner.tuning.driver = versions.driver;
  tuner.tuning.library = int64_t(versions.library);
  char date[32];
  std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  tuner.tuning.date = date;
  return tuner;
}

/// The least seconds of a launch of each kernel, over some runs of a function;
/// infinity where it launches none.
rt::Status Tuner::measure(size_t function, int64_t steps,
                          std::vector<double> &seconds) {
  std::vector<std::string> inputs;
  std::vector<const void *> pointers;
  for (const rt::TensorDesc &input : session->functions()[function].inputs)
    inputs.push_back(noiseOf(input));
  for (const std::string &input : inputs)
    pointers.push_back(input.data());
  seconds.assign(session->target().kernels.size(),
                 std::numeric_limits<double>::infinity());
  for (int64_t run = 0; run <= steps; ++run) {
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
rt::Status Tuner::tuneFunction(size_t function, int64_t steps) {
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
        if (rt::Status status = measure(function, steps, seconds); !status.ok())
          return status;
      TuningCandidate candidate;
      std::copy_n(kernel.tune->block.begin(), 3, candidate.block.begin());
      add(index, candidate, seconds[index]);
      continue;
    }
    auto algorithms = session->algorithms(index);
    if (!algorithms.ok()) {
      // It takes no such product here: the others are candidates still.
      said.push_back(algorithms.status().message());
      continue;
    }
    for (const rt::LibraryAlgorithm &algorithm : *algorithms) {
      session->useAlgorithm(index, algorithm);
      std::vector<double> times;
      if (rt::Status status = measure(function, steps, times); !status.ok())
        return status;
      TuningCandidate candidate;
      candidate.algorithm = algorithm.digits;
      candidate.workspace = int64_t(algorithm.workspace);
      add(index, candidate, times[index]);
    }
  }
  return {};
}

rt::Result<Tuning>
Tuner::run(int64_t steps, const std::function<void(size_t, size_t)> &progress) {
  size_t count = session->functions().size();
  for (size_t i = 0; i != count; ++i) {
    if (session->functions()[i].kind != "tune")
      continue;
    if (progress)
      progress(i, count);
    if (rt::Status status = tuneFunction(i, steps); !status.ok())
      return status;
  }
  // Of equals the first: kernels of Tarn's before the library's.
  for (auto &[key, product] : tuning.products)
    for (size_t i = 0; i != product.candidates.size(); ++i)
      if (product.candidates[i].seconds <
          product.candidates[product.best].seconds)
        product.best = i;
  return tuning;
}

void tarn::cli::printTuning(const Tuning &tuning) {
  std::printf(" %s  %s  %s  driver %lld%s\n", tuning.model.c_str(),
              tuning.architecture.c_str(), tuning.device.c_str(),
              (long long)tuning.driver,
              tuning.library
                  ? ("  cuBLASLt " + std::to_string(tuning.library)).c_str()
                  : "");
  std::printf("  untuned us      own us cuBLASLt us  best               "
              "product\n");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double own = 0, library = 0, worst = infinity;
  for (const auto &[key, product] : tuning.products) {
    // The least of Tarn's kernels, and of the library's.
    double least[2] = {infinity, infinity};
    for (const TuningCandidate &candidate : product.candidates)
      least[candidate.isLibrary()] =
          std::min(least[candidate.isLibrary()], candidate.seconds);
    char theirs[32] = "-";
    if (std::isfinite(least[1]))
      std::snprintf(theirs, sizeof theirs, "%.2f", least[1] * 1e6);
    if (std::isfinite(least[0]) && std::isfinite(least[1])) {
      own += least[0];
      library += least[1];
      worst = std::min(worst, least[1] / least[0]);
    }
    const TuningCandidate &best = product.candidates[product.best];
    std::printf(" %11.2f %11.2f %11s  %-18s %s\n",
                product.candidates.front().seconds * 1e6, least[0] * 1e6,
                theirs, best.text().c_str(), product.product.c_str());
  }
  if (own > 0)
    std::printf(" Tarn's kernels reach %.0f%% of cuBLASLt's speed over all, "
                "%.0f%% at worst\n",
                100 * library / own, 100 * worst);
}
