//===- Factors.h - what products read ---------------------------*- C++ -*-===//

#ifndef PASSES_PRECISION_FACTORS_H
#define PASSES_PRECISION_FACTORS_H

#include "dialects/Tarn/TarnOps.h"

namespace tarn {

/// Finds out whether products read values, through elementwise ops and views:
/// then they are activations or their gradients. Gradients of weights are none.
/// Whatever changes uses makes it stale.
class Factors {
public:
  bool feedsProduct(mlir::Value value);

private:
  llvm::DenseMap<mlir::Value, bool> known;
};

} // namespace tarn

#endif // PASSES_PRECISION_FACTORS_H
