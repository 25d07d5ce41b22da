//===- Bench.cpp - `tarn bench` -------------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Json.h"
#include "runtime/Manifest.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

using namespace tarn;
using namespace tarn::cli;

/// Fills integer inputs with token numbers that any vocabulary of the model
/// has; a fixed sequence, so that runs compare.
static void fillInputs(Bindings &bindings, int64_t vocabulary) {
  uint64_t state = 1;
  for (int i = 0; i < bindings.inputCount(); ++i) {
    std::vector<char> &bytes = bindings.input(i);
    if (bindings.inputInfo(i).dtype != TARN_I32)
      continue;
    for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      int32_t token = int32_t((state >> 33) % uint64_t(vocabulary));
      std::memcpy(&bytes[at], &token, 4);
    }
  }
}

int tarn::cli::runBench(const Invocation &in) {
  std::vector<char> bytes;
  // The compile time is part of the answer: never from the cache.
  ModelOptions model = in.model;
  model.noCache = true;
  double compileSeconds = 0;
  if (int code = obtainArtifact(model, bytes, compileSeconds))
    return code;
  ArtifactHandle artifact;
  SessionHandle session;
  if (int code = openSession(bytes, int(in.bench.threads), in.bench.profile,
                             artifact, session))
    return code;
  int step = findFunctionOfKind(artifact.get(), "train");
  if (step < 0) {
    printError("the model has no train function",
               "tarn bench times the training step");
    return userError;
  }
  if (tarn_status status = tarn_initialize(session.get(), 0))
    return reportRuntimeError(status);

  auto manifest = rt::parseManifest(tarn_artifact_manifest(artifact.get()));
  int64_t launches = 0, vocabulary = 1;
  if (manifest.ok()) {
    for (const rt::Target &target : manifest->targets)
      if (target.isa == tarn_session_isa(session.get()))
        launches = rt::countLaunches(target.functions[step].program);
    if (const rt::Json *vocab = manifest->hyper.find("vocab"))
      if (vocab->isInt())
        vocabulary = std::max<int64_t>(vocab->asInt(), 1);
  }

  Bindings bindings(artifact.get(), step);
  fillInputs(bindings, vocabulary);
  auto runOnce = [&] {
    return tarn_run(session.get(), step, bindings.inputs(), bindings.outputs());
  };
  if (tarn_status status = runOnce()) // pages in, threads awake
    return reportRuntimeError(status);
  if (in.bench.profile)
    tarn_profile_set(session.get(), 1);
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  std::vector<double> seconds;
  for (int64_t i = 0; i < in.bench.steps; ++i) {
    progress.show(" step " + std::to_string(i + 1) + "/" +
                  std::to_string(in.bench.steps));
    auto start = std::chrono::steady_clock::now();
    if (tarn_status status = runOnce())
      return reportRuntimeError(status);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
  }
  progress.clear();
  std::sort(seconds.begin(), seconds.end());
  double least = seconds.front(), median = seconds[seconds.size() / 2];
  uint64_t arena = tarn_allocated_bytes(session.get(), TARN_ARENA);
  uint64_t state = tarn_allocated_bytes(session.get(), TARN_STATE);
  int threads = tarn_session_threads(session.get());
  const char *isa = tarn_session_isa(session.get());
  if (in.output.json)
    std::printf(
        "{\"model\":\"%s\",\"isa\":\"%s\",\"threads\":%d,\"steps\":%lld,"
        "\"step_seconds_min\":%.6f,\"step_seconds_median\":%.6f,"
        "\"compile_seconds\":%.3f,\"arena_bytes\":%llu,"
        "\"state_bytes\":%llu,\"launches\":%lld}\n",
        tarn_artifact_model(artifact.get()), isa, threads,
        (long long)in.bench.steps, least, median, compileSeconds,
        (unsigned long long)arena, (unsigned long long)state,
        (long long)launches);
  else
    std::printf(" %s  %s  %d threads\n"
                " step      %.2f ms min   %.2f ms median   (%lld steps)\n"
                " compile   %s\n"
                " arena     %s   state %s\n"
                " launches  %lld\n",
                tarn_artifact_model(artifact.get()), isa, threads, least * 1e3,
                median * 1e3, (long long)in.bench.steps,
                formatSeconds(compileSeconds).c_str(),
                formatBytes(arena).c_str(), formatBytes(state).c_str(),
                (long long)launches);
  if (in.bench.profile && !in.output.json)
    printProfile(profileOf(session.get()));
  return success;
}
