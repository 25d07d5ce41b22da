//===- TileSizes.cpp - how large a block is -------------------------------===//

#include "passes/Tile/TileSizes.h"

#include <algorithm>

using namespace tarn;

/// Elements of a block of elementwise work: large against the cost of a task
/// (some microseconds), small against the second cache level.
static constexpr int64_t blockElements = 16384;

/// Elements of a row that is worth a task with few others.
static constexpr int64_t longRow = 4096;

llvm::SmallVector<int64_t> tarn::chooseBlock(llvm::ArrayRef<int64_t> domain,
                                             llvm::ArrayRef<bool> whole,
                                             int64_t held) {
  llvm::SmallVector<int64_t> block(domain.size(), 1);
  int64_t spanned = 0;
  for (size_t d = 0; d != domain.size(); ++d)
    if (whole[d] && domain[d] > 1) {
      block[d] = domain[d];
      held *= domain[d];
      ++spanned;
    }
  // From the innermost split dim outwards, while the block has room.
  for (size_t i = domain.size(); i-- > 0 && spanned < 2;) {
    if (whole[i] || domain[i] == 1)
      continue;
    int64_t room = std::max<int64_t>(blockElements / held, 1);
    // Lanes run along the innermost dim: whole vectors, four at least. Long
    // rows have enough of their own.
    if (i + 1 == domain.size() && held < longRow)
      room = std::max<int64_t>(room / 64 * 64, 64);
    block[i] = std::min(domain[i], room);
    held *= block[i];
    ++spanned;
    if (block[i] < domain[i])
      break;
  }
  return block;
}

/// The largest of `sizes` that divides `extent`, else the first.
static int64_t divisorOf(int64_t extent, llvm::ArrayRef<int64_t> sizes) {
  for (int64_t size : sizes)
    if (extent % size == 0)
      return size;
  return sizes.front();
}

DotBlock tarn::chooseDotBlock(int64_t batch, int64_t rows, int64_t columns,
                              int64_t depth) {
  DotBlock block{rows, columns, depth};
  if (columns > 256)
    block.columns = divisorOf(columns, {256, 192, 128});
  // A deep product reads its operands from memory: higher blocks read the right
  // one less often.
  if (rows > 256 && depth > 4096)
    block.rows = divisorOf(rows, {256, 192, 128});
  else if (rows > 128)
    block.rows = divisorOf(rows, {128, 96, 112, 64});
  // Enough blocks for a few threads, while a block is worth a task.
  auto blocks = [&] {
    return batch * ((rows + block.rows - 1) / block.rows) *
           ((columns + block.columns - 1) / block.columns);
  };
  // Columns first: packing the right operand pays off by the rows.
  auto halve = [&](int64_t &extent, int64_t least) {
    while (blocks() < 8 && extent >= 2 * least && extent % 2 == 0)
      extent /= 2;
  };
  for (int64_t least : {64, 32}) {
    halve(block.columns, least);
    halve(block.rows, least);
  }
  // The depth in equal steps: an operand that reaches outside is copied.
  if (depth > 1024) {
    block.depth = 768;
    for (int64_t step = 256; step <= 1024; ++step)
      if (depth % step == 0)
        block.depth = step;
  }
  return block;
}

int64_t tarn::chooseChunk(int64_t extent, int64_t most) {
  for (int64_t chunk = std::min(extent, most); chunk > 1; --chunk)
    if (extent % chunk == 0)
      return chunk;
  return 1;
}

AttentionBlock tarn::chooseAttentionBlock(int64_t queries, int64_t keys,
                                          bool causal) {
  // In short sequences the half of a tile that the mask hides counts.
  int64_t most = causal && queries <= 64 && keys <= 64 ? 32 : 64;
  return {std::min(queries, most), std::min(keys, most)};
}
