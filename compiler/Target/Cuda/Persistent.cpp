//===- Persistent.cpp - products with more tiles than multiprocessors -----===//
//
// A block stays on its multiprocessor and takes one tile after the other. The
// ring goes on from tile to tile: while the computing warpgroups store one, the
// operands of the next are on their way, and only the first tile waits for
// barriers, tensor maps and the first load. Tiles of a wave lie in a square as
// far as they can, so that they read the same operands from the L2 cache.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/TensorCore.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Whether all products are those of one loop of them, whose operands all come
/// through the ring.
bool TensorCoreEmitter::isOneDotLoop() {
  auto loops = kernel.getBody().getOps<scf::ForOp>();
  if (operands.onceBytes || !llvm::hasSingleElement(loops))
    return false;
  scf::ForOp loop = *loops.begin();
  std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
  // The stage of a tile's last turn is released after the loop.
  if (!from || !to || *from >= *to || !hasDotsOnly(loop))
    return false;
  return llvm::all_of(operands.dots, [&](tile::DotOp dot) {
    return dot->getParentOp() == loop;
  });
}

void TensorCoreEmitter::choosePersistent() {
  processors = options.multiprocessors
                   ? options.multiprocessors
                   : getLimits(options.architecture).multiprocessors;
  // One block of these kernels fills a multiprocessor's registers, so a tile
  // that is not in the first wave always waits for a block to end.
  launch.persistent = launch.blocks > processors && isOneDotLoop();
}

void TensorCoreEmitter::openTiles() {
  text.line("int step = 0; // of the ring, over all tiles");
  text.directive("#pragma unroll 1");
  text.open("for (int tile = blockIdx.x; tile < TILES; tile += gridDim.x) {");
  emitPositions("tile");
}

/// How many blocks of rows a band of tiles has in which a wave is about a
/// square; 1 = rows of the grid are short enough as they are.
int64_t TensorCoreEmitter::bandHeight() {
  int rank = kernel.getGridRank();
  if (rank < 2)
    return 1;
  int64_t rows = kernel.getGridBlocks(rank - 2);
  int64_t columns = kernel.getGridBlocks(rank - 1);
  double shape = double(kernel.getGridTiles()[rank - 1]) /
                 double(kernel.getGridTiles()[rank - 2]);
  int64_t height = std::llround(std::sqrt(double(processors) * shape));
  height = std::clamp<int64_t>(height, 1, rows);
  return columns * height <= processors ? 1 : height;
}

/// Where a tile starts in the grid's last two dims, band by band.
void TensorCoreEmitter::emitBands(StringRef number, int64_t height) {
  int rank = kernel.getGridRank();
  int64_t rows = kernel.getGridBlocks(rank - 2);
  int64_t columns = kernel.getGridBlocks(rank - 1);
  auto define = [&](int dim, const std::string &block) {
    int64_t extent = kernel.getGridTiles()[dim];
    text.line("const int " + scalars[kernel.getGridPosition(dim)] + " = " +
              (extent == 1 ? block : block + " * " + std::to_string(extent)) +
              ";");
  };
  std::string inGrid = number.str();
  if (rank > 2)
    inGrid += " % " + std::to_string(rows * columns);
  if (height == rows) {
    text.line(
        "// Columns of tiles: a wave shares its operands in the L2 cache.");
    define(rank - 2, inGrid + " % " + std::to_string(rows));
    define(rank - 1, inGrid + " / " + std::to_string(rows));
    return;
  }
  text.line("// Bands of " + Twine(height) +
            " rows of tiles: a wave shares its operands in the L2 cache.");
  std::string size = std::to_string(height * columns);
  text.line("const int band = " + inGrid + " / " + size + " * " +
            Twine(height) + ";");
  std::string high = std::to_string(height);
  if (rows % height != 0) {
    text.line("const int height = " + std::to_string(rows) + " - band < " +
              high + " ? " + std::to_string(rows) + " - band : " + high + ";");
    high = "height";
  }
  define(rank - 2, "(band + " + inGrid + " % " + size + " % " + high + ")");
  define(rank - 1, inGrid + " % " + size + " / " + high);
}
