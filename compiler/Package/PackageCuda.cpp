//===- PackageCuda.cpp - a GPU's kernels in the manifest ------------------===//

#include "compiler/Package/PackageCuda.h"

using namespace mlir;
using namespace tarn;

/// Where an image may begin in its section.
static constexpr uint64_t imageAlignment = 64;

std::string tarn::describeImages(const cuda::CompiledKernels &code,
                                 rt::Target &target) {
  target.kind = rt::TargetKind::Cuda;
  target.isa = code.cubins ? code.architecture : "host";
  target.nvrtc = code.compiler;
  std::string section;
  for (const cuda::Image &image : code.images) {
    section.resize(llvm::alignTo(section.size(), imageAlignment));
    target.images.push_back({section.size(), image.code.cubin.size()});
    section += image.code.cubin;
  }
  return section;
}

/// What cuTensorMapEncodeTiled is given: dims from the fastest on.
static rt::TensorMapDesc mapOf(MemRefType type,
                               const cuda::CudaParameter &parameter) {
  rt::TensorMapDesc map;
  map.dtype = dtypeOf(type.getElementType());
  uint64_t stride = type.getElementTypeBitWidth() / 8;
  for (int64_t d = type.getRank() - 1; d >= 0; --d) {
    map.sizes.push_back(type.getDimSize(d));
    map.box.push_back(uint32_t(parameter.box[d]));
    stride *= type.getDimSize(d);
    if (d > 0)
      map.strides.push_back(stride);
  }
  return map;
}

void tarn::describeLaunch(tile::KernelOp kernel,
                          const cuda::CompiledKernels &code, size_t index,
                          rt::Kernel &result) {
  const cuda::CudaKernel &launch = code.kernels[index];
  result.symbol = launch.name;
  result.image = uint32_t(code.imageOf[index]);
  result.threads = launch.threads;
  result.shared = launch.sharedBytes;
  result.registers = code.registers.empty() ? 0 : code.registers[index];
  for (const cuda::CudaParameter &parameter : launch.parameters) {
    rt::KernelParam param;
    param.buffer = parameter.buffer;
    if (parameter.isTensorMap)
      param.map = mapOf(kernel.getBufferType(parameter.buffer), parameter);
    result.params.push_back(std::move(param));
  }
}
