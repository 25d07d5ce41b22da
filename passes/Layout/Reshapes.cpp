//===- Reshapes.cpp - what passes that move reshapes share ----------------===//

#include "passes/Layout/Reshapes.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

SmallVector<DimGroup> tarn::groupDims(ArrayRef<int64_t> outer,
                                      ArrayRef<int64_t> inner) {
  SmallVector<DimGroup> groups;
  int64_t i = 0, j = 0, n = outer.size(), m = inner.size();
  while (i < n || j < m) {
    DimGroup group{i, i, j, j};
    int64_t p = 1, q = 1;
    if (i < n)
      p = outer[i++];
    if (j < m)
      q = inner[j++];
    while (p != q) {
      if ((p < q || j == m) && i < n)
        p *= outer[i++];
      else
        q *= inner[j++];
    }
    // Ones at the end belong to the last group.
    if (i == n)
      while (j < m && inner[j] == 1)
        ++j;
    if (j == m)
      while (i < n && outer[i] == 1)
        ++i;
    group.outerEnd = i;
    group.innerEnd = j;
    groups.push_back(group);
  }
  return groups;
}

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

std::optional<FoldedBroadcast> tarn::foldBroadcast(BroadcastOp broadcast,
                                                   ArrayRef<int64_t> to) {
  ArrayRef<int64_t> from = tensorType(broadcast.getResult()).getShape();
  ArrayRef<int64_t> old = broadcast.getDims();
  SmallVector<int64_t> dims, shape;
  for (const DimGroup &group : groupDims(from, to)) {
    int64_t kept = llvm::count_if(old, [&](int64_t d) {
      return d >= group.outerBegin && d < group.outerEnd;
    });
    if (kept == 0)
      continue;
    int64_t others = 1;
    for (int64_t d = group.outerBegin; d != group.outerEnd; ++d)
      if (!llvm::is_contained(old, d))
        others *= from[d];
    if (others != 1)
      return std::nullopt;
    for (int64_t d = group.innerBegin; d != group.innerEnd; ++d) {
      dims.push_back(d);
      shape.push_back(to[d]);
    }
  }
  return FoldedBroadcast{dims, shape};
}
