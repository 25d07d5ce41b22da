//===- KernelCost.h - what one launch of a kernel has to do -----*- C++ -*-===//
//
// Counts of a tile program over its whole grid, independent of any device:
// multiplications by operand type, element operations, and the bytes that must
// move at least once.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_COST_KERNELCOST_H
#define COMPILER_COST_KERNELCOST_H

#include "dialects/Tile/TileOps.h"

#include <array>
#include <cstdint>
#include <string>

namespace tarn {

/// Operand types that devices multiply at speeds of their own.
enum class DotType : unsigned { f64, f32, tf32, f16, bf16, fp8 };
constexpr unsigned dotTypeCount = 6;

/// "f64", "f32", "tf32", "f16", "bf16", "fp8".
llvm::StringRef dotTypeName(DotType type);

/// What a product's operands are multiplied as.
DotType dotTypeOf(tile::DotOp dot);

/// The work of one launch. Counts that pass 63 bits stay at the largest.
struct KernelCost {
  /// Two per multiply-add of a product, by the type of the operands. Rows and
  /// columns outside of the buffers are not counted; masked elements are.
  std::array<int64_t, dotTypeCount> dotFlops{};
  /// Operations on elements that take about one instruction for a vector.
  int64_t vectorOps = 0;
  /// Operations that take many (exp = 1; others by their share of that).
  int64_t specialOps = 0;
  /// Bytes read and written, each touched byte once: a gather only reads the
  /// rows that it names, in whole cache lines; an accumulation does both.
  int64_t bytesRead = 0, bytesWritten = 0;
  /// Bytes that all blocks load, each time they do: what passes from the cache
  /// into cores or multiprocessors. Products read their operands once for each
  /// block of rows or columns.
  int64_t bytesLoaded = 0;
  /// Executions of ops on tiles: each has a loop to start, which counts where
  /// tiles are small.
  int64_t tileOps = 0;
  /// Blocks that may run at the same time.
  int64_t blocks = 1;

  /// All dots together.
  int64_t flops() const;
  int64_t bytes() const;
  /// The work of both, by blocks beside each other.
  KernelCost &operator+=(const KernelCost &other);
};

/// Counts a kernel. Takes time linear in the size of its program; loops whose
/// bounds depend on the block are counted block by block, by a sample where
/// there are many.
KernelCost costOf(tile::KernelOp kernel);

/// 16 hexadecimal digits of a hash over the tile program: types, grid and body,
/// but neither its name nor places in the model. Equal programs have equal
/// times.
std::string programHash(tile::KernelOp kernel);
/// The same of kernels that are launched as one, and the work of all.
std::string programHash(llvm::ArrayRef<tile::KernelOp> group);
KernelCost costOf(llvm::ArrayRef<tile::KernelOp> group);

} // namespace tarn

#endif // COMPILER_COST_KERNELCOST_H
