//===- Joining.cpp - ops that put values together -------------------------===//

#include "dialects/Tarn/Joining.h"

#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn::graph;

std::optional<int64_t> tarn::graph::joinedDim(Operation *op) {
  auto concat = dyn_cast_or_null<ConcatOp>(op);
  return concat ? std::optional<int64_t>(concat.getDim()) : std::nullopt;
}
