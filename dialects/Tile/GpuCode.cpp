//===- GpuCode.cpp - what code for a GPU will be like ---------------------===//

#include "dialects/Tile/GpuCode.h"

#include "llvm/Support/ErrorHandling.h"

using namespace mlir;
using namespace tarn::tile;

const GpuCode &GpuCode::of(MLIRContext *context) {
  auto *dialect = context->getLoadedDialect<TileDialect>();
  auto *code = dialect ? dialect->getRegisteredInterface<GpuCode>() : nullptr;
  if (!code)
    llvm::report_fatal_error("no target for GPUs is registered");
  return *code;
}
