//===- Passes.h - phase `fuse` ----------------------------------*- C++ -*-===//

#ifndef PASSES_FUSE_PASSES_H
#define PASSES_FUSE_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tarn {

#define GEN_PASS_DECL
#include "passes/Fuse/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Fuse/Passes.h.inc"

} // namespace tarn

#endif // PASSES_FUSE_PASSES_H
