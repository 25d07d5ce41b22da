#include "runtime/Trainer.h"

#include "runtime/Json.h"
#include "test/runtime/TestModel.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

namespace {
/// A session, data and options with a run's folder.
struct Training {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = bigramSession();
  std::optional<Dataset> data;
  TrainOptions options;

  explicit Training(const std::string &text = bigramText(20000)) {
    EXPECT_TRUE(writeFile(folder / "text", text).ok());
    DataOptions dataOptions;
    dataOptions.vocabulary = 64;
    Result<Dataset> opened = Dataset::open({folder / "text"}, dataOptions);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    data = opened.take();
    options.folder = folder / "run";
    options.seed = 5;
    options.steps = 30;
  }

  std::unique_ptr<Trainer> trainer() {
    Result<std::unique_ptr<Trainer>> made =
        Trainer::create(*session, *data, options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.take();
  }

  std::vector<Json> log() {
    std::string text = *readFile(options.folder + "/log.jsonl", 1 << 20);
    std::vector<Json> lines;
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find('\n', at);
      Result<Json> line = parseJson(text.substr(at, end - at));
      EXPECT_TRUE(line.ok());
      lines.push_back(*line);
      at = end + 1;
    }
    return lines;
  }
};
} // namespace

TEST(Trainer, Learns) {
  Training run;
  run.options.steps = 100;
  run.options.validateEvery = 50;
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  double before = *trainer->validate();
  EXPECT_NEAR(before, std::log(64.0), 0.05);
  int64_t seen = 0;
  Result<Trainer::Outcome> outcome =
      trainer->run([&](const StepReport &report) {
        EXPECT_EQ(report.step, ++seen);
        EXPECT_EQ(report.tokens, 2 * 4 * 16u);
        EXPECT_EQ(report.validationLoss.has_value(), report.step % 50 == 0);
        EXPECT_TRUE(report.gradientNorm.has_value());
        ASSERT_EQ(report.metrics.size(), 1u);
        EXPECT_EQ(report.metrics[0].first, "steps_taken");
        EXPECT_EQ(report.metrics[0].second, double(report.step));
      });
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(outcome->step, 100);
  EXPECT_FALSE(outcome->stopped);
  EXPECT_LT(*outcome->validationLoss, 1.5);
  EXPECT_EQ(outcome->checkpoint, run.options.folder + "/100/state.safetensors");
  std::vector<Json> log = run.log();
  ASSERT_EQ(log.size(), 100u);
  EXPECT_EQ(log[99].find("step")->asInt(), 100);
  EXPECT_LT(log[99].find("loss")->asDouble(), log[0].find("loss")->asDouble());
  EXPECT_EQ(log[99].find("validation_loss")->asDouble(),
            *outcome->validationLoss);
}

TEST(Trainer, ResumedEqualsUninterrupted) {
  Training whole;
  std::unique_ptr<Trainer> trainer = whole.trainer();
  ASSERT_TRUE(trainer->start().ok());
  ASSERT_TRUE(trainer->run().ok());

  Training parts;
  parts.options.checkpointEvery = 7;
  parts.options.steps = 16;
  std::unique_ptr<Trainer> first = parts.trainer();
  ASSERT_TRUE(first->start().ok());
  ASSERT_TRUE(first->run().ok());
  EXPECT_EQ(listCheckpoints(parts.options.folder),
            (std::vector<int64_t>{7, 14, 16}));
  EXPECT_EQ(parts.log().size(), 16u);
  // Go on from step 14 in a new session with other threads and another seed
  // given: the run's own counts.
  parts.session = bigramSession();
  ASSERT_TRUE(parts.session->setThreads(3).ok());
  parts.options.steps = 30;
  parts.options.seed = 99;
  std::unique_ptr<Trainer> second = parts.trainer();
  Result<CheckpointInfo> info = second->resume(parts.options.folder + "/14");
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(second->stepsDone(), 14);
  EXPECT_EQ(second->seed(), 5u);
  ASSERT_TRUE(second->run().ok());
  EXPECT_EQ(parts.session->weightHash(), whole.session->weightHash());
  // The log goes on without a gap or a double line.
  std::vector<Json> log = parts.log(), expected = whole.log();
  ASSERT_EQ(log.size(), 30u);
  for (size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i].find("step")->asInt(), static_cast<int64_t>(i + 1));
    EXPECT_EQ(*log[i].find("loss"), *expected[i].find("loss"));
  }
}

TEST(Trainer, SeedChangesWeightsAndData) {
  Training a, b;
  b.options.seed = 6;
  std::unique_ptr<Trainer> ta = a.trainer(), tb = b.trainer();
  ASSERT_TRUE(ta->start().ok());
  ASSERT_TRUE(tb->start().ok());
  EXPECT_NE(a.session->weightHash(), b.session->weightHash());
}

TEST(Trainer, StopFinishesTheStepAndSaves) {
  Training run;
  std::atomic<bool> stop{false};
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  Result<Trainer::Outcome> outcome = trainer->run(
      [&](const StepReport &report) {
        if (report.step == 4)
          stop = true;
      },
      &stop);
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome->stopped);
  EXPECT_EQ(listCheckpoints(run.options.folder),
            (std::vector<int64_t>{outcome->step}));
}

TEST(Trainer, ANaNStopsWithTheStepAndKeepsTheState) {
  Training run;
  run.options.steps = 10;
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(trainer->step().ok());
  float *table = reinterpret_cast<float *>(
      run.session->stateData(run.session->manifest().state[0]));
  for (int i = 0; i < 64; ++i)
    table[64 * i + 1] = NAN;
  Digest before = run.session->weightHash();
  Result<Trainer::Outcome> outcome = trainer->run();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.status().code(), Code::NotFinite);
  EXPECT_EQ(outcome.status().message().find("step 4 is not finite: loss "), 0u)
      << outcome.status().message();
  EXPECT_NE(outcome.status().message().find(
                "the state was not updated and is that of step 3"),
            std::string::npos);
  EXPECT_EQ(run.session->weightHash(), before);
  EXPECT_TRUE(listCheckpoints(run.options.folder).empty());
  EXPECT_EQ(trainer->lastInputs().input(0).size(), 512u);
}

TEST(Trainer, DoesNotOverwriteARun) {
  Training run;
  run.options.steps = 2;
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  ASSERT_TRUE(trainer->run().ok());
  EXPECT_EQ(run.trainer()->start().code(), Code::BadArgument);
}

TEST(Trainer, OtherDataAreNoticed) {
  Training run;
  run.options.steps = 2;
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  ASSERT_TRUE(trainer->run().ok());
  Training other(bigramText(30000));
  Status status = other.trainer()->resume(run.options.folder).status();
  EXPECT_EQ(status.code(), Code::Mismatch);
  other.options.allowOtherData = true;
  EXPECT_TRUE(other.trainer()->resume(run.options.folder).ok());
}

TEST(Trainer, KeepsTheLatestCheckpoints) {
  Training run;
  run.options.checkpointEvery = 5;
  run.options.keepCheckpoints = 2;
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  ASSERT_TRUE(trainer->run().ok());
  EXPECT_EQ(listCheckpoints(run.options.folder),
            (std::vector<int64_t>{25, 30}));
}

TEST(Trainer, UnwritableFolderIsAnErrorBeforeTraining) {
  Training run;
  ASSERT_TRUE(writeFile(run.folder / "file", "x").ok());
  run.options.folder = run.folder / "file";
  EXPECT_EQ(run.trainer()->start().code(), Code::Io);
}

TEST(Trainer, TooLittleTextIsAnError) {
  Training run(bigramText(100)); // ten held out, a window needs 17
  Status status =
      Trainer::create(*run.session, *run.data, run.options).status();
  EXPECT_EQ(status.message(),
            "the held-out data have 10 tokens, a window needs 17");
}

TEST(Trainer, RunsWithoutAFolder) {
  Training run;
  run.options.folder.clear();
  run.options.steps = 3;
  std::unique_ptr<Trainer> trainer = run.trainer();
  ASSERT_TRUE(trainer->start().ok());
  Result<Trainer::Outcome> outcome = trainer->run();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->step, 3);
  EXPECT_TRUE(outcome->checkpoint.empty());
}

TEST(TrainLog, DropsWhatAKilledProcessLeft) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeFile(folder / "log.jsonl",
                        "{\"step\":1,\"loss\":2.0}\n{\"step\":2}\n"
                        "{\"step\":3}\n{\"step\":4,\"lo")
                  .ok());
  {
    Result<TrainLog> log = TrainLog::open(folder.path, 2);
    ASSERT_TRUE(log.ok());
    StepReport report;
    report.step = 3;
    report.loss = 1.5;
    ASSERT_TRUE(log->add(report).ok());
  }
  std::string text = *readFile(folder / "log.jsonl", 1 << 20);
  EXPECT_EQ(text.find("{\"step\":1,\"loss\":2.0}\n{\"step\":2}\n{\"step\":3,"
                      "\"loss\":1.5,"),
            0u)
      << text;
}
