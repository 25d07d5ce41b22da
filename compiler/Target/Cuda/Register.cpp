//===- Register.cpp - what passes may ask about CUDA code -----------------===//

#include "compiler/Target/Cuda/Register.h"

#include "compiler/Target/Cuda/Group.h"
#include "dialects/Tile/GpuCode.h"
#include "dialects/Tile/TileDialect.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cuda;

namespace {

class CudaCode : public tile::GpuCode {
public:
  using GpuCode::GpuCode;

  bool multipliesByWarpgroups(tile::KernelOp kernel) const override {
    CudaOptions options;
    options.lines = false;
    FailureOr<CudaKernel> launch = emitCuda(kernel, options, llvm::nulls());
    return succeeded(launch) && launch->family == Family::wgmma;
  }
  std::optional<unsigned> threadsInGroup(tile::KernelOp kernel) const override {
    return cuda::threadsInGroup(kernel);
  }
  bool fitsInGroup(int64_t members, int64_t buffers) const override {
    return tableBytes(members, buffers) <= parameterBytesLimit;
  }
};

} // namespace

void cuda::registerCode(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, tile::TileDialect *dialect) {
    dialect->addInterfaces<CudaCode>();
  });
}
