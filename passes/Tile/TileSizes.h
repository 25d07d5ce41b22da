//===- TileSizes.h - how large a block is -----------------------*- C++ -*-===//
//
// Sizes are functions of shapes alone, never of the number of threads: they
// decide the order of sums, and so the bits of the result.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TILE_TILESIZES_H
#define PASSES_TILE_TILESIZES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace tarn {

/// Extents of a block along each dim of a domain; 1 = not spanned by tiles.
/// Dims in `whole` are spanned whole, up to two others are split.
/// `held` elements are there for each element of the block besides.
llvm::SmallVector<int64_t> chooseBlock(llvm::ArrayRef<int64_t> domain,
                                       llvm::ArrayRef<bool> whole,
                                       int64_t held = 1);

/// The block of a product: rows, columns, and terms of one step.
struct DotBlock {
  int64_t rows, columns, depth;
};
DotBlock chooseDotBlock(int64_t batch, int64_t rows, int64_t columns,
                        int64_t depth);

/// Terms that a serial sum takes at a time from `extent`: a divisor, so that no
/// step reaches outside.
int64_t chooseChunk(int64_t extent, int64_t most);

/// Block sizes of attention: queries and keys.
struct AttentionBlock {
  int64_t queries, keys;
};
AttentionBlock chooseAttentionBlock(int64_t queries, int64_t keys, bool causal);

} // namespace tarn

#endif // PASSES_TILE_TILESIZES_H
