//===- CudaTranslation.cpp - tile kernels to CUDA text --------------------===//

#include "tools/tarn-translate/CudaTranslation.h"

#include "compiler/Driver/Registry.h"
#include "compiler/Target/Cuda/EmitCuda.h"

#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

namespace {

/// Options of the CUDA translations.
struct CudaFlags {
  llvm::cl::opt<bool> lines{"cuda-lines", llvm::cl::init(false),
                            llvm::cl::desc("emit #line directives")};
  llvm::cl::opt<bool> rotate{
      "cuda-rotate", llvm::cl::init(true),
      llvm::cl::desc("issue the next turn's first dot before the sweeps")};
  llvm::cl::opt<std::string> arch{
      "cuda-arch", llvm::cl::init("sm_90a"),
      llvm::cl::desc("the architecture: sm_80, sm_89 or sm_90a")};
  llvm::cl::opt<bool> wgmma{"cuda-wgmma", llvm::cl::init(true),
                            llvm::cl::desc("use wgmma and TMA on sm_90a")};
  llvm::cl::opt<unsigned> stages{"cuda-stages", llvm::cl::init(0),
                                 llvm::cl::desc("depth of the operands' ring; "
                                                "0 = as fits")};
};

} // namespace

/// Emits every kernel below `op`: its text, or how it is launched.
static LogicalResult emitKernels(Operation *op, const CudaFlags &flags,
                                 bool launches, llvm::raw_ostream &os) {
  tarn::cuda::CudaOptions options;
  options.lines = flags.lines;
  options.rotate = flags.rotate;
  options.wgmma = flags.wgmma;
  std::optional<tarn::cuda::Architecture> architecture =
      tarn::cuda::findArchitecture(flags.arch);
  if (!architecture)
    return op->emitError("no CUDA architecture '")
           << flags.arch << "' (sm_80, sm_89, sm_90a)";
  options.architecture = *architecture;
  options.stages = flags.stages;
  WalkResult walked = op->walk([&](tarn::tile::KernelOp kernel) {
    std::string text;
    llvm::raw_string_ostream textStream(text);
    FailureOr<tarn::cuda::CudaKernel> launch =
        tarn::cuda::emitCuda(kernel, options, textStream);
    if (failed(launch))
      return WalkResult::interrupt();
    if (launches)
      tarn::cuda::writeLaunch(kernel, *launch, os);
    else
      os << text;
    return WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

void tarn::registerCudaTranslations() {
  static CudaFlags flags;
  auto dialects = [](DialectRegistry &registry) {
    tarn::registerDialects(registry);
  };
  static TranslateFromMLIRRegistration text(
      "tile-to-cuda", "tile kernels to CUDA C++",
      [](Operation *op, llvm::raw_ostream &os) {
        return emitKernels(op, flags, /*launches=*/false, os);
      },
      dialects);
  static TranslateFromMLIRRegistration launch(
      "tile-to-cuda-launch", "how the kernels of tile-to-cuda are launched",
      [](Operation *op, llvm::raw_ostream &os) {
        return emitKernels(op, flags, /*launches=*/true, os);
      },
      dialects);
}
