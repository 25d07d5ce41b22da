// Trains the test model: train-bigram TEXT FOLDER STEPS CHECKPOINT-EVERY.
// Resumes if the folder has a checkpoint; prints the weight hash at the end.

#include "runtime/Trainer.h"
#include "test/runtime/TestModel.h"

#include <cstdio>
#include <cstdlib>

using namespace tarn::rt;

static int failed(const Status &status) {
  std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5)
    return 2;
  Result<Dataset> data = Dataset::open({argv[1]});
  if (!data.ok())
    return failed(data.status());
  TrainOptions options;
  options.folder = argv[2];
  options.steps = std::atoll(argv[3]);
  options.checkpointEvery = std::atoll(argv[4]);
  options.seed = 11;
  std::unique_ptr<Session> session = test::bigramSession();
  Result<std::unique_ptr<Trainer>> trainer =
      Trainer::create(*session, *data, options);
  if (!trainer.ok())
    return failed(trainer.status());
  if (listCheckpoints(options.folder).empty()) {
    if (Status status = (*trainer)->start(); !status.ok())
      return failed(status);
  } else {
    Result<CheckpointInfo> info = (*trainer)->resume(options.folder);
    if (!info.ok())
      return failed(info.status());
  }
  Result<Trainer::Outcome> outcome = (*trainer)->run();
  if (!outcome.ok())
    return failed(outcome.status());
  std::printf("%s\n", toHex(session->weightHash()).c_str());
  return 0;
}
