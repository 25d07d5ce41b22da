//===- CudaModel.h - The test model for the host driver --------*- C++ -*-===//
#ifndef TARN_TEST_RUNTIME_CUDAMODEL_H
#define TARN_TEST_RUNTIME_CUDAMODEL_H

#include "test/runtime/TestModel.h"

#include <cstdint>
#include <memory>
#include <string>

namespace tarn::rt::test {

/// The bigram model with code for processors and, from kernels.cu, for a GPU
/// of this architecture; the kernel `next` reads its row through a tensor map.
Manifest cudaManifest(const std::string &isa = "sm_90a");
/// The kernels of kernels.cu, compiled for the host driver.
const std::string &cudaImage();
/// The artifact with that manifest and this section of GPU code.
std::string cudaArtifact(const Manifest &manifest = cudaManifest(),
                         const std::string &image = cudaImage());

/// The environment of the host driver, as HostDriver.h has it, while it lives.
class HostDriver {
public:
  explicit HostDriver(const std::string &device = "",
                      const std::string &faults = "", uint64_t seed = 1);
  ~HostDriver();
  /// Calls of a driver function, or runs of "@kernel", since the last cuInit;
  /// "live": what the driver has made and not got back.
  static uint64_t count(const char *what);
};

/// A session on an artifact's bytes.
Result<std::unique_ptr<Session>> open(const std::string &artifact,
                                      const SessionOptions &options = {});
/// On the test model's target `isa`; the test fails if there is none.
std::unique_ptr<Session> openOn(const std::string &isa,
                                SessionOptions options = {});

/// A batch for the step function, and its outputs.
struct Batch {
  int32_t tokens[128], targets[128];
  float loss = 0, norm = 0;
  uint8_t finite = 2;
  int32_t steps = 0;
  const void *inputs[2] = {tokens, targets};
  void *outputs[4] = {&loss, &norm, &finite, &steps};
  explicit Batch(int salt = 0) {
    for (int i = 0; i < 128; ++i) {
      tokens[i] = (i * 7 + salt) & 63;
      targets[i] = (tokens[i] + 3) & 63;
    }
  }
};

} // namespace tarn::rt::test

#endif // TARN_TEST_RUNTIME_CUDAMODEL_H
