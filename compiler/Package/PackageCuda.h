//===- PackageCuda.h - a GPU's kernels in the manifest ----------*- C++ -*-===//

#ifndef COMPILER_PACKAGE_PACKAGECUDA_H
#define COMPILER_PACKAGE_PACKAGECUDA_H

#include "compiler/Target/Cuda/CompileKernels.h"
#include "runtime/Manifest.h"

namespace tarn {

/// Fills kind, architecture, compiler and images of a target; returns the bytes
/// of its section.
std::string describeImages(const cuda::CompiledKernels &code,
                           rt::Target &target);

/// Fills how kernel `index` of `code` is launched.
void describeLaunch(tile::KernelOp kernel, const cuda::CompiledKernels &code,
                    size_t index, rt::Kernel &result);

/// Fills what the library is told that runs the kernel, and gives it a
/// workspace behind its buffers.
void describeLibrary(tile::KernelOp kernel, rt::Kernel &result);

/// Fills which candidate it is, in artifacts for tuning.
void describeTune(tile::KernelOp kernel, rt::Kernel &result);

/// The element type of a buffer.
rt::DType dtypeOf(mlir::Type type);

} // namespace tarn

#endif // COMPILER_PACKAGE_PACKAGECUDA_H
