//===- Passes.h - phase `plan` ----------------------------------*- C++ -*-===//

#ifndef PASSES_PLAN_PASSES_H
#define PASSES_PLAN_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace tarn {

#define GEN_PASS_DECL
#include "passes/Plan/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Plan/Passes.h.inc"

} // namespace tarn

#endif // PASSES_PLAN_PASSES_H
