//===- LoopCounts.h - how often the ops of a kernel run ---------*- C++ -*-===//

#ifndef COMPILER_COST_LOOPCOUNTS_H
#define COMPILER_COST_LOOPCOUNTS_H

#include "dialects/Tile/TileOps.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

namespace tarn {

/// Evaluates block-uniform index arithmetic and counts with it how often blocks
/// of ops run over the whole grid. What only memory knows (a number from
/// load_scalar) counts at the bound that the program clamps it to, else a loop
/// runs once and a condition holds; a loop that says how many turns it makes on
/// the average (`tile.turns`, a number) makes as many.
class LoopCounts {
public:
  explicit LoopCounts(tile::KernelOp kernel) : kernel(kernel) {}

  /// How often `op` runs in a launch.
  double executions(mlir::Operation *op);
  /// The most iterations that `loop` makes in any block.
  double longest(mlir::scf::ForOp loop);

private:
  using Values = llvm::DenseMap<mlir::Value, int64_t>;
  using Chain = llvm::SmallVector<mlir::Operation *, 4>;

  std::optional<int64_t> evaluate(mlir::Value value) const;
  std::optional<int64_t> trips(mlir::scf::ForOp loop) const;
  void leavesOf(mlir::Value value,
                llvm::SmallSetVector<mlir::Value, 4> &leaves) const;
  llvm::SmallSetVector<mlir::Value, 4> leavesOf(mlir::Operation *op) const;
  Chain chainOf(mlir::Operation *op);
  double countGrid(llvm::ArrayRef<mlir::Value> positions, const Chain &chain,
                   unsigned at);
  double countChain(const Chain &chain, unsigned at, mlir::Block *inner);

  tile::KernelOp kernel;
  Values known;
  mlir::Block *target = nullptr;
  llvm::DenseMap<mlir::Block *, double> counts;
};

} // namespace tarn

#endif // COMPILER_COST_LOOPCOUNTS_H
