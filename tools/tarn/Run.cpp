//===- Run.cpp - `tarn run` -----------------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Reference.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Checkpoint.h"
#include "runtime/Generate.h"
#include "runtime/Parameters.h"

#include <cstdio>
#include <cstring>
#include <unistd.h>

using namespace tarn;
using namespace tarn::cli;

/// Prints text sampled from a run's latest checkpoint, byte by byte.
static int runSample(const Invocation &in) {
  std::vector<char> bytes;
  std::string error;
  if (!readWhole(in.run.sample + "/model.art", bytes, error)) {
    printError("`" + in.run.sample + "` is no run: it has no model.art",
               "--sample takes the folder that `tarn train` wrote");
    return userError;
  }
  auto model = rt::Model::parse(bytes.data(), bytes.size());
  if (!model.ok())
    return reportRuntimeError(model.status());
  rt::SessionOptions options;
  options.threads = unsigned(in.run.threads);
  auto session = rt::Session::create(*model, options);
  if (!session.ok())
    return reportRuntimeError(session.status());
  if (rt::Status status = (*session)->initialize(0); !status.ok())
    return reportRuntimeError(status);
  auto checkpoint = rt::loadCheckpoint(**session, in.run.sample);
  if (!checkpoint.ok())
    return reportRuntimeError(checkpoint.status());
  std::string prompt = in.run.prompt.empty() ? "\n" : in.run.prompt;
  std::vector<int32_t> tokens;
  for (unsigned char c : prompt)
    tokens.push_back(c);
  std::printf("%s", in.run.prompt.c_str());
  rt::GenerateOptions generate;
  generate.tokens = uint64_t(in.run.tokens);
  generate.seed = in.run.seed;
  rt::Status status =
      rt::generate(**session, tokens, generate, [&](int32_t token) {
        std::putchar(token >= 0 && token < 256 ? token : '?');
        std::fflush(stdout);
        return true;
      });
  std::printf("\n");
  return status.ok() ? int(success) : reportRuntimeError(status);
}

int tarn::cli::runRun(const Invocation &in) {
  if (!in.run.sample.empty())
    return runSample(in);
  if (in.model.model.empty() || in.run.outputs.empty()) {
    printError(
        "tarn run needs a model and a file for its outputs",
        "tarn run MODEL --inputs F --outputs F, or tarn run --sample RUN");
    return usageError;
  }
  return in.run.reference ? runReference(in) : runCompiled(in);
}
