//===- Session.h - the C interface with owners ------------------*- C++ -*-===//

#ifndef TOOLS_TARN_SESSION_H
#define TOOLS_TARN_SESSION_H

#include "runtime/Session.h"
#include "runtime/tarn.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tarn::cli {

struct CloseArtifact {
  void operator()(tarn_artifact *artifact) const {
    tarn_artifact_close(artifact);
  }
};
struct DestroySession {
  void operator()(tarn_session *session) const {
    tarn_session_destroy(session);
  }
};
using ArtifactHandle = std::unique_ptr<tarn_artifact, CloseArtifact>;
using SessionHandle = std::unique_ptr<tarn_session, DestroySession>;

/// Prints the runtime's last error; returns the exit code for `status`: 70 when
/// the runtime calls it a bug, else 1.
int reportRuntimeError(tarn_status status);

/// The same for the runtime's C++ interface; `help` is the way out, if any.
int reportRuntimeError(const rt::Status &status, const std::string &help = "");

/// Opens an artifact from memory and makes a session on it. Returns an
/// ExitCode.
int openSession(const std::vector<char> &bytes, int threads, bool profile,
                ArtifactHandle &artifact, SessionHandle &session);

/// The buffers of one function's inputs and outputs, zeroed.
class Bindings {
public:
  Bindings(const tarn_artifact *artifact, int function);
  const void *const *inputs() const { return inputPointers.data(); }
  void *const *outputs() const { return outputPointers.data(); }
  std::vector<char> &input(int i) { return inputBytes[i]; }
  std::vector<char> &output(int i) { return outputBytes[i]; }
  const tarn_tensor_info &inputInfo(int i) const { return inputInfos[i]; }
  const tarn_tensor_info &outputInfo(int i) const { return outputInfos[i]; }
  int inputCount() const { return int(inputInfos.size()); }
  int outputCount() const { return int(outputInfos.size()); }
  /// The index of an output by name, or -1.
  int findOutput(const char *name) const;

private:
  std::vector<tarn_tensor_info> inputInfos, outputInfos;
  std::vector<std::vector<char>> inputBytes, outputBytes;
  std::vector<const void *> inputPointers;
  std::vector<void *> outputPointers;
};

/// The first function of this kind ("train", "eval", ...), or -1.
int findFunctionOfKind(const tarn_artifact *artifact, const char *kind);

/// `f32[12, 64]`.
std::string describeType(const tarn_tensor_info &info);

/// Prints the kernels by time, with shares and rates: what --profile shows.
/// `predicted` has seconds of one launch for each kernel, or is empty.
void printProfile(const std::vector<tarn_kernel_time> &times,
                  const std::vector<double> &predicted = {});

/// What a session has measured, kernel by kernel.
std::vector<tarn_kernel_time> profileOf(const tarn_session *session);
std::vector<tarn_kernel_time> profileOf(const rt::Session &session);

} // namespace tarn::cli

#endif // TOOLS_TARN_SESSION_H
