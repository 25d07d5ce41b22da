//===- Passes.h - phase `tile` ----------------------------------*- C++ -*-===//

#ifndef PASSES_TILE_PASSES_H
#define PASSES_TILE_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace tarn {

#define GEN_PASS_DECL
#include "passes/Tile/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Tile/Passes.h.inc"

} // namespace tarn

#endif // PASSES_TILE_PASSES_H
