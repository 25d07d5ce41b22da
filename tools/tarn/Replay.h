//===- Replay.h - where a step's first bad number came from -----*- C++ -*-===//

#ifndef TOOLS_TARN_REPLAY_H
#define TOOLS_TARN_REPLAY_H

#include "runtime/Trainer.h"
#include "tools/tarn/Options.h"

namespace tarn::cli {

/// Runs the last step of `trainer` again, op by op, by the interpreter (its
/// state is that of before the step), and prints the first op that makes a
/// value that is not finite out of finite ones, with its line of the model.
/// Prints nothing when the model's text cannot be read any more.
void explainNotFinite(const ModelOptions &model, rt::Session &session,
                      const rt::Trainer &trainer);

} // namespace tarn::cli

#endif // TOOLS_TARN_REPLAY_H
