//===- Passes.h - phase `layout` --------------------------------*- C++ -*-===//

#ifndef PASSES_LAYOUT_PASSES_H
#define PASSES_LAYOUT_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tarn {

#define GEN_PASS_DECL
#include "passes/Layout/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Layout/Passes.h.inc"

} // namespace tarn

#endif // PASSES_LAYOUT_PASSES_H
