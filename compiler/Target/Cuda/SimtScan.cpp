//===- SimtScan.cpp - running sums ----------------------------------------===//
//
// The tile is copied to shared memory, where its lines are added up: by a
// thread each, by some lanes of a warp, by a warp, or by several warps in two
// passes, as many as the block has for a line. Which of these it is depends on
// shapes alone, and so does the order of the sums.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "llvm/ADT/bit.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Elements of a line that are worth a warp of their own.
static constexpr int64_t leastPart = 64;

LogicalResult SimtEmitter::emitScan(tile::ScanOp scan) {
  if (failed(flush()))
    return failure();
  RankedTensorType type = scan.getOperand().getType();
  int64_t rank = type.getRank(), axis = scan.getAxis();
  int64_t columns = type.getDimSize(rank - 1);
  int64_t rows = type.getNumElements() / columns;
  std::string wish = nameFor(scan.getResult());
  const BlockTile &tile = allocate(wish, type.getElementType(), rows, columns);
  Root root;
  root.value = scan.getOperand();
  root.shared = &tile;
  root.layout = home(scan.getOperand());
  if (failed(emitSweep({root})))
    return failure();

  // Lines, and how they lie: those inside of the axis are neighbours. Between
  // the first of three dims and the columns there are rows, one after the
  // other.
  bool isLast = axis + 1 == rank;
  int64_t count = type.getDimSize(axis);
  int64_t between = rank == 3 && axis == 0 ? type.getDimSize(1) : 1;
  int64_t lines = type.getNumElements() / count / between;
  int64_t step = isLast ? 1 : between * tile.pitch;
  int64_t inner = isLast ? 1 : columns;
  int64_t outer = isLast ? tile.pitch : count * step;

  int64_t lanes = std::clamp<int64_t>(
      std::min(llvm::bit_floor(uint64_t(std::max<int64_t>(threads / lines, 1))),
               llvm::bit_ceil(uint64_t(count))),
      1, 32);
  int64_t parts = 1;
  while (between == 1 && lanes == 32 && lines * 2 * parts * 32 <= threads &&
         count >= 2 * parts * leastPart)
    parts *= 2;
  std::string totals = "nullptr";
  if (parts > 1) {
    const BlockTile &scratch = allocate(wish + "_parts", type.getElementType(),
                                        1, llvm::divideCeil(threads, 32));
    willWrite(scratch.name);
    readSinceBarrier.insert(scratch.name);
    totals = scratch.name;
  }
  willRead(tile.name);
  std::string element = memoryType(type.getElementType());
  auto number = [](int64_t x) { return std::to_string(x); };
  text.at(scan.getLoc());
  std::string place = tile.name;
  // Backwards: from the last element on, with a negative step.
  if (scan.getReverse()) {
    place += " + " + number((count - 1) * step);
    step = -step;
  }
  if (between > 1) {
    text.line("for (int k = 0; k < " + number(between) + "; ++k)");
    place += " + k * " + number(tile.pitch);
  }
  text.line((between > 1 ? "  " : "") + ("scan_lines<" + number(threads)) +
            ", " + number(lanes) + ", " + number(parts) + ">(" + place + ", " +
            number(lines) + ", " + number(inner) + ", " + number(outer) + ", " +
            number(count) + ", " + number(step) + ", (" + element + " *)" +
            totals + ");");
  writtenSinceBarrier.insert(tile.name);
  shared[scan.getResult()] = &tile;
  return success();
}
