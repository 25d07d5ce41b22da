//===- SimtSort.cpp - places in sorted order ------------------------------===//
//
// The row is copied to shared memory, with the elements' numbers beside it, and
// goes through a bitonic network. Numbers decide between equal elements, so
// that there is one order, and one result.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "llvm/ADT/bit.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

LogicalResult SimtEmitter::emitPlaces(tile::PlacesOp op) {
  if (failed(flush()))
    return failure();
  RankedTensorType type = op.getOperand().getType();
  int64_t count = type.getNumElements();
  int64_t covered = llvm::bit_ceil(uint64_t(count));
  std::string wish = nameFor(op.getResult());
  Type number = op.getResult().getType().getElementType();
  const BlockTile &keys =
      allocate(wish + "_keys", type.getElementType(), 1, covered);
  const BlockTile &order = allocate(wish + "_order", number, 1, covered);
  const BlockTile &places = allocate(wish, number, 1, count);
  Root root;
  root.value = op.getOperand();
  root.shared = &keys;
  root.layout = home(op.getOperand());
  if (failed(emitSweep({root})))
    return failure();
  willWrite(order.name);
  willWrite(places.name);
  willRead(keys.name);
  text.at(op.getLoc());
  text.line("sort_places<" + Twine(threads) + ", " + Twine(covered) + ", " +
            (op.getDescending() ? "true" : "false") + ">(" + keys.name + ", " +
            order.name + ", " + places.name + ", " + Twine(count) + ");");
  readSinceBarrier.insert(order.name);
  writtenSinceBarrier.insert(places.name);
  shared[op.getResult()] = &places;
  return success();
}
