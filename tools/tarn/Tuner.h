//===- Tuner.h - times candidates on the GPU of this machine ----*- C++ -*-===//
//
// What `tarn bench --tune` does. Needs the runtime and no compiler.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_TARN_TUNER_H
#define TOOLS_TARN_TUNER_H

#include "compiler/Cost/Tuning.h"
#include "runtime/Session.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tarn::cli {

/// Times the candidates of each product in an artifact of `tarn compile
/// --tune-candidates`.
class Tuner {
public:
  /// Loads the artifact on the GPU. NotFound if it holds none.
  static rt::Result<Tuner> open(std::shared_ptr<const rt::Model> model);

  /// What a user should know, a line each.
  std::vector<std::string> notes() const { return session->notes(); }
  /// Runs each function of candidates `steps` times after a first one;
  /// `progress` is told of each before it runs. Cases that the library does not
  /// take become remarks.
  rt::Result<Tuning>
  run(int64_t steps,
      const std::function<void(size_t function, size_t count)> &progress = {});
  const std::vector<std::string> &remarks() const { return said; }

private:
  rt::Status measure(size_t function, int64_t steps,
                     std::vector<double> &seconds);
  rt::Status tuneFunction(size_t function, int64_t steps);

  std::unique_ptr<rt::Session> session;
  Tuning tuning;
  std::vector<std::string> said;
};

/// Prints a line for each product: seconds without tuning, of the fastest of
/// Tarn's kernels and of cuBLASLt; and how these two compare.
void printTuning(const Tuning &tuning);

} // namespace tarn::cli

#endif // TOOLS_TARN_TUNER_H
