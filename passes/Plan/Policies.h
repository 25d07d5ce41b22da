//===- Policies.h - plans by rule, to compare with --------------*- C++ -*-===//

#ifndef PASSES_PLAN_POLICIES_H
#define PASSES_PLAN_POLICIES_H

#include "passes/Plan/KernelGraph.h"

namespace tarn {

/// Nothing of the forward pass is kept; what the backward pass needs is made
/// again when it is first read, and kept from then on.
schedule::Plan recomputeAll(const KernelGraph &graph,
                            mlir::func::FuncOp function);

/// Chen et al., arXiv 1604.06174: about sqrt(n) segments of the forward pass;
/// what crosses them is kept, and the last one; the others are made again.
schedule::Plan recomputeSegments(const KernelGraph &graph,
                                 mlir::func::FuncOp function);

} // namespace tarn

#endif // PASSES_PLAN_POLICIES_H
