//===- Passes.h - passes on the forward graph -------------------*- C++ -*-===//

#ifndef PASSES_GRAPH_PASSES_H
#define PASSES_GRAPH_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tarn::graph {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Graph/Passes.h.inc"

} // namespace tarn::graph

#endif // PASSES_GRAPH_PASSES_H
