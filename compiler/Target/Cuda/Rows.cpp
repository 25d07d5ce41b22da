//===- Rows.cpp - kernels without dots ------------------------------------===//
//
// Elementwise kernels and those with reductions along rows (softmax, norms): a
// row belongs to one warp, lane l holds its columns l, l + 32, ...; every row
// is read once and stays in registers. Everything else is as in kernels with
// dots.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/TensorCore.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Warps of a block, at most, and registers for tiles.
static constexpr int64_t maxWarps = 8, maxTileRegisters = 200;

/// Spreads the rows of the kernel's tiles over warps.
LogicalResult TensorCoreEmitter::chooseRowLayout() {
  RankedTensorType matrix;
  kernel.walk([&](Operation *op) {
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (!matrix && type && type.getRank() == 2)
        matrix = type;
    }
  });
  if (!matrix)
    return unsupported(kernel) << "a kernel without tiles of rank 2";
  layout.rows = matrix.getDimSize(0);
  int64_t warps = std::min(maxWarps, layout.rows);
  if (layout.rows % warps != 0)
    return unsupported(kernel)
           << "tiles of " << layout.rows << " rows over warps (at most "
           << maxWarps << ", or a multiple)";
  int64_t columns = matrix.getDimSize(1);
  std::string perRow = std::to_string(std::max<int64_t>(columns / 32, 1));
  std::string step = std::to_string(warps);
  layout.lanes = layout.columnMultiple = 32;
  layout.heldRows = layout.rows / warps;
  layout.heldRow = "i / " + perRow;
  layout.rowInMatrix = "row + " + step + " * (i / " + perRow + ")";
  layout.rowInVector = "row + " + step + " * i";
  layout.column = "column + 32 * (i % " + perRow + ")";
  layout.combine = "warp";
  layout.storesRow = "column == 0";
  layout.pairs = false;
  launch.threads = 32 * warps;
  WalkResult walked = kernel.walk([&](Operation *op) {
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (type && type.getRank() == 2 &&
          (type.getDimSize(1) != columns || columns % 32 != 0)) {
        unsupported(op) << "a tile of " << type.getDimSize(1)
                        << " columns (one number for all tiles, a multiple "
                           "of 32)";
        return WalkResult::interrupt();
      }
    }
    if (isa<scf::ForOp, scf::IfOp>(op)) {
      unsupported(op) << "'" << op->getName() << "' in a kernel without dots";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

LogicalResult TensorCoreEmitter::runRows() {
  if (failed(chooseRowLayout()))
    return failure();
  launch.blocks = kernel.getNumBlocks();
  names.unique(launch.name);
  if (failed(classifyVectors()))
    return failure();
  nameEverything();
  emitHead();
  emitPositions();
  text.line("const int row = threadIdx.x / 32;");
  text.line("const int column = threadIdx.x % 32;");
  Text before = text;
  declarations.depth = text.depth;
  text.buffer.clear();
  SmallVector<Operation *> ops;
  for (Operation &op : kernel.getBody().front())
    ops.push_back(&op);
  if (failed(emitOps(ops)))
    return failure();
  if (tileRegisters > maxTileRegisters)
    return unsupported(kernel)
           << "tiles of " << tileRegisters << " registers a thread (limit "
           << maxTileRegisters << "): smaller tiles";
  Text body = text;
  text = before;
  text.append(declarations);
  text.append(body);
  text.close();
  return success();
}
