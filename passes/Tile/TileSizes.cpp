//===- TileSizes.cpp - how large a block is -------------------------------===//

#include "passes/Tile/TileSizes.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstdint>

using namespace tarn;

/// Elements of a row that is worth a task with few others.
static constexpr int64_t longRow = 4096;

int64_t tarn::chooseChunk(int64_t extent, int64_t most) {
  for (int64_t chunk = std::min(extent, most); chunk > 1; --chunk)
    if (extent % chunk == 0)
      return chunk;
  return 1;
}

/// The largest of `sizes` that divides `extent`, else the first.
static int64_t divisorOf(int64_t extent, llvm::ArrayRef<int64_t> sizes) {
  for (int64_t size : sizes)
    if (extent % size == 0)
      return size;
  return sizes.front();
}

/// Dims in `whole`, and from the innermost other one outwards what `extentOf`
/// says for a dim and the elements held so far.
template <typename ExtentOf>
static llvm::SmallVector<int64_t> fillBlock(llvm::ArrayRef<int64_t> domain,
                                            llvm::ArrayRef<bool> whole,
                                            int64_t held, ExtentOf extentOf) {
  llvm::SmallVector<int64_t> block(domain.size(), 1);
  int64_t spanned = 0;
  for (size_t d = 0; d != domain.size(); ++d)
    if (whole[d] && domain[d] > 1) {
      block[d] = domain[d];
      held *= domain[d];
      ++spanned;
    }
  for (size_t d = domain.size(); d-- > 0 && spanned < 2;) {
    if (whole[d] || domain[d] == 1)
      continue;
    block[d] = std::min(domain[d], extentOf(d, held));
    held *= block[d];
    ++spanned;
    if (block[d] < domain[d])
      break;
  }
  return block;
}

static int64_t countBlocks(const DotShape &shape, const DotBlock &block) {
  return shape.batch * llvm::divideCeil(shape.rows, block.rows) *
         llvm::divideCeil(shape.columns, block.columns);
}

llvm::SmallVector<DotChoice>
TileSizes::dotChoices(const DotShape &shape) const {
  DotChoice only;
  only.block = dot(shape);
  only.blocks = countBlocks(shape, only.block);
  return {only};
}

//===----------------------------------------------------------------------===//
// A core with its caches
//===----------------------------------------------------------------------===//

namespace {

class CpuTileSizes : public TileSizes {
public:
  /// Elements of a block of elementwise work: large against the cost of a task
  /// (some microseconds), small against the second cache level.
  static constexpr int64_t elements = 16384;

  llvm::SmallVector<int64_t> block(llvm::ArrayRef<int64_t> domain,
                                   llvm::ArrayRef<bool> whole,
                                   int64_t held) const override {
    return fillBlock(domain, whole, held, [&](size_t d, int64_t held) {
      int64_t room = std::max<int64_t>(elements / held, 1);
      // Lanes run along the innermost dim: whole vectors, four at least. Long
      // rows have enough of their own.
      if (d + 1 == domain.size() && held < longRow)
        room = std::max<int64_t>(room / 64 * 64, 64);
      return room;
    });
  }

  DotBlock dot(const DotShape &shape) const override {
    int64_t rows = shape.rows, columns = shape.columns, depth = shape.depth;
    DotBlock block{rows, columns, depth};
    if (columns > 256)
      block.columns = divisorOf(columns, {256, 192, 128});
    // A deep product reads its operands from memory: higher blocks read the
    // right one less often.
    if (rows > 256 && depth > 4096)
      block.rows = divisorOf(rows, {256, 192, 128});
    else if (rows > 128)
      block.rows = divisorOf(rows, {128, 96, 112, 64});
    // Enough blocks for a few threads, while a block is worth a task.
    // Columns first: packing the right operand pays off by the rows.
    auto halve = [&](int64_t &extent, int64_t least) {
      while (countBlocks(shape, block) < 8 && extent >= 2 * least &&
             extent % 2 == 0)
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

  AttentionBlock attention(const AttentionShape &shape) const override {
    // In short sequences the half of a tile that the mask hides counts.
    int64_t most =
        shape.isCausal && shape.queries <= 64 && shape.keys <= 64 ? 32 : 64;
    return {std::min(shape.queries, most), std::min(shape.keys, most)};
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// The threads and the shared memory of a multiprocessor
//===----------------------------------------------------------------------===//

namespace {

class GpuTileSizes : public TileSizes {
public:
  /// Elements of a block of elementwise work: a few accesses of 16 bytes for
  /// each of some hundred threads.
  static constexpr int64_t elements = 4096;
  /// Blocks that a product should have: one for each multiprocessor of the
  /// largest usual device.
  static constexpr int64_t multiprocessors = 132;
  /// What a row of an operand has in shared memory: one swizzle.
  static constexpr int64_t depthBytes = 128;

  llvm::SmallVector<int64_t> block(llvm::ArrayRef<int64_t> domain,
                                   llvm::ArrayRef<bool> whole,
                                   int64_t held) const override {
    return fillBlock(domain, whole, held, [&](size_t d, int64_t held) {
      // Threads divide powers of two.
      int64_t room =
          llvm::bit_floor(uint64_t(std::max<int64_t>(elements / held, 1)));
      // Neighbouring threads take neighbours along the innermost dim, if
      // there are no rows that they share.
      return d + 1 == domain.size() && held == 1 ? std::max<int64_t>(room, 64)
                                                 : room;
    });
  }

  DotBlock dot(const DotShape &shape) const override {
    return bestOf(shape).block;
  }

  int64_t termsAtOnce() const override { return 16; }

  int64_t longestSort(int64_t keyBytes) const override {
    // Keys, their numbers and places, in what a block of any usual device has
    // of shared memory; a network has a power of two of them.
    return llvm::bit_floor(uint64_t(leastSharedBytes / (keyBytes + 8)));
  }

  int64_t dotParts(const DotShape &shape) const override {
    // Not worth another kernel unless a good part of the time is saved.
    double least = 0.9 * bestOf(shape).cost;
    int64_t best = 1;
    for (int64_t parts = 2; parts <= mostParts; ++parts) {
      int64_t depth = shape.depth / parts;
      if (shape.depth % parts != 0 || depth < leastDepth || depth % 64 != 0)
        continue;
      DotShape cut = shape;
      cut.batch *= parts;
      cut.depth = depth;
      double cost = bestOf(cut).cost + sumCost(shape, parts);
      if (cost < least) {
        least = cost;
        best = parts;
      }
    }
    return best;
  }

  llvm::SmallVector<DotChoice>
  dotChoices(const DotShape &shape) const override {
    DotBlock standard = dot(shape);
    llvm::SmallVector<DotChoice> choices{judge(shape, standard)};
    // A warpgroup has 64 rows; f32 holds operands in registers besides.
    bool wide = shape.onMatrixUnits();
    for (int64_t rows : {64, 128, 192})
      for (int64_t columns : {64, 128, 192, 256}) {
        DotBlock block{rows, columns, standard.depth};
        bool idle = rows >= shape.rows + 64 || columns >= shape.columns + 64;
        if (block == standard || idle || (!wide && rows * columns > 128 * 128))
          continue;
        DotChoice choice = judge(shape, block);
        if (choice.sharedBytes <= sharedBytes && choice.registers <= mostSums)
          choices.push_back(choice);
      }
    std::stable_sort(
        choices.begin() + 1, choices.end(),
        [](const DotChoice &x, const DotChoice &y) { return x.cost < y.cost; });
    constexpr size_t most = 6;
    choices.resize(std::min(choices.size(), most));
    return choices;
  }

  AttentionBlock attention(const AttentionShape &shape) const override {
    // Accumulators of 128 rows stay in registers up to 128 columns; the
    // backward pass has two of them, and as many tiles of scores. Products of
    // f32 keep operands in shared memory; those in tf32 have twice the bytes.
    int64_t queries = 128, keys = 128;
    int64_t widest = std::max(shape.columns, shape.features);
    if (!shape.onMatrixUnits() || widest * shape.elementBytes > 256)
      queries = keys = 32;
    else if (shape.isTf32)
      queries = keys = 64;
    else if (shape.pass == AttentionPass::backward)
      queries = keys = 64;
    else if (shape.pass == AttentionPass::keyGradients)
      queries = 64;
    else if (shape.pass == AttentionPass::queryGradients)
      keys = 64;
    return {std::min(shape.queries, queries), std::min(shape.keys, keys)};
  }

  bool splitsBackward(const AttentionShape &shape) const override {
    double split = backwardCost(shape, AttentionPass::keyGradients) +
                   backwardCost(shape, AttentionPass::queryGradients) +
                   sumsCost(shape);
    // Gradients that are put together have to be copied then.
    constexpr double worthIt = 0.7;
    return split < worthIt * backwardCost(shape, AttentionPass::backward);
  }

private:
  /// What a multiprocessor has; stages of operands that are on their way.
  static constexpr int64_t sharedBytes = 232448, registers = 65536, stages = 4;
  /// What a block has of it on sm_89.
  static constexpr int64_t leastSharedBytes = 101376;
  /// Registers of a thread that may hold sums.
  static constexpr int64_t mostSums = 128;
  /// Parts of a product, and terms of each.
  static constexpr int64_t mostParts = 16, leastDepth = 512;

  /// The cheapest block of 64 or 128 rows and columns, the largest of equals.
  static DotChoice bestOf(const DotShape &shape) {
    DotBlock block{fit(shape.rows), fit(shape.columns), depthOf(shape)};
    DotChoice best = judge(shape, block);
    auto halved = [](int64_t extent) { return extent == 128 ? 64 : extent; };
    int64_t rows = halved(block.rows), columns = halved(block.columns);
    for (auto [r, c] : {std::pair(block.rows, columns),
                        {rows, block.columns},
                        {rows, columns}}) {
      DotChoice choice = judge(shape, {r, c, block.depth});
      if (choice.cost < best.cost)
        best = choice;
    }
    return best;
  }

  /// How many times as fast as memory the second cache level is, and what a
  /// multiprocessor loads from it while a kernel is launched (2.5 us).
  static constexpr double memoryCost = 3.3, launchBytes = 190000;

  /// What it costs to add up the parts of a product, in multiply-adds of one
  /// multiprocessor: a launch, and each part written and read, at memory's
  /// speed.
  static double sumCost(const DotShape &shape, int64_t parts) {
    double bytes = 2.0 * sizeof(float) * double(parts * shape.batch) *
                   double(shape.rows) * double(shape.columns);
    return byteCost(shape) *
           (memoryCost * bytes / multiprocessors + launchBytes);
  }

  /// Multiply-adds in the time that a term of one row or column takes from the
  /// second cache level: with tensor cores, blocks of 128 x 128 wait for it
  /// about a third of the time; threads that multiply f32 hardly do.
  static double loadCost(const DotShape &shape) {
    return byteCost(shape) * double(shape.elementBytes);
  }
  /// The same of a byte.
  template <typename Shape> static double byteCost(const Shape &shape) {
    return (shape.onMatrixUnits() ? 100.0 : 12.0) / double(shape.elementBytes);
  }

  /// What a kernel of the backward pass costs, in multiply-adds of one
  /// multiprocessor.
  double backwardCost(const AttentionShape &shape, AttentionPass pass) const {
    AttentionShape kernel = shape;
    kernel.pass = pass;
    AttentionBlock block = attention(kernel);
    double queries = double(block.queries), keys = double(block.keys);
    double features = double(shape.features), columns = double(shape.columns);
    int64_t ofQueries = llvm::divideCeil(shape.queries, block.queries),
            ofKeys = llvm::divideCeil(shape.keys, block.keys);
    double tiles = double(shape.heads / shape.keyHeads) * double(ofQueries) *
                   double(ofKeys) * (shape.isCausal ? 0.5 : 1);
    int64_t blocks = shape.batch * shape.keyHeads;
    // Scores twice, as products of q and k and of grad and v; what they are
    // multiplied by; and the bytes that a tile of them needs.
    double products = features + columns, bytes = 0;
    double ofHead = (features + columns) * double(shape.elementBytes);
    if (pass == AttentionPass::queryGradients) {
      products += features;
      bytes = keys * ofHead;
      blocks = shape.batch * shape.heads * ofQueries;
      tiles = double(ofKeys) * (shape.isCausal ? 0.5 : 1);
    } else {
      products += features + columns;
      bytes = queries * ofHead;
      if (pass == AttentionPass::keyGradients) {
        blocks *= ofKeys;
        tiles /= double(ofKeys);
      } else {
        // out for its sums, and dq, read and written.
        products += features;
        bytes += queries * (columns * double(shape.elementBytes) +
                            2 * sizeof(float) * features);
      }
    }
    double multiplied = queries * keys * products,
           loaded = byteCost(shape) * bytes;
    return double(llvm::divideCeil(blocks, multiprocessors)) * tiles *
           (std::max(multiplied, loaded) + 0.1 * std::min(multiplied, loaded));
  }

  /// What the sums of grad * out cost, read from memory, and two launches more.
  static double sumsCost(const AttentionShape &shape) {
    double bytes = 2.0 * double(shape.elementBytes) * double(shape.batch) *
                   double(shape.heads) * double(shape.queries) *
                   double(shape.columns);
    return byteCost(shape) *
           (memoryCost * bytes / multiprocessors + 2 * launchBytes);
  }

  static DotChoice judge(const DotShape &shape, const DotBlock &block) {
    DotChoice choice;
    choice.block = block;
    choice.blocks = countBlocks(shape, block);
    choice.sharedBytes = stages * (block.rows + block.columns) * block.depth *
                         shape.elementBytes;
    // A warpgroup for 64 rows, and one that loads.
    int64_t threads = 128 * llvm::divideCeil(block.rows, 64);
    choice.registers = llvm::divideCeil(block.rows * block.columns, threads);
    int64_t perThread = std::min<int64_t>(choice.registers + 40, 255);
    choice.atATime = std::max<int64_t>(
        1, std::min(sharedBytes / std::max<int64_t>(choice.sharedBytes, 1),
                    registers / (perThread * (threads + 128))));
    choice.waves =
        llvm::divideCeil(choice.blocks, multiprocessors * choice.atATime);
    // What a multiprocessor does in all its waves, the last one included.
    int64_t inTurn =
        std::min(choice.waves * choice.atATime,
                 int64_t(llvm::divideCeil(choice.blocks, multiprocessors)));
    double multiplied = double(block.rows) * double(block.columns);
    double loaded = loadCost(shape) * double(block.rows + block.columns);
    // They overlap, but for the ends of a block.
    choice.cost =
        double(inTurn) * double(shape.depth) *
        (std::max(multiplied, loaded) + 0.1 * std::min(multiplied, loaded));
    return choice;
  }

  /// Tensor cores take 16 rows, columns and terms at a time, warpgroups 64
  /// rows. What is smaller is padded.
  static int64_t fit(int64_t extent) {
    if (extent < 8)
      return extent;
    return std::min<int64_t>(llvm::alignTo(extent, 16), extent > 64 ? 128 : 64);
  }

  /// A divisor: what a prologue makes of terms outside is not always zero.
  static int64_t depthOf(const DotShape &shape) {
    int64_t depth = shape.depth, most = depthBytes / shape.elementBytes;
    for (int64_t step = most; step >= 16; step -= 16)
      if (depth % step == 0)
        return step;
    if (depth <= most)
      return depth;
    int64_t chunk = chooseChunk(depth, most);
    return chunk >= 16 ? chunk : most;
  }
};

} // namespace

const TileSizes &tarn::tileSizesOf(Machine machine) {
  static const CpuTileSizes cpu;
  static const GpuTileSizes gpu;
  if (machine == Machine::gpu)
    return gpu;
  return cpu;
}
