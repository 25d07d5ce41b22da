//===- Interfaces.cpp - defaults that read the indexing maps --------------===//

#include "dialects/Tarn/TarnInterfaces.h"
#include "dialects/Tarn/TarnOps.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

TileBodyContext::~TileBodyContext() = default;

bool defaults::hasZeroGradient(Operation *op) {
  return op->hasTrait<ZeroGradient>();
}

bool defaults::isDifferentiableOperand(Operation *op, unsigned operand) {
  return !op->hasTrait<ZeroGradient>() &&
         isa<FloatType>(getElementTypeOrSelf(op->getOperand(operand)));
}

static int64_t bytesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  int64_t bits = tensor.getElementTypeBitWidth();
  return tensor.getNumElements() * ((bits + 7) / 8);
}

static int64_t elementsOf(TypeRange types) {
  int64_t most = 0;
  for (Type type : types)
    most = std::max(most, cast<RankedTensorType>(type).getNumElements());
  return most;
}

int64_t defaults::defaultFlops(Operation *op) {
  int64_t inside = 0;
  for (Region &region : op->getRegions())
    region.walk([&](Costed costed) { inside += costed.getFlops(); });
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed)
    return inside;
  switch (indexed.getTileKind()) {
  case TileKind::view:
  case TileKind::gather:
    return 0;
  case TileKind::composite: // norms: a handful of operations an element
  case TileKind::ownProgram:
    return 8 * std::max(elementsOf(op->getOperandTypes()),
                        elementsOf(op->getResultTypes()));
  default:
    break;
  }
  // Counts that pass 63 bits stay at the largest.
  int64_t iterations = indexed.getTileKind() == TileKind::dot ? 2 : 1;
  for (int64_t bound : indexed.getLoopBounds())
    if (llvm::MulOverflow(iterations, bound, iterations))
      return std::numeric_limits<int64_t>::max();
  return iterations;
}

int64_t defaults::defaultBytes(Operation *op) {
  if (auto indexed = dyn_cast<IndexedOp>(op))
    if (indexed.getTileKind() == TileKind::view)
      return 0;
  int64_t bytes = 0;
  for (Type type : op->getOperandTypes())
    bytes += bytesOf(type);
  for (Type type : op->getResultTypes())
    bytes += bytesOf(type);
  return bytes;
}

RecomputeClass defaults::defaultRecomputeClass(Operation *op) {
  RecomputeClass result = RecomputeClass::cheap;
  for (Region &region : op->getRegions())
    region.walk([&](Recomputable inner) {
      result = std::max(result, inner.getRecomputeClass());
    });
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed)
    return result;
  TileKind kind = indexed.getTileKind();
  if (kind == TileKind::elementwise || kind == TileKind::view)
    return RecomputeClass::cheap;
  return RecomputeClass::expensive;
}

// The loop dim that dim `resultDim` of the first result is.
static std::optional<unsigned> loopOfResultDim(IndexedOp op,
                                               unsigned resultDim) {
  SmallVector<AffineMap> maps = op.getIndexingMaps();
  if (maps.size() <= op->getNumOperands())
    return std::nullopt;
  AffineMap map = maps[op->getNumOperands()];
  if (resultDim >= map.getNumResults())
    return std::nullopt;
  if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(resultDim)))
    return dim.getPosition();
  return std::nullopt;
}

// Whether a loop dim addresses whole positions only: nowhere with an offset.
static bool isPlainEverywhere(IndexedOp op, unsigned loopDim) {
  for (AffineMap map : op.getIndexingMaps())
    for (AffineExpr expr : map.getResults())
      if (expr.isFunctionOfDim(loopDim) && !isa<AffineDimExpr>(expr))
        return false;
  return true;
}

bool defaults::defaultIsRowWise(Operation *op, unsigned resultDim) {
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed)
    return false;
  std::optional<unsigned> loop = loopOfResultDim(indexed, resultDim);
  return loop &&
         indexed.getLoopKinds()[*loop] == utils::IteratorType::parallel &&
         isPlainEverywhere(indexed, *loop);
}

ShardKind defaults::defaultShardKind(Operation *op, unsigned loopDim) {
  auto indexed = dyn_cast<IndexedOp>(op);
  if (!indexed)
    return ShardKind::replicated;
  SmallVector<utils::IteratorType> kinds = indexed.getLoopKinds();
  if (loopDim >= kinds.size() || !isPlainEverywhere(indexed, loopDim))
    return ShardKind::replicated;
  if (kinds[loopDim] == utils::IteratorType::parallel)
    return ShardKind::parallel;
  return indexed.getCombiner() == arith::AtomicRMWKind::addf
             ? ShardKind::partialSum
             : ShardKind::replicated;
}

LogicalResult defaults::verifyProduct(Operation *op) {
  auto product = cast<ProductOp>(op);
  if (!product.isTf32())
    return success();
  for (unsigned i : product.getFactors()) {
    Type element = tensorType(op->getOperand(i)).getElementType();
    if (!element.isF32())
      return op->emitOpError("rounds factors of ")
             << element << " to tf32, which is for f32";
  }
  return success();
}

SmallVector<int64_t> defaults::resultBounds(Operation *op) {
  return SmallVector<int64_t>(tensorType(op->getResult(0)).getShape());
}

SmallVector<utils::IteratorType> defaults::resultKinds(Operation *op) {
  return SmallVector<utils::IteratorType>(
      tensorType(op->getResult(0)).getRank(), utils::IteratorType::parallel);
}

SmallVector<AffineMap> defaults::identityMaps(Operation *op) {
  AffineMap identity = AffineMap::getMultiDimIdentityMap(
      tensorType(op->getResult(0)).getRank(), op->getContext());
  return SmallVector<AffineMap>(op->getNumOperands() + op->getNumResults(),
                                identity);
}

#include "dialects/Tarn/TarnInterfaces.cpp.inc"
