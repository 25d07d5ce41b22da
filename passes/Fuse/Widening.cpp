//===- Widening.cpp - what is cheaper made than read ----------------------===//

#include "passes/Fuse/Widening.h"

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Layout/InPlace.h"

using namespace mlir;
using namespace tarn;

int64_t tarn::bitsInMemory(Value value) {
  auto type = graph::tensorType(value);
  return type.getNumElements() *
         std::max<int64_t>(type.getElementTypeBitWidth(), 8);
}

/// An op that makes each element of single elements of its operands, cheaply.
static bool isCheapElementwise(Operation &op) {
  auto indexed = dyn_cast<graph::IndexedOp>(op);
  auto cost = dyn_cast<graph::Recomputable>(op);
  return indexed && cost &&
         indexed.getTileKind() == graph::TileKind::elementwise &&
         cost.getRecomputeClass() == graph::RecomputeClass::cheap &&
         op.getNumOperands() != 0 && op.getNumResults() == 1 &&
         // A key is no element: what is drawn with it takes more than a read.
         llvm::all_of(indexed.getIndexingMaps(), [](AffineMap map) {
           return map && !map.getNumSymbols();
         });
}

/// Bits of memory that an operand is read from.
static int64_t bitsBehind(Value value) {
  int64_t bits = bitsInMemory(value);
  while (Operation *source = value.getDefiningOp()) {
    if (!isFree(source))
      break;
    if (source->getNumOperands() == 0)
      return 0; // nothing is read
    value = source->getOperand(0);
    bits = std::min(bits, bitsInMemory(value));
  }
  return bits;
}

/// Moves an op of one operand below another name of its result: readers are
/// behind it. Null where `name` is none.
static Operation *moveBelow(Operation *op, Operation *name) {
  if (!isAlias(name) || isInPlace(name) || name->getNumOperands() != 1 ||
      op->getNumOperands() != 1)
    return nullptr;
  Type from = graph::tensorType(op->getOperand(0)).getElementType();
  OpBuilder b(name);
  Operation *narrow = b.clone(*name);
  narrow->setOperand(0, op->getOperand(0));
  narrow->getResult(0).setType(
      graph::tensorType(name->getResult(0)).clone(from));
  Operation *moved = b.clone(*op);
  moved->setOperand(0, narrow->getResult(0));
  moved->getResult(0).setType(name->getResult(0).getType());
  name->getResult(0).replaceAllUsesWith(moved->getResult(0));
  name->erase();
  return moved;
}

// Readers first, so that several such ops in a row are repeated together.
void tarn::widenAtReaders(func::FuncOp function) {
  SmallVector<Operation *> widening;
  for (Operation &op : llvm::reverse(function.getBody().front())) {
    if (!isCheapElementwise(op))
      continue;
    int64_t read = 0;
    for (Value operand : op.getOperands())
      read += bitsBehind(operand);
    if (read < bitsInMemory(op.getResult(0)))
      widening.push_back(&op);
  }
  for (size_t i = 0; i != widening.size(); ++i) {
    Operation *op = widening[i];
    llvm::MapVector<Operation *, SmallVector<OpOperand *>> readers;
    for (OpOperand &use : op->getUses())
      readers[use.getOwner()].push_back(&use);
    for (auto &[reader, uses] : readers) {
      if (Operation *moved = moveBelow(op, reader)) {
        widening.push_back(moved);
        continue;
      }
      OpBuilder b(reader);
      Operation *copy = b.clone(*op);
      for (OpOperand *use : uses)
        use->set(copy->getResult(0));
    }
    op->erase();
  }
}
