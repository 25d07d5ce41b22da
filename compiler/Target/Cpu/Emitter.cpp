//===- Emitter.cpp - a tile program as loops over vectors -----------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

static RankedTensorType tileType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool isTile(Value value) {
  return isa<RankedTensorType>(value.getType());
}

static bool isElementwise(Operation *op) {
  return OpTrait::hasElementwiseMappableTraits(op) &&
         op->getNumResults() == 1 && isTile(op->getResult(0));
}

Emitter::Emitter(tile::KernelOp kernel, const Isa &level, ModuleOp module)
    : kernel(kernel), level(level), module(module), b(kernel.getContext()),
      loc(kernel.getLoc()) {}

//===----------------------------------------------------------------------===//
// Small pieces
//===----------------------------------------------------------------------===//

Value Emitter::constantIndex(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value Emitter::add(Value x, Value y) {
  if (getConstantIntValue(x) == 0)
    return y;
  if (getConstantIntValue(y) == 0)
    return x;
  return arith::AddIOp::create(b, loc, x, y);
}

Value Emitter::scale(Value x, int64_t factor) {
  if (factor == 1 || getConstantIntValue(x) == 0)
    return x;
  return arith::MulIOp::create(b, loc, x, constantIndex(factor));
}

Value Emitter::zeroOf(Type type) {
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
}

Value Emitter::indexOf(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return constantIndex(*constant);
  return scalars.lookup(cast<Value>(position));
}

/// An own argument of the body: LLVM then knows that it aliases nothing.
Value Emitter::newScratch(int64_t elements, Type elementType) {
  elementType = memoryType(elementType);
  auto type = MemRefType::get({elements}, elementType);
  unsigned index = function.getNumArguments();
  (void)function.insertArgument(index, type, {}, loc);
  int64_t bytes = elements * elementType.getIntOrFloatBitWidth() / 8;
  scratchBytes += llvm::alignTo(bytes, 64);
  return function.getArgument(index);
}

Storage Emitter::allocate(RankedTensorType type, int64_t pitch) {
  ArrayRef<int64_t> shape = type.getShape();
  Storage storage;
  storage.pitch = pitch ? pitch : (shape.empty() ? 1 : shape.back());
  int64_t rows = 1;
  for (int64_t extent : shape.drop_back(shape.empty() ? 0 : 1))
    rows *= extent;
  if (shape.size() == 3)
    storage.rows = shape[1];
  storage.memref = newScratch(std::max<int64_t>(rows * storage.pitch, 1),
                              type.getElementType());
  return storage;
}

LogicalResult Emitter::materialize(Value value, Storage into) {
  auto found = storages.find(value);
  if (found != storages.end() && found->second.memref == into.memref)
    return success();
  RankedTensorType shape = tileType(value);
  if (failed(flush()))
    return failure();
  pendingShape.assign(shape.getShape().begin(), shape.getShape().end());
  Root root;
  root.value = value;
  root.into = into;
  pending.push_back(root);
  LogicalResult result = emitRowSweep(shape);
  pending.clear();
  memo.clear();
  return result;
}

//===----------------------------------------------------------------------===//
// Which values live in memory
//===----------------------------------------------------------------------===//

static bool isExpensive(Operation *op) {
  return isa_and_nonnull<math::ExpOp, math::TanhOp, math::ErfOp, math::LogOp,
                         math::SinOp, math::CosOp, math::SqrtOp, math::RsqrtOp,
                         arith::DivFOp>(op);
}

/// Whether the users of an elementwise op need more than one sweep: a reduction
/// over it is among them, and one of them waits for that reduction.
bool Emitter::crossesSweeps(Operation *op) {
  SmallVector<Value> work(op->getResults());
  llvm::DenseSet<Value> reached(work.begin(), work.end());
  SmallVector<Operation *> roots;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    for (Operation *user : value.getUsers()) {
      if (isElementwise(user) || isa<tile::BroadcastOp>(user)) {
        if (reached.insert(user->getResult(0)).second)
          work.push_back(user->getResult(0));
        if (user->getBlock() != op->getBlock())
          return true;
      } else {
        roots.push_back(user);
      }
    }
  }
  llvm::sort(roots);
  roots.erase(llvm::unique(roots), roots.end());
  if (roots.size() < 2)
    return false;
  // Different shapes or blocks, or a reduction among several roots: the later
  // ones may wait for it.
  for (Operation *root : roots)
    if (root->getBlock() != op->getBlock() ||
        isa<tile::ReduceOp, tile::ScanOp, tile::PlacesOp>(root) ||
        tileType(root->getOperand(0)).getShape() !=
            tileType(op->getResult(0)).getShape())
      return true;
  return false;
}

void Emitter::findStored() {
  kernel.walk([&](Operation *op) {
    if (auto yield = dyn_cast<scf::YieldOp>(op)) {
      for (Value operand : yield.getOperands())
        if (isTile(operand) && !operand.getDefiningOp<tile::DotOp>())
          stored.insert(operand);
    } else if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
      // One element of it serves many: compute it once.
      Operation *source = broadcast.getOperand().getDefiningOp();
      if (source && isElementwise(source) &&
          !matchPattern(source, m_Constant()))
        stored.insert(broadcast.getOperand());
    } else if (isElementwise(op) && isExpensive(op) && crossesSweeps(op)) {
      stored.insert(op->getResult(0));
    } else if (auto dot = dyn_cast<tile::DotOp>(op)) {
      Operation *acc = dot.getAcc().getDefiningOp();
      if (acc && isElementwise(acc) && !matchPattern(acc, m_Constant()))
        stored.insert(dot.getAcc());
      // A left operand computed here is read many times; a right one once, when
      // it is packed.
      for (Value operand : {dot.getA(), dot.getB()})
        if (Operation *source = operand.getDefiningOp())
          if (isElementwise(source) &&
              (operand == dot.getA() || !operand.hasOneUse()))
            stored.insert(operand);
    }
  });
}

/// The plan may put a result in the place of an operand where the kernel allows
/// it.
void Emitter::findShared() {
  for (auto [read, written] : tile::getSharedBuffers(kernel)) {
    shared.insert(read);
    shared.insert(written);
    overwriting.insert(kernel.getBuffer(written));
  }
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

FailureOr<int64_t> Emitter::emit() {
  b.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> types;
  for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
    MemRefType type = kernel.getBufferType(i);
    types.push_back(
        MemRefType::get(type.getShape(), memoryType(type.getElementType())));
  }
  types.push_back(b.getIndexType());
  function = func::FuncOp::create(b, loc, (kernel.getSymName() + ".body").str(),
                                  b.getFunctionType(types, {}));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  for (unsigned i = 0; i != kernel.getNumBuffers(); ++i)
    scalars.map(kernel.getBuffer(i), entry->getArgument(i));

  // The block's number gives the parallel positions; sequential dims are loops.
  Value number = entry->getArgument(kernel.getNumBuffers());
  SmallVector<Value> positions(kernel.getGridRank());
  for (int dim = kernel.getGridRank() - 1; dim >= 0; --dim) {
    int64_t blocks = kernel.getGridBlocks(dim);
    if (kernel.isSequential(dim))
      continue;
    Value at = number;
    if (blocks == 1) {
      at = constantIndex(0);
    } else {
      at = arith::RemUIOp::create(b, loc, number, constantIndex(blocks));
      number = arith::DivUIOp::create(b, loc, number, constantIndex(blocks));
    }
    positions[dim] = scale(at, kernel.getGridTiles()[dim]);
  }
  for (unsigned dim = 0; dim != kernel.getGridRank(); ++dim) {
    if (!kernel.isSequential(dim))
      continue;
    int64_t tile = kernel.getGridTiles()[dim];
    auto loop = scf::ForOp::create(
        b, loc, constantIndex(0),
        constantIndex(kernel.getGridBlocks(dim) * tile), constantIndex(tile));
    b.setInsertionPointToStart(loop.getBody());
    positions[dim] = loop.getInductionVar();
  }
  for (unsigned dim = 0; dim != kernel.getGridRank(); ++dim)
    scalars.map(kernel.getGridPosition(dim), positions[dim]);

  findStored();
  findShared();
  if (failed(emitBlock(kernel.getBody().front())))
    return failure();
  OpBuilder end = OpBuilder::atBlockEnd(&function.getBody().front());
  func::ReturnOp::create(end, loc);
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
    if (isa<MemRefType>(function.getArgument(i).getType()) &&
        !shared.contains(i))
      function.setArgAttr(i, "llvm.noalias", b.getUnitAttr());
  return scratchBytes;
}

LogicalResult Emitter::emitBlock(Block &block) {
  // What may be written over an operand is stored behind everything else.
  SmallVector<tile::StoreOp> last;
  for (Operation &op : block.without_terminator()) {
    auto store = dyn_cast<tile::StoreOp>(op);
    if (store && overwriting.contains(store.getBuffer()))
      last.push_back(store);
    else if (failed(emitOp(&op)))
      return failure();
  }
  return failed(emitLast(last)) ? failure() : flush();
}

/// Stores of one shape share one sweep, which reads before it writes: a later
/// one would find an operand overwritten.
LogicalResult Emitter::emitLast(ArrayRef<tile::StoreOp> stores) {
  llvm::MapVector<ArrayRef<int64_t>, SmallVector<tile::StoreOp>> byShape;
  for (tile::StoreOp store : stores)
    byShape[store.getTileType().getShape()].push_back(store);
  for (auto &[shape, group] : byShape) {
    if (llvm::any_of(group, [&](tile::StoreOp store) {
          llvm::DenseSet<Value> seen;
          return waitsForPending(store.getValue(), true, seen);
        }))
      if (failed(flush()))
        return failure();
    for (tile::StoreOp store : group)
      if (failed(emitOp(store)))
        return failure();
  }
  return success();
}

LogicalResult Emitter::emitOp(Operation *op) {
  OpBuilder::InsertionGuard guard(b);
  loc = op->getLoc();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return emitFor(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return emitIf(branch);
  if (auto dot = dyn_cast<tile::DotOp>(op))
    return emitDot(dot);
  if (auto scan = dyn_cast<tile::ScanOp>(op))
    return emitScan(scan);
  if (auto places = dyn_cast<tile::PlacesOp>(op))
    return emitPlaces(places);
  if (isa<tile::StoreOp, tile::StorePartialOp, tile::ScatterOp,
          tile::AccumulateOp, tile::ReduceOp>(op))
    return addRoot(op);
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    if (auto values = dyn_cast<DenseElementsAttr>(constant.getValue()))
      if (!values.isSplat())
        return emitConstant(constant), success();
  if (op->getNumResults() == 1 && isTile(op->getResult(0))) {
    if (isStored(op->getResult(0)))
      return addRoot(op->getResult(0));
    return success(); // an expression: emitted when it is asked for
  }
  return emitScalar(op);
}

/// A constant of several values lies in the object.
void Emitter::emitConstant(arith::ConstantOp constant) {
  auto values = cast<DenseElementsAttr>(constant.getValue());
  Type elementType = memoryType(values.getElementType());
  SmallVector<Attribute> elements;
  for (Attribute element : values.getValues<Attribute>()) {
    if (auto number = dyn_cast<FloatAttr>(element);
        number && elementType != number.getType())
      element =
          b.getIntegerAttr(elementType, number.getValue().bitcastToAPInt());
    else if (auto integer = dyn_cast<IntegerAttr>(element);
             integer && elementType != integer.getType())
      element = b.getIntegerAttr(elementType, !integer.getValue().isZero());
    elements.push_back(element);
  }
  RankedTensorType tile = tileType(constant.getResult());
  auto flat = RankedTensorType::get(tile.getNumElements(), elementType);
  auto type = MemRefType::get(flat.getShape(), elementType);
  std::string name = "constant." + std::to_string(constants++);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  memref::GlobalOp::create(b, loc, name, b.getStringAttr("private"), type,
                           DenseElementsAttr::get(flat, elements),
                           /*constant=*/true, b.getI64IntegerAttr(64));
  b.setInsertionPointToStart(&function.getBody().front());
  Storage storage;
  storage.memref = memref::GetGlobalOp::create(b, loc, type, name);
  if (tile.getRank()) {
    storage.pitch = tile.getShape().back();
    storage.rows = tile.getRank() == 3 ? tile.getDimSize(1) : 1;
  }
  storages[constant.getResult()] = storage;
}

/// Scalars and indices are emitted as they come.
LogicalResult Emitter::emitScalar(Operation *op) {
  if (auto load = dyn_cast<tile::LoadScalarOp>(op)) {
    SmallVector<Value> index;
    auto type = load.getBuffer().getType();
    Value safe;
    for (auto [d, position] : llvm::enumerate(load.getMixedPositions())) {
      Value at = indexOf(position);
      if (!staysInside(kernel, position, 1, type.getDimSize(d))) {
        Value limit = constantIndex(type.getDimSize(d));
        Value here =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, at, limit);
        safe =
            safe ? arith::AndIOp::create(b, loc, safe, here).getResult() : here;
        at = arith::MinUIOp::create(b, loc, at,
                                    constantIndex(type.getDimSize(d) - 1));
      }
      index.push_back(at);
    }
    Value value = memref::LoadOp::create(
        b, loc, scalars.lookup<Value>(load.getBuffer()), index);
    if (safe)
      value =
          arith::SelectOp::create(b, loc, safe, value, zeroOf(value.getType()));
    value = fromMemory(value, load.getResult().getType());
    scalars.map(load.getResult(), value);
    return success();
  }
  if (op->getNumRegions())
    return op->emitOpError("is not supported by the CPU target yet");
  b.clone(*op, scalars);
  return success();
}

LogicalResult Emitter::emitFor(scf::ForOp loop) {
  if (failed(flush()))
    return failure();
  SmallVector<Value> inits;
  SmallVector<Storage> carried;
  for (auto [init, argument] :
       llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs())) {
    if (!isTile(init)) {
      inits.push_back(scalars.lookup(init));
      continue;
    }
    // An accumulator's rows are padded to whole vectors, as dots want them.
    RankedTensorType type = tileType(init);
    int64_t pitch = 0;
    if (type.getRank() == 2) {
      int64_t columns = type.getDimSize(1);
      pitch = llvm::alignTo(columns, columns > level.lanes ? 2 * level.lanes
                                                           : level.lanes);
    }
    Storage storage = allocate(type, pitch);
    if (failed(materialize(init, storage)))
      return failure();
    storages[argument] = storage;
    carried.push_back(storage);
  }
  auto emitted =
      scf::ForOp::create(b, loc, scalars.lookup(loop.getLowerBound()),
                         scalars.lookup(loop.getUpperBound()),
                         scalars.lookup(loop.getStep()), inits);
  scalars.map(loop.getInductionVar(), emitted.getInductionVar());
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(emitted.getBody());
    unsigned next = 0;
    for (auto [init, argument] :
         llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs()))
      if (!isTile(init))
        scalars.map(argument, emitted.getRegionIterArg(next++));
    if (failed(emitBlock(*loop.getBody())))
      return failure();
    // All next values exist before the first old one is overwritten.
    SmallVector<Value> scalarsOut;
    SmallVector<std::pair<Value, Storage>> copies;
    unsigned tile = 0;
    for (auto [operand, argument] :
         llvm::zip(yield.getOperands(), loop.getRegionIterArgs())) {
      if (!isTile(operand)) {
        scalarsOut.push_back(scalars.lookup(operand));
        continue;
      }
      Storage &target = carried[tile++];
      auto found = storages.find(operand);
      if (found == storages.end()) { // a load, say
        Storage own = allocate(tileType(operand));
        if (failed(materialize(operand, own)))
          return failure();
        storages[operand] = own;
        found = storages.find(operand);
      }
      if (found->second.memref != target.memref)
        copies.push_back({operand, target});
    }
    // A source that another copy overwrites is moved out of its way.
    for (unsigned i = 1; i < copies.size(); ++i)
      for (unsigned j = 0; j != i; ++j) {
        Value operand = copies[i].first;
        if (storages[operand].memref != copies[j].second.memref)
          continue;
        Storage aside = allocate(tileType(operand));
        if (failed(materialize(operand, aside)))
          return failure();
        storages[operand] = aside;
      }
    for (auto &[operand, target] : copies)
      if (failed(materialize(operand, target)))
        return failure();
    b.setInsertionPointToEnd(emitted.getBody());
    if (!inits.empty())
      scf::YieldOp::create(b, loc, scalarsOut);
  }
  unsigned tile = 0, scalar = 0;
  for (Value result : loop.getResults()) {
    if (isTile(result))
      storages[result] = carried[tile++];
    else
      scalars.map(result, emitted.getResult(scalar++));
  }
  return success();
}

LogicalResult Emitter::emitIf(scf::IfOp branch) {
  if (failed(flush()))
    return failure();
  SmallVector<Type> types;
  SmallVector<Storage> tiles;
  for (Value result : branch.getResults()) {
    if (isTile(result))
      tiles.push_back(allocate(tileType(result)));
    else
      types.push_back(result.getType());
  }
  bool hasElse = !branch.getElseRegion().empty();
  auto emitted = scf::IfOp::create(
      b, loc, types, scalars.lookup(branch.getCondition()), hasElse);
  auto side = [&](Block *from, Block *to) -> LogicalResult {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(to);
    if (failed(emitBlock(*from)))
      return failure();
    SmallVector<Value> scalarsOut;
    unsigned tile = 0;
    for (Value operand : from->getTerminator()->getOperands()) {
      if (!isTile(operand))
        scalarsOut.push_back(scalars.lookup(operand));
      else if (failed(materialize(operand, tiles[tile++])))
        return failure();
    }
    b.setInsertionPointToEnd(to);
    if (!types.empty())
      scf::YieldOp::create(b, loc, scalarsOut);
    return success();
  };
  if (failed(side(branch.thenBlock(), emitted.thenBlock())) ||
      (hasElse && failed(side(branch.elseBlock(), emitted.elseBlock()))))
    return failure();
  unsigned tile = 0, scalar = 0;
  for (Value result : branch.getResults()) {
    if (isTile(result))
      storages[result] = tiles[tile++];
    else
      scalars.map(result, emitted.getResult(scalar++));
  }
  return success();
}

FailureOr<OwningOpRef<ModuleOp>> tarn::cpu::lowerKernel(tile::KernelOp kernel,
                                                        const Isa &isa,
                                                        KernelInfo &info) {
  kernel.getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  Emitter emitter(kernel, isa, *module);
  FailureOr<int64_t> scratch = emitter.emit();
  if (failed(scratch))
    return failure();
  info.scratchBytes = *scratch;
  info.blocks = 1;
  for (unsigned dim = 0; dim != kernel.getGridRank(); ++dim)
    if (!kernel.isSequential(dim))
      info.blocks *= kernel.getGridBlocks(dim);
  return module;
}
