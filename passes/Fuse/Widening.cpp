//===- Widening.cpp - what is cheaper made than read ----------------------===//

#include "passes/Fuse/Widening.h"

#include "passes/Fuse/ClusterAnalysis.h"

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
  for (Operation *op : widening) {
    llvm::MapVector<Operation *, SmallVector<OpOperand *>> readers;
    for (OpOperand &use : op->getUses())
      readers[use.getOwner()].push_back(&use);
    for (auto &[reader, uses] : readers) {
      OpBuilder b(reader);
      Operation *copy = b.clone(*op);
      for (OpOperand *use : uses)
        use->set(copy->getResult(0));
    }
    op->erase();
  }
}
