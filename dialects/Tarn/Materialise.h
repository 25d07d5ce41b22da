//===- Materialise.h - attention op by op -----------------------*- C++ -*-===//

#ifndef DIALECTS_TARN_MATERIALISE_H
#define DIALECTS_TARN_MATERIALISE_H

#include "dialects/Tarn/TarnOps.h"

namespace tarn::graph {

/// Attention as products and a softmax, with all probabilities in memory: what
/// it is without a kernel of its own, and what dropout on the probabilities
/// needs. `onProbabilities` (may be null) is given them [B, H, T, S] in f32 and
/// returns those that the values are mixed by. Rows without a key mix to 0 only
/// if `anyRow`; without it, every row must have one. The op stays; its lse is
/// not made.
mlir::Value materialiseAttention(
    mlir::OpBuilder &builder, AttentionOp op, bool anyRow,
    llvm::function_ref<mlir::Value(mlir::Value)> onProbabilities = nullptr);

} // namespace tarn::graph

#endif // DIALECTS_TARN_MATERIALISE_H
