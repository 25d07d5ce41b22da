//===- Session.cpp - the C interface with owners --------------------------===//

#include "tools/tarn/Session.h"

#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Terminal.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>

using namespace tarn::cli;

int tarn::cli::reportRuntimeError(tarn_status status) {
  if (status == TARN_INTERNAL)
    return reportInternalError(tarn_last_error());
  printError(tarn_last_error());
  return userError;
}

int tarn::cli::reportRuntimeError(const rt::Status &status,
                                  const std::string &help) {
  if (status.code() == rt::Code::Internal)
    return reportInternalError(status.message());
  printError(status.message(), help);
  return userError;
}

int tarn::cli::openSession(const std::vector<char> &bytes, int threads,
                           bool profile, ArtifactHandle &artifact,
                           SessionHandle &session) {
  tarn_artifact *opened = nullptr;
  if (tarn_status status =
          tarn_artifact_open_bytes(bytes.data(), bytes.size(), &opened))
    return reportRuntimeError(status);
  artifact.reset(opened);
  tarn_session_options options{};
  options.struct_size = sizeof options;
  options.threads = threads;
  options.profile = profile;
  tarn_session *created = nullptr;
  if (tarn_status status = tarn_session_create(opened, &options, &created))
    return reportRuntimeError(status);
  session.reset(created);
  return success;
}

Bindings::Bindings(const tarn_artifact *artifact, int function) {
  tarn_function_info info{};
  tarn_artifact_function(artifact, function, &info);
  inputInfos.resize(info.inputs);
  outputInfos.resize(info.outputs);
  for (int i = 0; i < info.inputs; ++i) {
    tarn_artifact_input(artifact, function, i, &inputInfos[i]);
    inputBytes.emplace_back(inputInfos[i].bytes);
  }
  for (int i = 0; i < info.outputs; ++i) {
    tarn_artifact_output(artifact, function, i, &outputInfos[i]);
    outputBytes.emplace_back(outputInfos[i].bytes);
  }
  for (std::vector<char> &bytes : inputBytes)
    inputPointers.push_back(bytes.data());
  for (std::vector<char> &bytes : outputBytes)
    outputPointers.push_back(bytes.data());
}

int Bindings::findOutput(const char *name) const {
  for (size_t i = 0; i < outputInfos.size(); ++i)
    if (std::strcmp(outputInfos[i].name, name) == 0)
      return int(i);
  return -1;
}

int tarn::cli::findFunctionOfKind(const tarn_artifact *artifact,
                                  const char *kind) {
  for (int i = 0, e = tarn_artifact_function_count(artifact); i < e; ++i) {
    tarn_function_info info{};
    tarn_artifact_function(artifact, i, &info);
    if (std::strcmp(info.kind, kind) == 0)
      return i;
  }
  return -1;
}

std::string tarn::cli::describeType(const tarn_tensor_info &info) {
  std::string text = tarn_dtype_name(info.dtype);
  text += "[";
  for (int i = 0; i < info.rank; ++i)
    text += (i ? ", " : "") + std::to_string(info.shape[i]);
  return text + "]";
}

std::vector<tarn_kernel_time>
tarn::cli::profileOf(const tarn_session *session) {
  std::vector<tarn_kernel_time> times(tarn_profile_count(session));
  for (size_t i = 0; i < times.size(); ++i)
    tarn_profile_get(session, int(i), &times[i]);
  return times;
}

std::vector<tarn_kernel_time> tarn::cli::profileOf(const rt::Session &session) {
  std::vector<tarn_kernel_time> times;
  for (size_t i = 0; i < session.target().kernels.size(); ++i) {
    const rt::Kernel &kernel = session.target().kernels[i];
    const rt::KernelTime &time = session.profile().kernels[i];
    const rt::Location *place =
        kernel.location < 0 ? nullptr
                            : &session.manifest().locations[kernel.location];
    times.push_back({kernel.name.c_str(), place ? place->file.c_str() : "",
                     place ? int(place->line) : 0, time.launches,
                     time.nanoseconds, kernel.flops, kernel.bytes});
  }
  return times;
}

void tarn::cli::printProfile(const std::vector<tarn_kernel_time> &times,
                             const std::vector<double> &predicted) {
  std::vector<size_t> order(times.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return times[a].nanoseconds > times[b].nanoseconds;
  });
  uint64_t total = 0;
  for (const tarn_kernel_time &time : times)
    total += time.nanoseconds;
  std::printf(" share  launches        ms%s  GFLOP/s    GB/s  kernel\n",
              predicted.empty() ? "" : "  predicted");
  for (size_t index : order) {
    const tarn_kernel_time &time = times[index];
    if (time.launches == 0)
      continue;
    double seconds = time.nanoseconds * 1e-9;
    std::string where = time.file && *time.file ? std::string(time.file) + ":" +
                                                      std::to_string(time.line)
                                                : "";
    if (size_t slash = where.rfind('/'); slash != std::string::npos)
      where.erase(0, slash + 1);
    std::printf(" %4.1f%% %9llu %9.2f",
                100.0 * time.nanoseconds / std::max<uint64_t>(total, 1),
                (unsigned long long)time.launches, seconds * 1e3);
    if (!predicted.empty())
      std::printf(" %10.2f", predicted[index] * time.launches * 1e3);
    std::printf(
        " %8.1f %7.1f  %.20s %s\n", time.flops * 1e-9 * time.launches / seconds,
        time.bytes * 1e-9 * time.launches / seconds, time.name, where.c_str());
  }
}
