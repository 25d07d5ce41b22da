//===- DotOps.cpp - products, gathers and scatters ------------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Loops.h"
#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

void DotOp::build(OpBuilder &builder, OperationState &state, Value a, Value b,
                  bool transposeA, bool transposeB, Type elementType) {
  auto left = tensorType(a), right = tensorType(b);
  SmallVector<int64_t> shape(left.getShape().drop_back(2));
  shape.push_back(left.getDimSize(left.getRank() - (transposeA ? 1 : 2)));
  shape.push_back(right.getDimSize(right.getRank() - (transposeB ? 2 : 1)));
  if (!elementType)
    elementType = left.getElementType();
  build(builder, state, Type(RankedTensorType::get(shape, elementType)), a, b,
        transposeA, transposeB);
}

LogicalResult DotOp::verify() {
  auto a = tensorType(getA()), b = tensorType(getB());
  auto result = tensorType(getResult());
  int64_t rank = a.getRank();
  auto complain = [&](auto &&...parts) {
    Complaint complaint(*this);
    (complaint << ... << parts);
    complaint.note(getA(), "a").note(getB(), "b");
    return failure();
  };
  // dot.C1
  if (rank < 2 || b.getRank() != rank)
    return complain("multiplies tensors of rank ", rank, " and ", b.getRank(),
                    ": both need one rank of at least 2");
  // dot.C2
  for (int64_t d = 0; d != rank - 2; ++d)
    if (a.getDimSize(d) != b.getDimSize(d))
      return complain("has batch extents ", a.getDimSize(d), " and ",
                      b.getDimSize(d), " in dim ", d);
  // dot.C3
  int64_t m = a.getDimSize(rank - (getTransposeA() ? 1 : 2));
  int64_t k = a.getDimSize(rank - (getTransposeA() ? 2 : 1));
  int64_t kOfB = b.getDimSize(rank - (getTransposeB() ? 1 : 2));
  int64_t n = b.getDimSize(rank - (getTransposeB() ? 2 : 1));
  if (k != kOfB)
    return complain("sums over ", k, " elements of a and ", kOfB,
                    " elements of b");
  // dot.C4
  Type element = result.getElementType();
  if (a.getElementType() != b.getElementType() ||
      (element != a.getElementType() && !element.isF32()) ||
      (element.isF32() && a.getElementType().isF64()))
    return complain("multiplies ", a.getElementType(), " and ",
                    b.getElementType(), " into ", element);
  // dot.C5
  SmallVector<int64_t> shape(a.getShape().drop_back(2));
  shape.append({m, n});
  if (result.getShape() != ArrayRef<int64_t>(shape))
    return complain("returns ", result, " where the operands give ",
                    result.clone(shape));
  return success();
}

std::optional<ProductShape> DotOp::getProductShape() {
  ArrayRef<int64_t> shape = getType().getShape();
  ArrayRef<int64_t> a = getA().getType().getShape();
  size_t rank = shape.size();
  int64_t batch = 1;
  for (int64_t extent : shape.drop_back(2))
    batch *= extent;
  return ProductShape{batch, shape[rank - 2], shape[rank - 1],
                      getTransposeA() ? a[rank - 2] : a[rank - 1]};
}

SmallVector<int64_t> DotOp::getLoopBounds() {
  SmallVector<int64_t> bounds(tensorType(getResult()).getShape());
  auto a = tensorType(getA());
  bounds.push_back(a.getDimSize(a.getRank() - (getTransposeA() ? 2 : 1)));
  return bounds;
}

// Loops: batch dims, m, n, k.
LoopKinds DotOp::getLoopKinds() {
  LoopKinds kinds = parallelLoops(tensorType(getResult()).getRank());
  kinds.push_back(utils::IteratorType::reduction);
  return kinds;
}

Maps DotOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  unsigned rank = tensorType(getResult()).getRank();
  AffineExpr m = getAffineDimExpr(rank - 2, context);
  AffineExpr n = getAffineDimExpr(rank - 1, context);
  AffineExpr k = getAffineDimExpr(rank, context);
  auto map = [&](AffineExpr row, AffineExpr column) {
    SmallVector<AffineExpr> exprs = loopDims(context, 0, rank - 2);
    exprs.append({row, column});
    return loopMap(context, rank + 1, exprs);
  };
  return {getTransposeA() ? map(k, m) : map(m, k),
          getTransposeB() ? map(n, k) : map(k, n), map(m, n)};
}

TileKind DotOp::getTileKind() { return TileKind::dot; }
std::optional<arith::AtomicRMWKind> DotOp::getCombiner() {
  return arith::AtomicRMWKind::addf;
}

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

LogicalResult GatherOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  auto table = tensorType(adaptor.getTable());
  // gather.C1
  if (table.getRank() < 1)
    return (Complaint(loc, getOperationName())
            << "takes rows of a tensor of rank 0")
        .note(adaptor.getTable(), "table");
  SmallVector<int64_t> shape(tensorType(adaptor.getIndices()).getShape());
  llvm::append_range(shape, table.getShape().drop_front());
  types.push_back(table.clone(shape));
  return success();
}

SmallVector<int64_t> GatherOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds GatherOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind GatherOp::getTileKind() { return TileKind::gather; }

Maps GatherOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  unsigned rank = tensorType(getResult()).getRank();
  unsigned lead = tensorType(getIndices()).getRank();
  SmallVector<AffineExpr> row = {getAffineSymbolExpr(0, context)};
  llvm::append_range(row, loopDims(context, lead, rank - lead));
  return {loopMap(context, rank, row, 1),
          loopMap(context, rank, loopDims(context, 0, lead)),
          AffineMap::getMultiDimIdentityMap(rank, context)};
}

//===----------------------------------------------------------------------===//
// scatter_add
//===----------------------------------------------------------------------===//

LogicalResult ScatterAddOp::inferReturnTypes(MLIRContext *context,
                                             std::optional<Location> loc,
                                             Adaptor adaptor,
                                             SmallVectorImpl<Type> &types) {
  auto indices = tensorType(adaptor.getIndices());
  auto updates = tensorType(adaptor.getUpdates());
  // scatter_add.C1
  if (updates.getRank() < indices.getRank() ||
      updates.getShape().take_front(indices.getRank()) != indices.getShape())
    return (Complaint(loc, getOperationName())
            << "adds updates " << updates << " at indices " << indices
            << ": the leading dims differ")
        .note(adaptor.getUpdates(), "updates")
        .note(adaptor.getIndices(), "indices");
  // scatter_add.C2
  if (adaptor.getRows() < 1)
    return Complaint(loc, getOperationName())
           << "makes a table of " << adaptor.getRows() << " rows";
  SmallVector<int64_t> shape = {adaptor.getRows()};
  llvm::append_range(shape, updates.getShape().drop_front(indices.getRank()));
  types.push_back(updates.clone(shape));
  return success();
}

SmallVector<int64_t> ScatterAddOp::getLoopBounds() {
  return SmallVector<int64_t>(tensorType(getUpdates()).getShape());
}

// The rows' dims reduce: several may fall on one row of the result.
LoopKinds ScatterAddOp::getLoopKinds() {
  LoopKinds kinds = parallelLoops(tensorType(getUpdates()).getRank());
  for (int64_t d = 0, e = tensorType(getIndices()).getRank(); d != e; ++d)
    kinds[d] = utils::IteratorType::reduction;
  return kinds;
}

Maps ScatterAddOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  unsigned rank = tensorType(getUpdates()).getRank();
  unsigned lead = tensorType(getIndices()).getRank();
  SmallVector<AffineExpr> row = {getAffineSymbolExpr(0, context)};
  llvm::append_range(row, loopDims(context, lead, rank - lead));
  return {loopMap(context, rank, loopDims(context, 0, lead)),
          AffineMap::getMultiDimIdentityMap(rank, context),
          loopMap(context, rank, row, 1)};
}

TileKind ScatterAddOp::getTileKind() { return TileKind::scatter; }
std::optional<arith::AtomicRMWKind> ScatterAddOp::getCombiner() {
  return arith::AtomicRMWKind::addf;
}

//===----------------------------------------------------------------------===//
// take_along
//===----------------------------------------------------------------------===//

LogicalResult TakeAlongOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  auto x = tensorType(adaptor.getX()), i = tensorType(adaptor.getIndices());
  // take_along.C1
  if (x.getRank() < 1)
    return (Complaint(loc, getOperationName())
            << "takes elements of rows of a tensor of rank 0")
        .note(adaptor.getX(), "x");
  // take_along.C2
  if (i.getShape() != x.getShape().drop_back())
    return (Complaint(loc, getOperationName())
            << "takes elements at indices " << i << " of rows of " << x
            << ": the leading dims differ")
        .note(adaptor.getIndices(), "indices")
        .note(adaptor.getX(), "x");
  types.push_back(x.clone(i.getShape()));
  return success();
}

SmallVector<int64_t> TakeAlongOp::getLoopBounds() {
  return defaults::resultBounds(*this);
}
LoopKinds TakeAlongOp::getLoopKinds() { return defaults::resultKinds(*this); }
TileKind TakeAlongOp::getTileKind() { return TileKind::gather; }

Maps TakeAlongOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  unsigned rank = tensorType(getResult()).getRank();
  SmallVector<AffineExpr> element = loopDims(context, 0, rank);
  element.push_back(getAffineSymbolExpr(0, context));
  AffineMap identity = AffineMap::getMultiDimIdentityMap(rank, context);
  return {loopMap(context, rank, element, 1), identity, identity};
}

//===----------------------------------------------------------------------===//
// element
//===----------------------------------------------------------------------===//

LogicalResult ElementOp::inferReturnTypes(MLIRContext *context,
                                          std::optional<Location> loc,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  auto x = tensorType(adaptor.getX());
  // element.C1
  if (int64_t(adaptor.getPositions().size()) != x.getRank())
    return (Complaint(loc, getOperationName())
            << "has " << adaptor.getPositions().size()
            << " positions for x of rank " << x.getRank())
        .note(adaptor.getX(), "x");
  types.push_back(x.clone(ArrayRef<int64_t>()));
  return success();
}

SmallVector<int64_t> ElementOp::getLoopBounds() { return {}; }
LoopKinds ElementOp::getLoopKinds() { return {}; }
TileKind ElementOp::getTileKind() { return TileKind::gather; }

Maps ElementOp::getIndexingMaps() {
  MLIRContext *context = getContext();
  SmallVector<AffineExpr> position;
  unsigned rank = getPositions().size();
  for (unsigned d = 0; d != rank; ++d)
    position.push_back(getAffineSymbolExpr(d, context));
  Maps maps = {loopMap(context, 0, position, rank)};
  maps.append(rank + 1, loopMap(context, 0, {}));
  return maps;
}
