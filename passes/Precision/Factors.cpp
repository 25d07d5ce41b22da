//===- Factors.cpp - what products read -----------------------------------===//

#include "passes/Precision/Factors.h"

using namespace mlir;
using namespace tarn;
using graph::TileKind;

bool Factors::feedsProduct(Value value) {
  auto [found, isNew] = known.try_emplace(value, false);
  if (!isNew)
    return found->second;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    auto product = dyn_cast<graph::ProductOp>(user);
    bool feeds = product && llvm::is_contained(product.getFactors(),
                                               use.getOperandNumber());
    auto indexed = dyn_cast<graph::IndexedOp>(user);
    if (!product && indexed &&
        (indexed.getTileKind() == TileKind::elementwise ||
         indexed.getTileKind() == TileKind::view))
      for (Value result : user->getResults())
        feeds |= feedsProduct(result);
    if (feeds)
      return known[value] = true;
  }
  return false;
}
