//===- Checkpoint.h - Saved training state ---------------------*- C++ -*-===//
//
// A checkpoint is RUN/STEP/state.safetensors: every state tensor with `save`
// under its logical name, in the order of the names, so that it does not
// depend on plan, target or batch. Its metadata begins with a SHA-256 of the
// whole file (those digits counted as zeros), so that any changed byte is
// found before the state is touched.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_CHECKPOINT_H
#define TARN_RUNTIME_CHECKPOINT_H

#include "runtime/Safetensors.h"
#include "runtime/Session.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tarn::rt {

/// Bytes of host memory that loading reads through, beside the state and the
/// file's header; saving writes from the state itself.
constexpr uint64_t checkpointStagingBytes = uint64_t(4) << 20;

/// What a checkpoint says about itself.
struct CheckpointInfo {
  std::string path; ///< of the file
  std::string model;
  int64_t step = 0;
  Metadata extra;                 ///< what the saver added
  std::vector<std::string> notes; ///< for the user: hyper-parameters differ
  /// The extra `key`, or "".
  std::string text(std::string_view key) const;
};

/// Saves the state as FOLDER/STEP/state.safetensors, atomically, and returns
/// the file's path. Keys of `extra` must not begin with "tarn.".
Result<std::string> saveCheckpoint(const Session &session,
                                   const std::string &folder, int64_t step,
                                   const Metadata &extra = {});

/// Finds what `path` means: the file, its folder, or the latest checkpoint of
/// a run's folder.
Result<std::string> findCheckpoint(const std::string &path);

/// The steps that have a checkpoint in a run's folder, increasing.
std::vector<int64_t> listCheckpoints(const std::string &folder);

/// Loads a checkpoint (see findCheckpoint) into the session. Damage, another
/// model, and a difference in any saved tensor are errors that leave the state
/// as it was.
Result<CheckpointInfo> loadCheckpoint(Session &session,
                                      const std::string &path);

/// Checks a checkpoint's bytes against its checksum.
Status verifyCheckpoint(const SafetensorsFile &file);

/// True if the file says that it is a checkpoint of ours.
bool isCheckpoint(const SafetensorsFile &file);

/// Deletes all but the latest `keep` checkpoints of a run.
void pruneCheckpoints(const std::string &folder, size_t keep);

} // namespace tarn::rt

#endif // TARN_RUNTIME_CHECKPOINT_H
