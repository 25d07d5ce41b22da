//===- Emit.cpp - which way a kernel takes --------------------------------===//

#include "compiler/Target/Cuda/EmitCuda.h"

#include "compiler/Target/Cuda/Operands.h"
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

/// Refuses what a launch, or a position in 32 bits, does not reach. Tensors
/// themselves may be larger: places in them are counted in 64 bits.
static LogicalResult checkSizes(tile::KernelOp kernel) {
  int64_t blocks = 1;
  for (unsigned d = 0; d != kernel.getGridRank(); ++d)
    if (!kernel.getGridSequential()[d] &&
        llvm::MulOverflow(blocks, kernel.getGridBlocks(d), blocks))
      blocks = INT64_MAX;
  if (blocks > INT32_MAX)
    return unsupported(kernel)
           << "a grid of " << blocks << " blocks, a launch takes " << INT32_MAX;
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    for (int64_t size : kernel.getBufferType(i).getShape())
      if (size > INT32_MAX)
        return unsupported(kernel)
               << "a dim of " << size << " elements, positions reach "
               << INT32_MAX << "; the model has to split it";
  return success();
}

FailureOr<CudaKernel> cuda::emitCuda(tile::KernelOp kernel,
                                     const CudaOptions &options,
                                     llvm::raw_ostream &os) {
  if (failed(checkSizes(kernel)))
    return failure();
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
