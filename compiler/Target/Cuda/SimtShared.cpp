//===- SimtShared.cpp - tiles in shared memory and barriers ---------------===//
//
// Every tile has a place of its own in the block's arena. A barrier is written
// where a tile is read after it was written, or written after it was read; at
// the end of a loop's turn for whatever the turn touched.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Rows of tiles that are read along columns start in different banks.
static constexpr int64_t padBytes = 16;

const BlockTile &SimtEmitter::allocate(StringRef wish, Type element,
                                       int64_t rows, int64_t columns,
                                       Pitch pitch, int64_t stages) {
  auto tile = std::make_unique<BlockTile>();
  int64_t bytes = memoryBytes(element);
  tile->name = lastingName((wish + (stages > 1 ? "_ring" : "_tile")).str());
  tile->element = element;
  tile->rows = rows;
  tile->pitch = columns;
  if (rows > 1)
    tile->pitch = (llvm::alignTo(columns * bytes, padBytes) +
                   (pitch == Pitch::paddedTwice ? 2 : 1) * padBytes) /
                  bytes;
  if (pitch == Pitch::odd)
    tile->pitch = columns | 1;
  arena +=
      (memoryType(element) + " *" + tile->name + " = (" + memoryType(element) +
       " *)(arena + " + std::to_string(sharedBytes) + "); // " +
       (rows > 1 ? std::to_string(rows) + " x " : "") +
       std::to_string(columns) +
       (stages > 1 ? ", " + std::to_string(stages) + " stages" : "") + "\n");
  int64_t stageBytes = llvm::alignTo(rows * tile->pitch * bytes, 128);
  tile->stageElements = stageBytes / bytes;
  sharedBytes += stages * stageBytes;
  sharedTiles.push_back(std::move(tile));
  return *sharedTiles.back();
}

void SimtEmitter::barrier() {
  text.line("__syncthreads();");
  readSinceBarrier.clear();
  writtenSinceBarrier.clear();
}

void SimtEmitter::willRead(const std::string &tile) {
  if (writtenSinceBarrier.count(tile))
    barrier();
  readSinceBarrier.insert(tile);
}

void SimtEmitter::willWrite(const std::string &tile) {
  if (readSinceBarrier.count(tile))
    barrier();
  writtenSinceBarrier.insert(tile);
}

/// Copies a tile that threads hold to shared memory, for whoever reads it in
/// another way.
LogicalResult SimtEmitter::exportTile(Value value) {
  auto known = held.find(value);
  auto type = cast<RankedTensorType>(value.getType());
  int64_t columns = type.getRank() ? type.getDimSize(type.getRank() - 1) : 1;
  Held tile = known->second;
  const BlockTile &copy = allocate(nameFor(value), type.getElementType(),
                                   type.getNumElements() / columns, columns);
  Root root;
  root.value = value;
  root.shared = &copy;
  root.layout = tile.layout;
  if (failed(emitSweep({root})))
    return failure();
  shared[value] = &copy;
  return success();
}
