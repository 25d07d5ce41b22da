//===- Trainer.h - The training loop ---------------------------*- C++ -*-===//
#ifndef TARN_RUNTIME_TRAINER_H
#define TARN_RUNTIME_TRAINER_H

#include "runtime/Checkpoint.h"
#include "runtime/Data.h"
#include "runtime/Feed.h"
#include "runtime/Session.h"
#include "runtime/TrainLog.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tarn::rt {

struct TrainOptions {
  int64_t steps = 1000;         ///< the last step, counted from the first run
  uint64_t seed = 0;            ///< of weights and data; a resumed run has its
                                ///< own
  std::string folder;           ///< of checkpoints and log; empty: no files
  int64_t checkpointEvery = 0;  ///< steps; 0: only at the end
  size_t keepCheckpoints = 0;   ///< 0: all
  int64_t validateEvery = 0;    ///< steps; 0: never
  int64_t validateBatches = 20; ///< runs of the eval function each time
  bool allowOtherData = false;  ///< resume although the data have changed
};

/// Runs steps of a language model on tokens. A step's batch is a function of
/// the seed and the step's number, and everything else that a step reads is
/// saved state: a resumed run computes what the uninterrupted one would have.
class Trainer {
public:
  /// `session` and `data` must outlive the trainer. Checks that the artifact's
  /// functions can be fed.
  static Result<std::unique_ptr<Trainer>>
  create(Session &session, const Dataset &data, const TrainOptions &options);

  /// Begins at step 0 with fresh weights. A folder that already has
  /// checkpoints is an error.
  Status start();
  /// Begins where a checkpoint ended; see findCheckpoint. Log lines of later
  /// steps are dropped.
  Result<CheckpointInfo> resume(const std::string &path);

  /// One step. A step whose result is not finite is an error (NotFinite) that
  /// leaves state and step count as they were.
  Result<StepReport> step();
  /// Mean loss over windows spread evenly over the held-out data.
  Result<double> validate();
  /// Saves a checkpoint of the last finished step.
  Result<std::string> save();

  /// How run() ended.
  struct Outcome {
    int64_t step = 0;                     ///< last finished step
    bool stopped = false;                 ///< by the flag, before the last step
    std::string checkpoint;               ///< written at the end, or ""
    std::optional<double> validationLoss; ///< the last one
  };
  using Progress = std::function<void(const StepReport &)>;

  /// Steps until the last one or until `stop` is set (then the running step is
  /// finished), with validation, log and checkpoints as the options say, and a
  /// checkpoint at the end. `progress` sees every step.
  Result<Outcome> run(const Progress &progress = {},
                      const std::atomic<bool> *stop = nullptr);

  int64_t stepsDone() const { return done; }
  uint64_t seed() const { return options.seed; }
  /// Tokens that one step learns from.
  uint64_t tokensPerStep() const { return feed.rows() * feed.length(); }
  bool canValidate() const { return evaluation.has_value(); }
  /// After a step that was not finite: its inputs, to replay it.
  const Feed &lastInputs() const { return feed; }
  const Function &trainFunction() const {
    return session.functions()[trainIndex];
  }

private:
  Trainer(Session &session, const Dataset &data, const TrainOptions &options,
          Feed feed)
      : session(session), data(data), options(options), feed(std::move(feed)) {}
  Metadata position() const;
  Status fill(int64_t step);

  Session &session;
  const Dataset &data;
  TrainOptions options;
  size_t trainIndex = 0, evaluateIndex = 0;
  Feed feed;
  std::optional<Feed> evaluation;
  std::optional<TrainLog> file;
  int64_t done = 0;
  int64_t filledStep = -1; ///< whose batch the feed holds
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_TRAINER_H
