//===- Emit.cpp - which way a kernel takes --------------------------------===//

#include "compiler/Target/Cuda/EmitCuda.h"

#include "compiler/Target/Cuda/Simt.h"
#include "compiler/Target/Cuda/TensorCore.h"

#include "mlir/IR/Diagnostics.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Emits a kernel with wgmma and TMA. What they cannot take is no error: it
/// goes the general way.
static FailureOr<CudaKernel> tryWgmma(tile::KernelOp kernel,
                                      const CudaOptions &options,
                                      llvm::raw_ostream &os) {
  ScopedDiagnosticHandler quiet(kernel.getContext(), [&](Diagnostic &reason) {
    if (options.whyNotWgmma && options.whyNotWgmma->empty())
      *options.whyNotWgmma = reason.str();
    return success();
  });
  FailureOr<Operands> operands = analyseOperands(kernel, options);
  if (failed(operands) || operands->dots.empty())
    return failure();
  CudaKernel launch;
  launch.architecture = options.architecture;
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(TensorCoreEmitter(kernel, options, std::move(*operands), launch)
                 .run(stream)))
    return failure();
  os << text;
  return launch;
}

FailureOr<CudaKernel> cuda::emitCuda(tile::KernelOp kernel,
                                     const CudaOptions &options,
                                     llvm::raw_ostream &os) {
  if (options.architecture == Architecture::sm_90a && options.wgmma) {
    FailureOr<CudaKernel> launch = tryWgmma(kernel, options, os);
    if (succeeded(launch))
      return launch;
  }
  CudaKernel launch;
  launch.architecture = options.architecture;
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(SimtEmitter(kernel, options, launch).run(stream)))
    return failure();
  os << text;
  return launch;
}
