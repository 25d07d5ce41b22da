//===- TileEvaluator.h - running tile bodies in float64 ---------*- C++ -*-===//

#ifndef TEST_OPS_TILEEVALUATOR_H
#define TEST_OPS_TILEEVALUATOR_H

#include "dialects/Tarn/TarnInterfaces.h"

namespace tarn::test {

/// Runs the loop nest that an op describes through IndexedOp: maps, kinds and
/// tile body, with one tile as large as the loops. Fails for composites.
mlir::FailureOr<std::vector<HostTensor>>
evaluateLoops(graph::IndexedOp op, llvm::ArrayRef<HostTensor> operands);

} // namespace tarn::test

#endif // TEST_OPS_TILEEVALUATOR_H
