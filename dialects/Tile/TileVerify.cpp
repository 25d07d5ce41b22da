//===- TileVerify.cpp - verifiers of `tile` -------------------------------===//

#include "dialects/Tile/TileOps.h"

using namespace mlir;
using namespace tarn::tile;

// C1 to C3 of every op that touches a slice: positions, dims, element types.
// `skipped` leading buffer dims have no position (slots).
template <typename OpT>
static LogicalResult verifySlice(OpT op, int64_t skipped = 0) {
  MemRefType buffer = op.getBuffer().getType();
  RankedTensorType tile = op.getTileType();
  // C1
  int64_t positions = op.getStaticPositions().size();
  if (positions + skipped != buffer.getRank())
    return op.emitOpError("has ") << positions << " positions for a buffer of "
                                  << buffer.getRank() - skipped << " dims";
  // C2
  if (tile.getRank() + skipped > buffer.getRank())
    return op.emitOpError("takes a tile of rank ")
           << tile.getRank() << " of a buffer of " << buffer.getRank() - skipped
           << " dims";
  SmallVector<int64_t> dims = op.getTileDims();
  if (static_cast<int64_t>(dims.size()) != tile.getRank())
    return op.emitOpError("has ")
           << dims.size() << " dims for a tile of rank " << tile.getRank();
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] < skipped || dims[d] >= buffer.getRank())
      return op.emitOpError("spans dim ")
             << dims[d] - skipped << " of a buffer of "
             << buffer.getRank() - skipped << " dims";
    if (llvm::is_contained(ArrayRef(dims).take_front(d), dims[d]))
      return op.emitOpError("spans buffer dim ")
             << dims[d] - skipped << " twice";
  }
  // C3
  if (tile.getElementType() != buffer.getElementType())
    return op.emitOpError("has a tile of ")
           << tile.getElementType() << " and a buffer of "
           << buffer.getElementType();
  return success();
}

// C4 of load and gather.
template <typename OpT> static LogicalResult verifyPad(OpT op) {
  if (TypedAttr pad = op.getPadAttr();
      pad && pad.getType() != op.getTileType().getElementType())
    return op.emitOpError("pads with ") << pad.getType() << " a tile of "
                                        << op.getTileType().getElementType();
  return success();
}

// C5 of gather, scatter and accumulate.
template <typename OpT> static LogicalResult verifyRows(OpT op) {
  RankedTensorType tile = op.getTileType();
  int64_t rows = cast<RankedTensorType>(op.getRows().getType()).getDimSize(0);
  if (tile.getRank() < 1 || tile.getDimSize(0) != rows)
    return op.emitOpError("has ") << rows << " row numbers for " << tile;
  return success();
}

LogicalResult LoadOp::verify() {
  return success(succeeded(verifySlice(*this)) && succeeded(verifyPad(*this)));
}

LogicalResult GatherOp::verify() {
  return success(succeeded(verifySlice(*this)) && succeeded(verifyPad(*this)) &&
                 succeeded(verifyRows(*this)));
}

LogicalResult LoadScalarOp::verify() {
  // load_scalar.C1
  if (static_cast<int64_t>(getStaticPositions().size()) !=
      getBuffer().getType().getRank())
    return emitOpError("has ")
           << getStaticPositions().size() << " positions for a buffer of "
           << getBuffer().getType().getRank() << " dims";
  return success();
}

LogicalResult StoreOp::verify() { return verifySlice(*this); }

LogicalResult ScatterOp::verify() {
  return success(succeeded(verifySlice(*this)) && succeeded(verifyRows(*this)));
}

LogicalResult StorePartialOp::verify() {
  if (static_cast<int64_t>(getSlots().size()) > getBuffer().getType().getRank())
    return emitOpError("has ") << getSlots().size() << " slots in a buffer of "
                               << getBuffer().getType().getRank() << " dims";
  return verifySlice(*this, getSlots().size());
}

LogicalResult AccumulateOp::verify() {
  if (failed(verifySlice(*this)) || (getRows() && failed(verifyRows(*this))))
    return failure();
  // accumulate.C6
  if (!isa<FloatType>(getTileType().getElementType()))
    return emitOpError("adds ")
           << getTileType().getElementType() << ", which is no float";
  return success();
}

// C2, C3 and C4 of dot and dot_scaled.
template <typename OpT> static LogicalResult verifyDot(OpT op) {
  RankedTensorType a = op.getA().getType(), b = op.getB().getType();
  RankedTensorType acc = op.getAcc().getType();
  bool ta = op.getTransposeA(), tb = op.getTransposeB();
  // C2
  if (a.getDimSize(ta ? 0 : 1) != b.getDimSize(tb ? 1 : 0))
    return op.emitOpError("sums over ")
           << a.getDimSize(ta ? 0 : 1) << " of a and "
           << b.getDimSize(tb ? 1 : 0) << " of b";
  // C3
  int64_t rows = a.getDimSize(ta ? 1 : 0), columns = b.getDimSize(tb ? 0 : 1);
  if (acc.getDimSize(0) != rows || acc.getDimSize(1) != columns)
    return op.emitOpError("makes ")
           << rows << "x" << columns << " but accumulates into " << acc;
  if (acc.getElementType().isF64() != a.getElementType().isF64())
    return op.emitOpError("accumulates ")
           << a.getElementType() << " in " << acc.getElementType();
  // C4
  if (!op.getAcc().hasOneUse() &&
      !matchPattern(op.getAcc(), m_Constant<Attribute>(nullptr)))
    return op.emitOpError("accumulates into a value with other uses");
  return success();
}

LogicalResult DotOp::verify() {
  // dot.C1
  if (getA().getType().getElementType() != getB().getType().getElementType())
    return emitOpError("multiplies ")
           << getA().getType().getElementType() << " by "
           << getB().getType().getElementType();
  // dot.C5
  if (getTf32() && !getA().getType().getElementType().isF32())
    return emitOpError("rounds ")
           << getA().getType().getElementType() << " to tf32, which is for f32";
  return verifyDot(*this);
}

LogicalResult DotScaledOp::verify() {
  RankedTensorType a = getA().getType(), b = getB().getType();
  RankedTensorType sa = getScaleA().getType(), sb = getScaleB().getType();
  // dot_scaled.C1
  if (a.getElementType() != b.getElementType() ||
      a.getElementTypeBitWidth() != 8)
    return emitOpError("multiplies ")
           << a.getElementType() << " by " << b.getElementType();
  if (failed(verifyDot(*this)))
    return failure();
  // dot_scaled.C5
  int64_t blocks = sa.getDimSize(1);
  if (sb.getDimSize(1) != blocks || getK() % blocks != 0)
    return emitOpError("has ")
           << blocks << " and " << sb.getDimSize(1)
           << " scale blocks for a contracted extent of " << getK();
  int64_t rows = getAcc().getType().getDimSize(0);
  int64_t columns = getAcc().getType().getDimSize(1);
  if (rows % sa.getDimSize(0) != 0 || columns % sb.getDimSize(0) != 0)
    return emitOpError("has ")
           << sa.getDimSize(0) << " scales for " << rows << " rows and "
           << sb.getDimSize(0) << " for " << columns << " columns";
  return success();
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType from = getOperand().getType(), to = getResult().getType();
  // broadcast.C1
  SmallVector<int64_t> shape(to.getShape());
  int64_t axis = getAxis();
  if (axis < 0 || axis >= to.getRank())
    return emitOpError("axis ") << axis << " is not a dim of " << to;
  shape.erase(shape.begin() + axis);
  if (ArrayRef<int64_t>(shape) != from.getShape())
    return emitOpError("makes ")
           << to << " of " << from << " along axis " << axis;
  // broadcast.C2
  if (from.getElementType() != to.getElementType())
    return emitOpError("makes ")
           << to.getElementType() << " of " << from.getElementType();
  return success();
}

LogicalResult ScanOp::verify() {
  // scan.C1
  int64_t axis = getAxis();
  if (axis < 0 || axis >= getOperand().getType().getRank())
    return emitOpError("axis ")
           << axis << " is not a dim of " << getOperand().getType();
  return success();
}

LogicalResult IotaOp::verify() {
  // iota.C1
  int64_t axis = getAxis();
  if (axis < 0 || axis >= getResult().getType().getRank())
    return emitOpError("axis ")
           << axis << " is not a dim of " << getResult().getType();
  return success();
}
