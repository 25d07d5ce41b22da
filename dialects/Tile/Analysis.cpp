//===- Analysis.cpp - roles of loads, starts of dots, aliasing ------------===//

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tarn::tile;

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

LoadRole tarn::tile::getLoadRole(Value tile) {
  bool left = false, right = false, other = false;
  for (OpOperand &use : tile.getUses()) {
    Operation *op = use.getOwner();
    auto dot = dyn_cast<DotOp>(op);
    auto scaled = dyn_cast<DotScaledOp>(op);
    Value a = dot ? Value(dot.getA()) : scaled ? Value(scaled.getA()) : Value();
    Value b = dot ? Value(dot.getB()) : scaled ? Value(scaled.getB()) : Value();
    // A tile may be both operands of one dot, which are two uses.
    unsigned number = use.getOperandNumber();
    if (a && number == 0)
      left = true;
    else if (b && number == (scaled ? 2u : 1u))
      right = true;
    else
      other = true;
  }
  if (other)
    return left || right ? LoadRole::mixed : LoadRole::elementwise;
  if (left && right)
    return LoadRole::dotBoth;
  if (left || right)
    return left ? LoadRole::dotLeft : LoadRole::dotRight;
  return LoadRole::unused;
}

// The loop's iteration argument that `value` is, if the loop yields `next` for
// it and nothing else uses it.
static BlockArgument getCarried(Value value, Value next) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || !argument.hasOneUse())
    return {};
  auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
  if (!loop || argument == loop.getInductionVar())
    return {};
  OpOperand *yielded = loop.getTiedLoopYieldedValue(argument);
  return yielded && yielded->get() == next ? argument : BlockArgument();
}

DotStart tarn::tile::getDotStart(Value acc, Value result) {
  DotStart start;
  if (matchPattern(acc, m_AnyZeroFloat())) {
    start.kind = DotStartKind::zero;
    return start;
  }
  if ((start.carried = getCarried(acc, result))) {
    start.kind = DotStartKind::carried;
    return start;
  }
  auto product = acc.getDefiningOp<arith::MulFOp>();
  if (!product)
    return start;
  for (auto [tile, factor] : {std::pair(product.getLhs(), product.getRhs()),
                              std::pair(product.getRhs(), product.getLhs())}) {
    auto row = factor.getDefiningOp<BroadcastOp>();
    BlockArgument carried = getCarried(tile, result);
    if (!row || row.getAxis() != 1 || !carried)
      continue;
    start.kind = DotStartKind::carriedTimesRow;
    start.carried = carried;
    start.row = row.getOperand();
    return start;
  }
  return start;
}

//===----------------------------------------------------------------------===//
// Aliasing
//===----------------------------------------------------------------------===//

// Whether a kernel is one sweep: nothing reduces, loops or branches.
static bool isElementwise(KernelOp kernel) {
  return llvm::all_of(kernel.getBody().front(), [](Operation &op) {
    return isa<LoadOp, LoadScalarOp, GatherOp, StoreOp, BroadcastOp, SplatOp,
               IotaOp, ReturnOp>(op) ||
           isa<arith::ArithDialect, math::MathDialect>(op.getDialect());
  });
}

// Whether every element of `tile` is used for the same element only.
static bool isUsedInPlace(Value tile,
                          llvm::SmallPtrSetImpl<Operation *> &seen) {
  for (Operation *user : tile.getUsers()) {
    if (isa<StoreOp>(user) || !seen.insert(user).second)
      continue;
    if (!isa<arith::ArithDialect, math::MathDialect>(user->getDialect()))
      return false;
    for (Value result : user->getResults())
      if (!isUsedInPlace(result, seen))
        return false;
  }
  return true;
}

// The one store to a buffer that may lie where `read` does, as far as types
// say.
static StoreOp storeOver(KernelOp kernel, unsigned read, unsigned written) {
  MemRefType from = kernel.getBufferType(read);
  MemRefType to = kernel.getBufferType(written);
  if (kernel.getBufferAccess(read) != Access::Read ||
      kernel.getBufferAccess(written) != Access::Write ||
      from.getShape() != to.getShape() ||
      from.getElementTypeBitWidth() != to.getElementTypeBitWidth() ||
      !kernel.getBuffer(written).hasOneUse())
    return {};
  return dyn_cast<StoreOp>(*kernel.getBuffer(written).user_begin());
}

static bool isSamePlace(LoadOp load, StoreOp store) {
  return load && load.getMixedPositions() == store.getMixedPositions() &&
         load.getTileDims() == store.getTileDims() &&
         load.getTileType().getShape() == store.getTileType().getShape();
}

bool tarn::tile::mayShareBytes(KernelOp kernel, unsigned read,
                               unsigned written) {
  StoreOp store = storeOver(kernel, read, written);
  if (!store || !isElementwise(kernel))
    return false;
  llvm::SmallPtrSet<Operation *, 16> seen;
  for (Operation *user : kernel.getBuffer(read).getUsers()) {
    auto load = dyn_cast<LoadOp>(user);
    if (!isSamePlace(load, store) || !isUsedInPlace(load, seen))
      return false;
  }
  return true;
}

bool tarn::tile::mayUpdateBytes(KernelOp kernel, unsigned read,
                                unsigned written) {
  if (mayShareBytes(kernel, read, written))
    return true;
  StoreOp store = storeOver(kernel, read, written);
  Block *body = &kernel.getBody().front();
  if (!store || store->getBlock() != body ||
      !kernel.getBuffer(read).hasOneUse())
    return false;
  for (unsigned dim = 0; dim != kernel.getGridRank(); ++dim)
    if (kernel.isSequential(dim))
      return false;
  auto load = dyn_cast<LoadOp>(*kernel.getBuffer(read).user_begin());
  if (!isSamePlace(load, store) || load->getBlock() != body)
    return false;
  Operation *op = load;
  while (op->hasOneUse()) {
    op = *op->user_begin();
    if (op == store)
      return true;
    if (op->getBlock() != body || op->getNumResults() != 1 ||
        !isa<arith::ArithDialect, math::MathDialect>(op->getDialect()))
      return false;
  }
  return false;
}
