//===- KernelVerify.cpp - verifier of whole kernels -----------------------===//
//
// What a kernel does with its buffers, and which ops and types it may use.
// Scalars are block-uniform by construction: no op allowed here makes a scalar
// of a tile.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tarn::tile;

LogicalResult KernelOp::verify() {
  // kernel.C1
  for (auto word : getAccess().getAsRange<StringAttr>())
    if (!symbolizeAccess(word.getValue()))
      return emitOpError("has an unknown access ") << word;
  // kernel.C2
  if (getGridTiles().size() != getGridSizes().size() ||
      getGridSequential().size() != getGridSizes().size())
    return emitOpError("has ") << getGridSizes().size() << " grid sizes and "
                               << getGridTiles().size() << " tiles";
  for (auto [size, tile] : llvm::zip(getGridSizes(), getGridTiles()))
    if (size < 1 || tile < 1)
      return emitOpError("has a grid dim of ") << size << " by " << tile;
  return success();
}

// The access that `use` of a buffer needs, or none if it is not allowed.
static std::optional<Access> neededAccess(OpOperand &use) {
  Operation *op = use.getOwner();
  if (isa<LoadOp, GatherOp, LoadScalarOp>(op))
    return Access::Read;
  if (isa<StoreOp, ScatterOp>(op))
    return Access::Write;
  if (isa<AccumulateOp>(op))
    return Access::Accumulate;
  if (isa<StorePartialOp>(op))
    return Access::Partial;
  return std::nullopt;
}

// kernel.C4
static LogicalResult verifyBuffer(KernelOp kernel, unsigned i) {
  Access access = kernel.getBufferAccess(i);
  for (OpOperand &use : kernel.getBuffer(i).getUses()) {
    std::optional<Access> needed = neededAccess(use);
    if (!needed)
      return use.getOwner()->emitOpError("uses a buffer");
    // What is added to may be stored to in other places.
    bool fits = *needed == access ||
                (access == Access::Accumulate && isa<StoreOp>(use.getOwner()));
    if (!fits)
      return use.getOwner()->emitOpError("needs access ")
             << stringifyAccess(*needed) << " to buffer " << i << ", which has "
             << stringifyAccess(access);
  }
  if (access != Access::Read && kernel.getBuffer(i).use_empty())
    return kernel.emitOpError("never stores to buffer ")
           << i << ", which has access " << stringifyAccess(access);
  return success();
}

// kernel.C5: the types that keep every scalar block-uniform.
static bool isKernelType(Type type) {
  if (auto tile = dyn_cast<RankedTensorType>(type))
    return tile.hasStaticShape() && tile.getRank() <= 3 &&
           tile.getElementType().isIntOrFloat();
  return type.isIntOrIndexOrFloat();
}

// kernel.C5 and C6 for one op of the body.
static LogicalResult verifyBodyOp(Operation *op) {
  // kernel.C6
  if (!isa<TileDialect, arith::ArithDialect, math::MathDialect>(
          op->getDialect()) &&
      !isa<scf::ForOp, scf::IfOp, scf::YieldOp>(op))
    return op->emitOpError("is not allowed in a tile.kernel");
  if (isa<KernelOp>(op))
    return op->emitOpError("is not allowed in a tile.kernel");
  // kernel.C5
  for (Type type : op->getResultTypes())
    if (!isKernelType(type))
      return op->emitOpError("makes ")
             << type << ", which is neither a tile nor a scalar";
  return success();
}

// Whether a block may leave `op` out.
static bool isConditional(Operation *op) {
  return op->getParentOfType<scf::IfOp>() != nullptr;
}

// kernel.C7: what stores and partial stores must depend on.
static LogicalResult verifyStoredOnce(KernelOp kernel, Operation *op,
                                      const Variance &variance) {
  if (isConditional(op))
    return success();
  for (unsigned dim = 0; dim < kernel.getGridRank(); ++dim)
    if (kernel.getGridBlocks(dim) > 1 && !variance.gridDims.test(dim)) {
      InFlightDiagnostic error = op->emitOpError("stores the same elements in ")
                                 << kernel.getGridBlocks(dim)
                                 << " blocks: its position does not depend on "
                                    "grid dim "
                                 << dim;
      error.attachNote(kernel.getLoc()) << "the kernel";
      return error;
    }
  for (auto loop = op->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>())
    if (!variance.loops.contains(loop)) {
      InFlightDiagnostic error =
          op->emitOpError("stores the same elements in every turn of a loop");
      error.attachNote(loop.getLoc()) << "the loop";
      return error;
    }
  return success();
}

// accumulate.C4
static LogicalResult verifyAccumulate(KernelOp kernel, AccumulateOp op,
                                      const VarianceAnalysis &variances) {
  Variance variance = variances.of(op.getPositions());
  llvm::SmallBitVector along(kernel.getGridRank());
  for (Value value : op.getAlong()) {
    std::optional<unsigned> dim = kernel.getGridDim(value);
    if (!dim)
      return op.emitOpError("adds along a value that is no grid position");
    if (!kernel.isSequential(*dim))
      return op.emitOpError("adds along grid dim ")
             << *dim << ", which is not sequential";
    along.set(*dim);
  }
  for (unsigned dim = 0; dim < kernel.getGridRank(); ++dim)
    if (kernel.getGridBlocks(dim) > 1 && !along.test(dim) &&
        !variance.gridDims.test(dim))
      return op.emitOpError("adds to the same elements in ")
             << kernel.getGridBlocks(dim) << " blocks of grid dim " << dim
             << ", which is not in 'along'";
  return success();
}

// store_partial.C4
static LogicalResult verifySlots(KernelOp kernel, StorePartialOp op) {
  for (auto [i, value] : llvm::enumerate(op.getSlots())) {
    std::optional<unsigned> dim = kernel.getGridDim(value);
    if (!dim)
      return op.emitOpError("has slot ") << i << ", which is no grid position";
    int64_t slots = op.getBuffer().getType().getDimSize(i);
    if (slots != kernel.getGridBlocks(*dim))
      return op.emitOpError("has ")
             << slots << " slots for the " << kernel.getGridBlocks(*dim)
             << " blocks of grid dim " << *dim;
  }
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  // kernel.C3
  Block &body = getBody().front();
  if (body.getNumArguments() != getNumBuffers() + getGridRank())
    return emitOpError("has a body of ")
           << body.getNumArguments() << " arguments for " << getNumBuffers()
           << " accesses and " << getGridRank() << " grid dims";
  for (unsigned i = 0; i < body.getNumArguments(); ++i) {
    Type type = body.getArgument(i).getType();
    auto buffer = dyn_cast<MemRefType>(type);
    bool dense =
        buffer && buffer.hasStaticShape() && buffer.getLayout().isIdentity();
    if (i < getNumBuffers() ? !dense : !type.isIndex())
      return emitOpError("has ") << type << " as argument " << i;
  }
  for (unsigned i = 0; i < getNumBuffers(); ++i)
    if (failed(verifyBuffer(*this, i)))
      return failure();
  // kernel.C8
  if (getWorkspaceBytes() < 0)
    return emitOpError("has a workspace of ")
           << getWorkspaceBytes() << " bytes";
  if (getBody()
          .walk<WalkOrder::PreOrder>([](Operation *op) {
            return failed(verifyBodyOp(op)) ? WalkResult::interrupt()
                                            : WalkResult::advance();
          })
          .wasInterrupted())
    return failure();

  VarianceAnalysis variances(*this);
  WalkResult result = getBody().walk([&](Operation *op) {
    LogicalResult ok = success();
    if (auto store = dyn_cast<StoreOp>(op))
      ok = verifyStoredOnce(*this, op, variances.of(store.getPositions()));
    if (auto scatter = dyn_cast<ScatterOp>(op)) {
      // Which rows are stored is data.
      Variance variance = variances.of(scatter.getPositions());
      variance.merge(variances.of(scatter.getRows()));
      ok = verifyStoredOnce(*this, op, variance);
    }
    if (auto partial = dyn_cast<StorePartialOp>(op)) {
      Variance variance = variances.of(partial.getPositions());
      variance.merge(variances.of(partial.getSlots()));
      ok = success(succeeded(verifySlots(*this, partial)) &&
                   succeeded(verifyStoredOnce(*this, op, variance)));
    }
    if (auto accumulate = dyn_cast<AccumulateOp>(op))
      ok = verifyAccumulate(*this, accumulate, variances);
    return failed(ok) ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}
