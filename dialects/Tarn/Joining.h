//===- Joining.h - ops that put values together -----------------*- C++ -*-===//

#ifndef DIALECTS_TARN_JOINING_H
#define DIALECTS_TARN_JOINING_H

#include "mlir/IR/Operation.h"

#include <optional>

namespace tarn::graph {

/// The dim along which an op puts its operands one behind the other; nothing
/// for an op that does anything else, and for none.
std::optional<int64_t> joinedDim(mlir::Operation *op);

} // namespace tarn::graph

#endif // DIALECTS_TARN_JOINING_H
