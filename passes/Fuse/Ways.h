//===- Ways.h - kernels that would wait for themselves ----------*- C++ -*-===//

#ifndef PASSES_FUSE_WAYS_H
#define PASSES_FUSE_WAYS_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

#include "llvm/ADT/DenseMap.h"

#include <vector>

namespace tarn {

/// The uses among the ops of a block, some of which are kernels, and whether
/// they lead around. Ops are numbers in here: it is asked for each pair of
/// kernels that could be one, in steps with as many ops as are in the way.
class Ways {
public:
  explicit Ways(mlir::Block &block);

  /// Makes one kernel of `ops`, which takes in those that they were in: all of
  /// it waits for what any of it waits for.
  void setKernel(llvm::ArrayRef<mlir::Operation *> ops);

  /// Whether a way through uses leaves `ops` (in order) and comes back to them:
  /// then they cannot be one kernel. `isComplete`: any op may be in a kernel;
  /// else those in front of the first of `ops` are in none.
  bool leadsBack(llvm::ArrayRef<mlir::Operation *> ops, bool isComplete);

private:
  using Index = uint32_t;
  static constexpr Index none = ~Index(0);
  /// The last questions in which it was seen.
  struct Seen {
    Index down = 0, up = 0;
  };
  struct Node {
    llvm::SmallVector<Index, 4> sources, users;
    bool isFree = false;
    Index kernel = none;
    Seen seen;
    Index inside = 0; ///< the last question about it
  };
  class Search;

  std::vector<Node> nodes;
  llvm::DenseMap<mlir::Operation *, Index> indexOf;
  std::vector<llvm::SmallVector<Index>> kernels;
  std::vector<Seen> visited; ///< kernels
  Index question = 0;
};

} // namespace tarn

#endif // PASSES_FUSE_WAYS_H
