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

// Whether the op is arithmetic, element by element.
static bool isArithmetic(Operation *op) {
  return isa<arith::ArithDialect, math::MathDialect>(op->getDialect());
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

// Whether a target walks over the terms of a reduction as over any tile of
// their shape, so that an element is read by who stores it.
static bool isInOrder(ReduceOp reduce) {
  int64_t rank = reduce.getOperand().getType().getRank();
  return rank == 2 || int64_t(reduce.getAxis()) + 1 == rank;
}

// Whether every element of `tile`, and of what is made of it, is used for the
// same element only, up to a reduction or a store.
static bool isUsedInPlace(Value tile,
                          llvm::SmallPtrSetImpl<Operation *> &seen) {
  for (Operation *user : tile.getUsers()) {
    if (isa<StoreOp>(user) || !seen.insert(user).second)
      continue;
    if (auto reduce = dyn_cast<ReduceOp>(user)) {
      if (!isInOrder(reduce))
        return false;
      continue;
    }
    if (!isArithmetic(user))
      return false;
    for (Value result : user->getResults())
      if (!isUsedInPlace(result, seen))
        return false;
  }
  return true;
}

// Whether a kernel only sweeps over tiles, none of more dims than `rank`: of a
// tile with the most dims each element belongs to one thread.
static bool isSweeps(KernelOp kernel, int64_t rank) {
  return llvm::all_of(kernel.getBody().front(), [&](Operation &op) {
    for (Value result : op.getResults())
      if (auto type = dyn_cast<RankedTensorType>(result.getType()))
        if (type.getRank() > rank)
          return false;
    return isa<LoadOp, LoadScalarOp, GatherOp, StoreOp, ReduceOp, BroadcastOp,
               SplatOp, IotaOp, ReturnOp>(op) ||
           isArithmetic(&op);
  });
}

bool tarn::tile::mayShareBytes(KernelOp kernel, unsigned read,
                               unsigned written) {
  StoreOp store = storeOver(kernel, read, written);
  if (!store || !isSweeps(kernel, store.getTileType().getRank()))
    return false;
  llvm::SmallPtrSet<Operation *, 16> seen;
  for (Operation *user : kernel.getBuffer(read).getUsers()) {
    auto load = dyn_cast<LoadOp>(user);
    if (!isSamePlace(load, store) || !load->isBeforeInBlock(store) ||
        !isUsedInPlace(load, seen))
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
    if (op->getBlock() != body || op->getNumResults() != 1 || !isArithmetic(op))
      return false;
  }
  return false;
}

SmallVector<std::pair<unsigned, unsigned>>
tarn::tile::getSharedBuffers(KernelOp kernel) {
  SmallVector<std::pair<unsigned, unsigned>> pairs;
  for (unsigned written = 0; written != kernel.getNumBuffers(); ++written)
    for (unsigned read = 0; read != kernel.getNumBuffers(); ++read)
      if (mayUpdateBytes(kernel, read, written))
        pairs.push_back({read, written});
  return pairs;
}
