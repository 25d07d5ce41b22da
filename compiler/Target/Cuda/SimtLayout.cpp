//===- SimtLayout.cpp - how threads share the elements of tiles -----------===//
//
// One layout per shape and kernel, so that tiles of one shape meet in registers
// and a row of any tile belongs to the same threads.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/Support/MathExtras.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Rows of a product that a warp holds, and warps of a block, at most.
static constexpr int64_t warpRows = 16, maxWarps = 8;
/// Threads of a block without tensor cores, at most.
static constexpr int64_t maxThreads = 256;
/// Elements of a row that the 32 threads of a warp hold, at most; longer rows
/// belong to the whole block.
static constexpr int64_t maxWarpRow = 1024;

static RankedTensorType tileType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// Which vectors have an element per row of the matrices: those that a
/// reduction along rows gives, or that are repeated along rows, and what meets
/// them elementwise.
void SimtEmitter::classifyVectors() {
  llvm::EquivalenceClasses<void *> classes;
  llvm::DenseSet<void *> marked;
  auto isVector = [](Value value) {
    auto type = tileType(value);
    return type && type.getRank() == 1;
  };
  auto join = [&](Value a, Value b) {
    if (isVector(a) && isVector(b))
      classes.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
  };
  kernel->walk([&](Operation *op) {
    if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      if (tileType(reduce.getOperand()).getRank() == 2 && reduce.getAxis() == 1)
        marked.insert(reduce.getResult().getAsOpaquePointer());
      return;
    }
    if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
      if (isVector(broadcast.getOperand()) && broadcast.getAxis() == 1 &&
          !isConstant(broadcast.getOperand()))
        marked.insert(broadcast.getOperand().getAsOpaquePointer());
      return;
    }
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (auto [init, carried, yielded, result] :
           llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(),
                     loop.getYieldedValues(), loop.getResults())) {
        if (!isConstant(init))
          join(init, carried);
        join(yielded, carried);
        join(result, carried);
      }
      return;
    }
    if (isa<tile::LoadOp, tile::GatherOp, tile::DotOp>(op) ||
        op->getNumResults() == 0)
      return;
    for (Value operand : op->getOperands())
      if (!isConstant(operand))
        join(operand, op->getResult(0));
  });
  llvm::DenseSet<void *> leaders;
  for (void *value : marked) {
    classes.insert(value);
    leaders.insert(classes.getLeaderValue(value));
  }
  for (const auto *member : classes)
    if (leaders.contains(classes.getLeaderValue(member->getData())))
      rowVectors.insert(Value::getFromOpaquePointer(member->getData()));
}

bool SimtEmitter::usesTensorCores(tile::DotOp dot) {
  Type element = dot.getA().getType().getElementType();
  RankedTensorType result = dot.getResult().getType();
  return (element.isBF16() || element.isF16() || dot.getTf32()) &&
         result.getElementType().isF32() && result.getDimSize(0) % 16 == 0 &&
         result.getDimSize(1) % 16 == 0 && dot.getK() % 16 == 0;
}

void SimtEmitter::chooseThreads() {
  int64_t largest = 1, rows = 1, columns = 1;
  bool reducesRows = false;
  SmallVector<tile::DotOp> dots;
  kernel->walk([&](Operation *op) {
    if (auto dot = dyn_cast<tile::DotOp>(op))
      dots.push_back(dot);
    if (auto reduce = dyn_cast<tile::ReduceOp>(op))
      reducesRows |=
          reduce.getAxis() + 1 ==
          static_cast<uint64_t>(tileType(reduce.getOperand()).getRank());
    for (Value value : op->getOperands()) {
      auto type = tileType(value);
      if (!type || type.getRank() == 0 || type.getNumElements() <= largest)
        continue;
      largest = type.getNumElements();
      columns = type.getDimSize(type.getRank() - 1);
      rows = largest / columns;
    }
  });
  // 16 bytes of the widest element in memory.
  int64_t bytes = 1;
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    bytes =
        std::max(bytes, memoryBytes(kernel.getBufferType(i).getElementType()));
  width = bytes >= 8 ? 2 : bytes == 4 ? 4 : 8;

  if (!dots.empty()) {
    tensorCores = llvm::all_of(
        dots, [&](tile::DotOp dot) { return usesTensorCores(dot); });
    int64_t most = 1, mostRows = 1, mostColumns = 1;
    for (tile::DotOp dot : dots) {
      RankedTensorType type = dot.getResult().getType();
      if (type.getNumElements() > most) {
        most = type.getNumElements();
        mostColumns = type.getDimSize(1);
      }
      mostRows = std::max(mostRows, type.getDimSize(0));
    }
    if (tensorCores) {
      int64_t warps = maxWarps;
      while (mostRows / warpRows % warps != 0)
        --warps;
      threads = 32 * warps;
      lanes = 4;
      return;
    }
    // Squares of elements per thread.
    threads =
        std::clamp<int64_t>(llvm::PowerOf2Ceil(most / 16), 64, maxThreads);
    int64_t side = 1;
    while (side * side * 4 <= most / threads)
      side *= 2;
    lanes = std::clamp<int64_t>(llvm::PowerOf2Ceil(mostColumns / side), 4, 32);
    return;
  }
  int64_t groups = llvm::divideCeil(columns, width);
  if (reducesRows) {
    bool wide = columns > maxWarpRow;
    threads = wide && columns > 16384 ? 2 * maxThreads : maxThreads;
    lanes = wide ? threads : std::min<int64_t>(32, llvm::PowerOf2Ceil(groups));
    threads =
        std::clamp<int64_t>(lanes * llvm::PowerOf2Ceil(rows), 32, threads);
    return;
  }
  threads = std::clamp<int64_t>(
      llvm::PowerOf2Ceil(llvm::divideCeil(largest, width)), 32, maxThreads);
  lanes = std::min<int64_t>(threads, llvm::PowerOf2Ceil(groups));
}

/// The largest power of two up to `most` that divides `columns`.
static int64_t neighbours(int64_t columns, int64_t most) {
  int64_t vector = 1;
  while (2 * vector <= most && columns % (2 * vector) == 0)
    vector *= 2;
  return vector;
}

Layout SimtEmitter::rowLayout(int64_t rows) {
  Layout layout;
  layout.kind = Layout::Kind::row;
  layout.fragment = tensorCores;
  layout.rows = rows;
  layout.lanes = lanes;
  layout.rowStep = tensorCores ? threads / 4 : threads / lanes;
  layout.heldRows = llvm::divideCeil(rows, layout.rowStep);
  // A fragment has a row of the upper and one of the lower half.
  if (tensorCores)
    layout.heldRows = llvm::alignTo(layout.heldRows, 2);
  return layout;
}

Layout SimtEmitter::matrixLayout(int64_t rows, int64_t columns) {
  Layout layout = rowLayout(rows);
  layout.kind = Layout::Kind::matrix;
  layout.columns = columns;
  layout.vector = tensorCores ? 2 : neighbours(columns, width);
  while (!tensorCores && layout.vector > 1 && layout.vector * lanes > columns)
    layout.vector /= 2;
  layout.groups = llvm::divideCeil(columns, lanes * layout.vector);
  return layout;
}

Layout SimtEmitter::flatLayout(int64_t columns) {
  Layout layout;
  layout.kind = Layout::Kind::flat;
  layout.columns = columns;
  layout.lanes = threads;
  layout.vector = neighbours(columns, width);
  while (layout.vector > 1 && layout.vector * threads > columns)
    layout.vector /= 2;
  layout.groups = llvm::divideCeil(columns, threads * layout.vector);
  return layout;
}

Layout SimtEmitter::copyLayout(int64_t rows, int64_t columns, int64_t vector) {
  Layout layout;
  layout.kind = Layout::Kind::matrix;
  layout.free = true;
  layout.rows = rows;
  layout.columns = columns;
  layout.vector = neighbours(columns, vector);
  layout.lanes = 1;
  while (threads % (2 * layout.lanes) == 0 &&
         2 * layout.lanes * layout.vector <= columns)
    layout.lanes *= 2;
  layout.rowStep = threads / layout.lanes;
  layout.heldRows = llvm::divideCeil(rows, layout.rowStep);
  layout.groups = llvm::divideCeil(columns, layout.lanes * layout.vector);
  return layout;
}

Layout SimtEmitter::home(Value value) {
  auto type = tileType(value);
  if (!type || type.getRank() == 0)
    return Layout();
  int64_t columns = type.getDimSize(type.getRank() - 1);
  if (type.getRank() > 1)
    return matrixLayout(type.getNumElements() / columns, columns);
  return rowVectors.contains(value) ? rowLayout(columns) : flatLayout(columns);
}
