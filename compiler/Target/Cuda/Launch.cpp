//===- Launch.cpp - how emitted kernels are launched ----------------------===//

#include "compiler/Target/Cuda/EmitCuda.h"

#include "dialects/Tile/Analysis.h"

#include "llvm/Support/ErrorHandling.h"

using namespace tarn;
using namespace tarn::cuda;

static const char deviceHeader[] =
#include "compiler/Target/Cuda/DeviceHeader.inc"
    ;

llvm::StringRef cuda::getDeviceHeader() { return deviceHeader; }

std::string cuda::describeBuffer(tile::KernelOp kernel, unsigned buffer) {
  mlir::MemRefType type = kernel.getBufferType(buffer);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << type.getElementType() << " ";
  llvm::interleave(type.getShape(), os, " x ");
  switch (kernel.getBufferAccess(buffer)) {
  case tile::Access::Read:
    os << ", read";
    break;
  case tile::Access::Write:
    os << ", written";
    break;
  case tile::Access::Accumulate:
    os << ", added to";
    break;
  case tile::Access::Partial:
    os << ", a part for each block";
    break;
  }
  return text;
}

llvm::StringRef cuda::getName(Family family) {
  switch (family) {
  case Family::simt:
    return "simt";
  case Family::mma:
    return "mma";
  case Family::wgmma:
    return "wgmma";
  }
  llvm_unreachable("a family without a name");
}

TensorMapGeometry cuda::getTensorMapGeometry(tile::KernelOp kernel,
                                             const CudaParameter &parameter) {
  mlir::MemRefType type = kernel.getBufferType(parameter.buffer);
  TensorMapGeometry geometry;
  geometry.element = type.getElementType();
  int64_t stride = geometry.element.getIntOrFloatBitWidth() / 8;
  for (int64_t d = type.getRank() - 1; d >= 0; --d) {
    geometry.sizes.push_back(type.getDimSize(d));
    geometry.box.push_back(parameter.box[d]);
    stride *= type.getDimSize(d);
    if (d > 0)
      geometry.strides.push_back(stride);
  }
  return geometry;
}

void cuda::writeLaunch(tile::KernelOp kernel, const CudaKernel &launch,
                       llvm::raw_ostream &os) {
  writeLaunch(llvm::ArrayRef(kernel), launch, os);
}

void cuda::writeLaunch(llvm::ArrayRef<tile::KernelOp> members,
                       const CudaKernel &launch, llvm::raw_ostream &os) {
  os << "kernel " << launch.name << "\nblocks " << launch.blocks << "\nthreads "
     << launch.threads << "\nshared " << launch.sharedBytes << "\n";
  if (launch.persistent)
    os << "persistent\n";
  for (tile::KernelOp kernel : members)
    for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
      mlir::MemRefType type = kernel.getBufferType(i);
      os << "buffer " << tile::stringifyAccess(kernel.getBufferAccess(i)) << " "
         << type.getElementType();
      for (int64_t size : type.getShape())
        os << " " << size;
      os << "\n";
    }
  for (const CudaParameter &parameter : launch.parameters) {
    if (!parameter.table.empty()) {
      os << "table";
      for (const CudaWord &word : parameter.table)
        os << (word.isAddress ? " @" : " ") << word.value;
      os << "\n";
      continue;
    }
    if (!parameter.isTensorMap) {
      os << "pointer " << parameter.buffer << "\n";
      continue;
    }
    os << "map " << parameter.buffer << " box";
    for (int64_t extent : parameter.box)
      os << " " << extent;
    os << "\n";
  }
  unsigned first = 0;
  for (tile::KernelOp kernel : members) {
    for (auto [read, written] : tile::getSharedBuffers(kernel))
      os << "in-place " << first + read << " " << first + written << "\n";
    first += kernel.getNumBuffers();
  }
}
