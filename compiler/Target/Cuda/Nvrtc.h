//===- Nvrtc.h - compile CUDA text with NVRTC -------------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_NVRTC_H
#define COMPILER_TARGET_CUDA_NVRTC_H

#include <memory>
#include <string>
#include <vector>

namespace tarn::cuda {

/// What became of a kernel's text.
struct CompiledKernel {
  std::string cubin, log;
  /// What ptxas reports, for the worst kernel of the text.
  unsigned registers = 0, spilledBytes = 0;
  /// Notes (C75xx) that products of the tensor cores run one by one, or that
  /// setmaxnreg is ignored.
  std::vector<std::string> serialisation;

  /// Takes these figures out of the log.
  void readLog();
};

/// What makes machine code of emitted text: NVRTC, or in tests the host's
/// compiler. May be used by several threads at once.
class KernelCompiler {
public:
  virtual ~KernelCompiler() = default;
  /// "13.0.88".
  virtual std::string version() const = 0;
  /// What decides its results beside the text: version and options.
  virtual std::string identity(const std::string &architecture) const = 0;
  /// Whether it makes cubins, and not something for tests.
  virtual bool makesCubins() const { return true; }
  /// Whether it makes code for "sm_90a"; if not, `error` says what to do.
  virtual bool knows(const std::string &architecture,
                     std::string &error) const = 0;
  /// Compiles `text`, which includes tarn_device.h with the text `header`, for
  /// an architecture. False if it has errors, which are in the log.
  virtual bool compile(const std::string &text, const std::string &header,
                       const std::string &name, const std::string &architecture,
                       CompiledKernel &result) const = 0;
};

/// The CUDA compiler library, loaded at run time: the file that TARN_NVRTC
/// names; else the PyPI wheel that tools/setup/install.sh brought, the dynamic
/// loader's path, a toolkit, or a wheel nvidia-cuda-nvrtc in the Pythons of
/// this user. It opens the driver library by itself.
class Nvrtc : public KernelCompiler {
public:
  /// Loads the library; null, and why and what to do, if there is none.
  static std::unique_ptr<Nvrtc> load(std::string &error);
  ~Nvrtc() override;

  std::string version() const override { return release; }
  std::string identity(const std::string &architecture) const override;
  bool knows(const std::string &architecture,
             std::string &error) const override;
  bool compile(const std::string &text, const std::string &header,
               const std::string &name, const std::string &architecture,
               CompiledKernel &result) const override;

private:
  Nvrtc() = default;
  std::string findRelease() const;
  struct Api;
  std::unique_ptr<Api> api;
  std::string path, release;
};

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_NVRTC_H
