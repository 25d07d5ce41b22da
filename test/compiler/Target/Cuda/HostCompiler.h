//===- HostCompiler.h - emitted text as code of this machine ----*- C++ -*-===//

#ifndef TEST_COMPILER_TARGET_CUDA_HOSTCOMPILER_H
#define TEST_COMPILER_TARGET_CUDA_HOSTCOMPILER_H

#include "compiler/Target/Cuda/Nvrtc.h"

namespace tarn::test {

/// Makes shared objects of emitted text with the host's compiler, against the
/// host back end of tarn_device.h: what the host driver of test/gpu loads in
/// place of cubins.
class HostCompiler : public cuda::KernelCompiler {
public:
  std::string version() const override { return ""; }
  std::string identity(const std::string &architecture) const override;
  bool makesCubins() const override { return false; }
  bool knows(const std::string &, std::string &) const override { return true; }
  bool compile(const std::string &text, const std::string &header,
               const std::string &name, const std::string &architecture,
               cuda::CompiledKernel &result) const override;
};

} // namespace tarn::test

#endif // TEST_COMPILER_TARGET_CUDA_HOSTCOMPILER_H
