//===- Launch.cpp - how emitted kernels are launched ----------------------===//

#include "compiler/Target/Cuda/EmitCuda.h"

using namespace tarn;
using namespace tarn::cuda;

static const char deviceHeader[] =
#include "compiler/Target/Cuda/DeviceHeader.inc"
    ;

llvm::StringRef cuda::getDeviceHeader() { return deviceHeader; }

void cuda::writeLaunch(tile::KernelOp kernel, const CudaKernel &launch,
                       llvm::raw_ostream &os) {
  os << "kernel " << launch.name << "\nblocks " << launch.blocks << "\nthreads "
     << launch.threads << "\nshared " << launch.sharedBytes << "\n";
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    mlir::MemRefType type = kernel.getBufferType(i);
    os << "buffer " << tile::stringifyAccess(kernel.getBufferAccess(i)) << " "
       << type.getElementType();
    for (int64_t size : type.getShape())
      os << " " << size;
    os << "\n";
  }
  for (const CudaParameter &parameter : launch.parameters) {
    if (!parameter.isTensorMap) {
      os << "pointer " << parameter.buffer << "\n";
      continue;
    }
    os << "map " << parameter.buffer << " box";
    for (int64_t extent : parameter.box)
      os << " " << extent;
    os << "\n";
  }
}
