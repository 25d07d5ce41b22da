//===- AttentionShape.h - what attention's blocks depend on -----*- C++ -*-===//

#ifndef PASSES_TILE_ATTENTIONSHAPE_H
#define PASSES_TILE_ATTENTIONSHAPE_H

#include "dialects/Tarn/TarnOps.h"
#include "passes/Tile/TileSizes.h"

namespace tarn {

/// What block sizes depend on, of the op or of a part of it.
template <typename Op>
AttentionShape attentionShapeOf(Op op, AttentionPass pass) {
  auto q = graph::tensorType(op.getQ()), k = graph::tensorType(op.getK());
  AttentionShape shape;
  shape.batch = q.getDimSize(0);
  shape.heads = q.getDimSize(1);
  shape.keyHeads = k.getDimSize(1);
  shape.queries = q.getDimSize(2);
  shape.keys = k.getDimSize(2);
  shape.features = q.getDimSize(3);
  shape.columns = graph::tensorType(op.getV()).getDimSize(3);
  shape.elementBytes = llvm::divideCeil(q.getElementTypeBitWidth(), 8);
  shape.isCausal = graph::AttentionOp::isCausalMask(op.getMask());
  shape.pass = pass;
  shape.isTf32 = op.getTf32();
  return shape;
}

} // namespace tarn

#endif // PASSES_TILE_ATTENTIONSHAPE_H
