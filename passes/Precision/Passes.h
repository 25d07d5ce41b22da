//===- Passes.h - phase `precision` -----------------------------*- C++ -*-===//

#ifndef PASSES_PRECISION_PASSES_H
#define PASSES_PRECISION_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tarn {

#define GEN_PASS_DECL
#include "passes/Precision/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Precision/Passes.h.inc"

} // namespace tarn

#endif // PASSES_PRECISION_PASSES_H
