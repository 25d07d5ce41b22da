//===- CrashGuard.h - a crash of ours becomes exit 70 -----------*- C++ -*-===//

#ifndef TOOLS_TARN_CRASHGUARD_H
#define TOOLS_TARN_CRASHGUARD_H

#include <string>
#include <vector>

namespace tarn::cli {

/// From here on a fatal signal (or a failed internal check) prints that it is
/// Tarn's fault, writes a reproducer (the command line and a copy of the model)
/// into a new folder `tarn-reproducer-PID`, and exits with 70.
void installCrashGuard(const std::vector<std::string> &words,
                       const std::string &model);

/// The same for a failure that was noticed: prints `message` as a bug of Tarn's
/// with its reproducer. Returns exit code 70.
int reportInternalError(const std::string &message);

} // namespace tarn::cli

#endif // TOOLS_TARN_CRASHGUARD_H
