//===- Reshapes.cpp - what passes that move reshapes share ----------------===//

#include "passes/Layout/Reshapes.h"

#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

Value tarn::reshaped(OpBuilder &b, Location loc, Value value,
                     ArrayRef<int64_t> shape) {
  auto type = tensorType(value);
  if (type.getShape() == shape)
    return value;
  if (auto reshape = value.getDefiningOp<ReshapeOp>())
    if (tensorType(reshape.getX()).getShape() == shape)
      return reshape.getX();
  if (auto constant = value.getDefiningOp<ConstantOp>())
    if (constant.getValue().isSplat())
      return ConstantOp::create(b, loc,
                                cast<DenseElementsAttr>(constant.getValue())
                                    .resizeSplat(type.clone(shape)));
  return ReshapeOp::create(b, loc, value, shape);
}

bool tarn::isPlainElementwise(Operation *op) {
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed || indexed.getTileKind() != TileKind::elementwise ||
      op->getNumOperands() == 0 || op->getNumResults() != 1)
    return false;
  ArrayRef<int64_t> shape = tensorType(op->getResult(0)).getShape();
  for (Value operand : op->getOperands())
    if (tensorType(operand).getShape() != shape)
      return false;
  return llvm::all_of(indexed.getIndexingMaps(),
                      [](AffineMap map) { return map && map.isIdentity(); });
}
