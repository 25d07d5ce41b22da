//===- Flatten.cpp - elementwise kernels over vectors ---------------------===//

#include "compiler/Target/Cuda/Flatten.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cuda;

namespace {

/// How an op walks over a buffer.
struct Walk {
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> positions;
  SmallVector<int64_t> dims;
  bool operator==(const Walk &other) const {
    return shape == other.shape && positions == other.positions &&
           dims == other.dims;
  }
};

class Flattener {
public:
  explicit Flattener(tile::KernelOp kernel)
      : kernel(kernel), b(kernel.getContext()) {}
  FlatKernel run();

private:
  bool findWalk();
  void orderBuffers(Value value, llvm::SetVector<Value> &buffers);
  bool coversEach(const Walk &walk);
  bool flattenOp(Operation &op);
  Type flatType(Type type) const {
    auto tile = dyn_cast<RankedTensorType>(type);
    return tile && tile.getRank() > 0
               ? RankedTensorType::get(flatBlock, tile.getElementType())
               : type;
  }
  /// Whether an op is given a block's place, other than to walk by.
  bool usesPlace(Operation &op) {
    return llvm::any_of(op.getOperands(), [&](Value operand) {
      return kernel.getGridDim(operand).has_value();
    });
  }

  tile::KernelOp kernel, flat;
  OpBuilder b;
  std::optional<Walk> walk;
  IRMapping mapping;
  /// Tiles whose elements are all the same.
  llvm::DenseSet<Value> uniform;
  llvm::DenseSet<Operation *> seen;
};

} // namespace

template <class Op> static Walk walkOf(Op op) {
  return {SmallVector<int64_t>(op.getBuffer().getType().getShape()),
          op.getMixedPositions(), op.getTileDims()};
}

static bool isNumber(Value buffer) {
  return cast<MemRefType>(buffer.getType()).getRank() == 0;
}

/// The one walk that all accesses but those of single numbers share.
bool Flattener::findWalk() {
  auto add = [&](Walk other) {
    if (!walk)
      walk = std::move(other);
    else if (!(*walk == other))
      return false;
    return true;
  };
  for (Operation &op : kernel.getBody().front()) {
    if (auto load = dyn_cast<tile::LoadOp>(op);
        load && !isNumber(load.getBuffer()) && !add(walkOf(load)))
      return false;
    if (auto store = dyn_cast<tile::StoreOp>(op); store && !add(walkOf(store)))
      return false;
  }
  if (!walk || !coversEach(*walk))
    return false;
  // What is no number has the walk's shape.
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    if (MemRefType type = kernel.getBufferType(i);
        type.getRank() > 0 && type.getShape() != ArrayRef(walk->shape))
      return false;
  return true;
}

/// Whether the grid's blocks see each element once, in any order.
bool Flattener::coversEach(const Walk &walk) {
  llvm::SmallDenseSet<unsigned> used;
  if (walk.shape.empty() || !llvm::is_sorted(walk.dims))
    return false;
  for (auto [d, position] : llvm::enumerate(walk.positions)) {
    bool spanned = llvm::is_contained(walk.dims, int64_t(d));
    if (auto value = dyn_cast<Value>(position)) {
      std::optional<unsigned> dim = kernel.getGridDim(value);
      if (!dim || !used.insert(*dim).second || kernel.isSequential(*dim) ||
          kernel.getGridSizes()[*dim] != walk.shape[d] ||
          (!spanned && kernel.getGridTiles()[*dim] != 1))
        return false;
    } else if (getConstantIntValue(position) != 0 ||
               (!spanned && walk.shape[d] != 1)) {
      return false;
    }
  }
  return used.size() == kernel.getGridRank();
}

bool Flattener::flattenOp(Operation &op) {
  Location loc = op.getLoc();
  Value at = flat.getGridPosition(0);
  auto known = [&](Value value) { return mapping.lookupOrNull(value); };
  auto result = [&](Value made, bool isUniform) {
    mapping.map(op.getResult(0), made);
    if (isUniform)
      uniform.insert(op.getResult(0));
    return true;
  };
  if (auto load = dyn_cast<tile::LoadOp>(op);
      load && !isNumber(load.getBuffer()))
    return result(tile::LoadOp::create(b, loc, flatType(load.getType()),
                                       known(load.getBuffer()),
                                       {OpFoldResult(at)}),
                  false);
  if (auto store = dyn_cast<tile::StoreOp>(op)) {
    Value value = known(store.getValue());
    if (!value || store.getValue().getType().getRank() == 0)
      return false;
    tile::StoreOp::create(b, loc, value, known(store.getBuffer()),
                          {OpFoldResult(at)});
    return true;
  }
  if (isa<tile::ReturnOp>(op))
    return tile::ReturnOp::create(b, loc), true;
  bool isUniform = llvm::all_of(op.getOperands(), [&](Value operand) {
    auto tile = dyn_cast<RankedTensorType>(operand.getType());
    return !tile || tile.getRank() == 0 || uniform.contains(operand);
  });
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
    Value from = known(broadcast.getOperand());
    if (!from || !isUniform)
      return false;
    if (broadcast.getOperand().getType().getRank() == 0)
      from = tile::BroadcastOp::create(b, loc, flatType(broadcast.getType()),
                                       from, 0);
    return result(from, true);
  }
  if (usesPlace(op) || op.getNumRegions() > 0)
    return false;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!elements || elements.getType().getRank() == 0) {
      b.clone(op, mapping);
      return true;
    }
    if (!elements.isSplat())
      return false;
    return result(
        arith::ConstantOp::create(b, loc,
                                  elements.resizeSplat(cast<ShapedType>(
                                      flatType(constant.getType())))),
        true);
  }
  if (!isa<tile::LoadOp, tile::LoadScalarOp, tile::SplatOp>(op) &&
      !op.hasTrait<OpTrait::Elementwise>())
    return false;
  Operation *clone = b.clone(op, mapping);
  for (auto [made, old] : llvm::zip(clone->getResults(), op.getResults())) {
    made.setType(flatType(made.getType()));
    if (isUniform)
      uniform.insert(old);
  }
  return true;
}

/// Adds the buffers that a value is made of, the first that is needed first.
void Flattener::orderBuffers(Value value, llvm::SetVector<Value> &buffers) {
  if (isa<MemRefType>(value.getType()))
    buffers.insert(value);
  else if (Operation *op = value.getDefiningOp(); op && seen.insert(op).second)
    for (Value operand : op->getOperands())
      orderBuffers(operand, buffers);
}

FlatKernel Flattener::run() {
  if (!findWalk())
    return {};
  int64_t elements = 1;
  for (int64_t size : walk->shape)
    if (llvm::MulOverflow(elements, size, elements) ||
        elements > INT32_MAX - flatBlock)
      return {};
  llvm::SetVector<Value> order;
  for (auto store : kernel.getBody().front().getOps<tile::StoreOp>())
    orderBuffers(store.getValue(), order);
  for (auto store : kernel.getBody().front().getOps<tile::StoreOp>())
    order.insert(store.getBuffer());
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    order.insert(kernel.getBuffer(i));
  FlatKernel result;
  result.elements = elements;
  SmallVector<Type> buffers;
  SmallVector<tile::Access> access;
  for (Value buffer : order) {
    unsigned i = cast<BlockArgument>(buffer).getArgNumber();
    result.buffers.push_back(i);
    MemRefType type = kernel.getBufferType(i);
    buffers.push_back(type.getRank() == 0
                          ? type
                          : MemRefType::get(elements, type.getElementType()));
    access.push_back(kernel.getBufferAccess(i));
  }
  result.kernel = OwningOpRef<tile::KernelOp>(
      tile::KernelOp::create(b, kernel.getLoc(), kernel.getSymName(), buffers,
                             access, {elements}, {flatBlock}));
  flat = *result.kernel;
  Block &body = flat.getBody().front();
  for (auto [buffer, argument] : llvm::zip(order, body.getArguments())) {
    argument.setLoc(buffer.getLoc());
    mapping.map(buffer, argument);
  }
  b.setInsertionPointToEnd(&body);
  for (Operation &op : kernel.getBody().front())
    if (!flattenOp(op))
      return {};
  return result;
}

FlatKernel cuda::flatten(tile::KernelOp kernel) {
  return Flattener(kernel).run();
}
