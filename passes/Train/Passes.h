//===- Passes.h - phase `train` ---------------------------------*- C++ -*-===//

#ifndef PASSES_TRAIN_PASSES_H
#define PASSES_TRAIN_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tarn {

#define GEN_PASS_DECL
#include "passes/Train/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Train/Passes.h.inc"

} // namespace tarn

#endif // PASSES_TRAIN_PASSES_H
