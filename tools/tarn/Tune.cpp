//===- Tune.cpp - `tarn bench --tune` -------------------------------------===//
//
// Times the candidates of each product on the GPU of this machine. What it
// writes goes back into `tarn compile --tune-file`.
//
//===----------------------------------------------------------------------===//

#include "runtime/File.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"
#include "tools/tarn/Tuner.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

/// The candidates: MODEL itself, or what is compiled of it.
static int obtain(const Invocation &in, std::vector<char> &bytes) {
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

int tarn::cli::runTune(const Invocation &in) {
  std::vector<char> bytes;
  if (int code = obtain(in, bytes))
    return code;
  auto model = rt::Model::parse(bytes.data(), bytes.size());
  if (!model.ok())
    return reportRuntimeError(model.status());
  rt::Result<Tuner> tuner = Tuner::open(model.take());
  if (!tuner.ok())
    return reportRuntimeError(
        tuner.status(),
        tuner.status().code() == rt::Code::NotFound
            ? "tarn compile --tune-candidates makes an artifact of them"
            : "");
  for (const std::string &note : tuner->notes())
    std::fprintf(stderr, "note: %s\n", note.c_str());
  // A path that cannot be written is better known before the runs.
  rt::Result<rt::AtomicFile> file = rt::AtomicFile::create(in.bench.tune);
  if (!file.ok()) {
    printError(file.status().message());
    return userError;
  }
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  rt::Result<Tuning> tuning =
      tuner->run(in.bench.steps, [&](size_t function, size_t count) {
        progress.show(" product " + std::to_string(function + 1) + "/" +
                      std::to_string(count));
      });
  for (const std::string &remark : tuner->remarks())
    std::fprintf(stderr, "note: %s\n", remark.c_str());
  if (!tuning.ok())
    return reportRuntimeError(tuning.status());
  std::string text = writeTuning(*tuning);
  rt::Status status = file->write(text.data(), text.size());
  if (status.ok())
    status = file->commit();
  if (!status.ok())
    return reportRuntimeError(status);
  if (in.output.json) {
    std::fputs(text.c_str(), stdout);
  } else if (!in.output.quiet) {
    printTuning(*tuning);
    std::printf(" wrote %s\n", in.bench.tune.c_str());
  }
  return success;
}
