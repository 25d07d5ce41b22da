//===- CudaCode.h - Cubins of an artifact, loaded --------------*- C++ -*-===//
#ifndef TARN_RUNTIME_CUDACODE_H
#define TARN_RUNTIME_CUDACODE_H

#include "runtime/Gpu.h"

#include <string_view>
#include <vector>

namespace tarn::rt {

/// The images of a CUDA target and their kernels, ready to be launched: loaded
/// onto the device, with the shared memory that they ask for, and their
/// parameters as the manifest says.
class CudaCode {
public:
  CudaCode() = default;
  CudaCode(CudaCode &&) = default;
  CudaCode &operator=(CudaCode &&) = default;

  /// Loads them from the target's code section.
  static Result<CudaCode> load(const Gpu &gpu, const Target &target,
                               std::string_view section);
  /// A kernel of the target, for launches; null for a library's.
  void *kernel(size_t index) const { return kernels[index]; }

private:
  Status prepare(const Gpu &gpu, const Target &target, const Kernel &kernel);

  std::vector<CudaHandle> images;
  std::vector<void *> kernels; ///< owned by their images
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_CUDACODE_H
