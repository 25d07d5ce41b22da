//===- Nvrtc.h - compile CUDA text with NVRTC -------------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_NVRTC_H
#define COMPILER_TARGET_CUDA_NVRTC_H

#include <memory>
#include <string>
#include <vector>

namespace tarn::cuda {

/// What NVRTC makes of a kernel's text.
struct CompiledKernel {
  std::string cubin, log;
  /// What ptxas reports, for the worst kernel of the text.
  unsigned registers = 0, spilledBytes = 0;
  /// Notes (C75xx) that products of the tensor cores run one by one, or that
  /// setmaxnreg is ignored.
  std::vector<std::string> serialisation;
};

/// The CUDA compiler library, loaded at run time: from the variable
/// TARN_NVRTC, the dynamic loader's path, a toolkit in /usr/local/cuda, or a
/// PyPI wheel nvidia-cuda-nvrtc.
class Nvrtc {
public:
  /// Loads the library; null and the reason if there is none.
  static std::unique_ptr<Nvrtc> load(std::string &error);
  ~Nvrtc();

  /// "13.0" for NVRTC of CUDA 13.0.
  std::string version() const;
  /// Compiles `text`, which includes tarn_device.h with the text `header`, for
  /// `architecture` ("sm_90a"). False if it has errors, which are in the log.
  bool compile(const std::string &text, const std::string &header,
               const std::string &name, const std::string &architecture,
               CompiledKernel &result) const;

private:
  Nvrtc() = default;
  struct Api;
  std::unique_ptr<Api> api;
};

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_NVRTC_H
