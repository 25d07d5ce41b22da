//===- TileSizes.h - how large a block is -----------------------*- C++ -*-===//
//
// Sizes are functions of shapes and of the kind of machine alone, never of the
// number of threads: they decide the order of sums, and so the bits of the
// result.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TILE_TILESIZES_H
#define PASSES_TILE_TILESIZES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace tarn {

/// The block of a product: rows, columns, and terms of one step.
struct DotBlock {
  int64_t rows, columns, depth;
  bool operator==(const DotBlock &other) const = default;
};

/// A block that a product may have, and what the cost model says of it.
struct DotChoice {
  DotBlock block;
  int64_t blocks = 0;      ///< of the grid
  int64_t sharedBytes = 0; ///< of operands in flight
  int64_t registers = 0;   ///< of a thread, for sums
  int64_t atATime = 1;     ///< blocks that a multiprocessor has room for
  int64_t waves = 0;       ///< of blocks, over all multiprocessors
  /// Multiply-adds of one multiprocessor, with those that it loses to padding,
  /// to the last wave and to operands that small blocks read more often.
  double cost = 0;
};

/// A batch of products; `elementBytes` are those of the operands.
struct DotShape {
  int64_t batch, rows, columns, depth, elementBytes;
  bool isTf32 = false;

  /// Whether matrix units multiply them, where a machine has some.
  bool onMatrixUnits() const { return elementBytes <= 2 || isTf32; }
};

/// Block sizes of attention: queries and keys.
struct AttentionBlock {
  int64_t queries, keys;
};

/// What a kernel of attention makes: the result, all gradients, those of keys
/// and values, or that of queries.
enum class AttentionPass { forward, backward, keyGradients, queryGradients };

/// Attention; a head has `features` of queries and keys, and `columns` of
/// values.
struct AttentionShape {
  int64_t batch, heads, keyHeads, queries, keys, features, columns,
      elementBytes;
  bool isCausal;
  AttentionPass pass;
  bool isTf32 = false;

  /// As of products.
  bool onMatrixUnits() const { return elementBytes <= 2 || isTf32; }
};

/// Block sizes for one kind of machine.
class TileSizes {
public:
  virtual ~TileSizes() = default;

  /// Extents of a block along each dim of a domain; 1 = not spanned by tiles.
  /// Dims in `whole` are spanned whole, up to two others are split.
  /// `held` elements are there for each element of the block besides.
  virtual llvm::SmallVector<int64_t> block(llvm::ArrayRef<int64_t> domain,
                                           llvm::ArrayRef<bool> whole,
                                           int64_t held = 1) const = 0;
  virtual DotBlock dot(const DotShape &shape) const = 0;
  /// Into how many parts of equal depth a product is cut, whose results, in f32
  /// at least, are added up by another kernel (split-K); 1 = it stays whole.
  virtual int64_t dotParts(const DotShape &) const { return 1; }
  /// Terms that matrix units take at a time. A step of a product is a divisor
  /// of the depth; where terms outside are zero it may be a multiple of this.
  virtual int64_t termsAtOnce() const { return 1; }
  /// Blocks worth measuring: that of `dot` first, then the cheapest first.
  virtual llvm::SmallVector<DotChoice> dotChoices(const DotShape &shape) const;
  virtual AttentionBlock attention(const AttentionShape &shape) const = 0;
  /// The longest row of keys of so many bytes that a block sorts.
  virtual int64_t longestSort(int64_t) const { return INT64_MAX; }
  /// Whether the backward pass is two kernels, that of queries and that of keys
  /// and values, and not one with fewer products and blocks.
  virtual bool splitsBackward(const AttentionShape &) const { return false; }
};

/// Those of another machine, but for products, which have one block.
class FixedDot : public TileSizes {
public:
  FixedDot(const TileSizes &other, DotBlock fixed)
      : other(other), fixed(fixed) {}
  llvm::SmallVector<int64_t> block(llvm::ArrayRef<int64_t> domain,
                                   llvm::ArrayRef<bool> whole,
                                   int64_t held) const override {
    return other.block(domain, whole, held);
  }
  DotBlock dot(const DotShape &) const override { return fixed; }
  int64_t termsAtOnce() const override { return other.termsAtOnce(); }
  AttentionBlock attention(const AttentionShape &shape) const override {
    return other.attention(shape);
  }
  bool splitsBackward(const AttentionShape &shape) const override {
    return other.splitsBackward(shape);
  }

private:
  const TileSizes &other;
  DotBlock fixed;
};

/// Those of another machine, but for attention, whose inner blocks, of what a
/// loop goes over, are half as long.
class ShortAttention : public TileSizes {
public:
  explicit ShortAttention(const TileSizes &other) : other(other) {}
  llvm::SmallVector<int64_t> block(llvm::ArrayRef<int64_t> domain,
                                   llvm::ArrayRef<bool> whole,
                                   int64_t held) const override {
    return other.block(domain, whole, held);
  }
  DotBlock dot(const DotShape &shape) const override {
    return other.dot(shape);
  }
  AttentionBlock attention(const AttentionShape &shape) const override {
    AttentionBlock block = other.attention(shape);
    int64_t &inner =
        shape.pass == AttentionPass::keyGradients ? block.queries : block.keys;
    if (inner % 32 == 0)
      inner /= 2;
    return block;
  }

private:
  const TileSizes &other;
};

/// What a block is one task of: a core with its caches, or the threads and the
/// shared memory of a multiprocessor.
enum class Machine { cpu, gpu };
const TileSizes &tileSizesOf(Machine machine);

/// Terms that a serial sum takes at a time from `extent`: a divisor, so that no
/// step reaches outside.
int64_t chooseChunk(int64_t extent, int64_t most);

} // namespace tarn

#endif // PASSES_TILE_TILESIZES_H
