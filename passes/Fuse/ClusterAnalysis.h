//===- ClusterAnalysis.h - can these ops be one kernel? ---------*- C++ -*-===//
//
// A kernel works on blocks of one *domain*: the dims of its largest output, and
// the dims that its reductions take away. Every value of a cluster is tied to
// the domain through the indexing maps of the ops between it and an output. The
// ties say which dims the grid may split and which a block must hold whole.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_FUSE_CLUSTERANALYSIS_H
#define PASSES_FUSE_CLUSTERANALYSIS_H

#include "dialects/Tarn/TarnOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

#include <memory>

namespace tarn {

/// What shapes a cluster's program.
enum class ClusterKind {
  elementwise, ///< every dim of the domain may be split
  row,         ///< rows are whole, because a reduction over them is used again
  serial,      ///< one reduction, summed block of terms after block of terms
  dot,         ///< a product with elementwise ops behind it
  program      ///< an op that brings its own tile program
};

llvm::StringRef clusterKindName(ClusterKind kind);

/// How a cluster's values lie in its domain.
struct ClusterInfo {
  ClusterKind kind = ClusterKind::elementwise;
  /// The op that shapes the program (dot, reduction, own program), or null.
  mlir::Operation *anchor = nullptr;
  /// Extents of the domain; first the dims of the primary output.
  llvm::SmallVector<int64_t> domain;
  /// Dims that a block holds whole.
  llvm::SmallVector<bool> whole;
  /// For each value the domain dim of each of its dims; -1 = none.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int64_t>> ties;
  /// The output, or the part of it that is written, whose dims the domain
  /// begins with.
  mlir::Value primary;
};

/// Ops that cost nothing inside a kernel: they are repeated in every cluster
/// that needs them.
bool isFree(mlir::Operation *op);

/// What is asked of each op again and again.
struct OpFacts {
  graph::IndexedOp op; ///< null: it has no loops
  graph::TileKind kind = graph::TileKind::elementwise;
  bool isFree = false;
  llvm::SmallVector<mlir::AffineMap, 4> maps; ///< mapsOf
  llvm::SmallVector<int64_t, 4> bounds;
};

/// Keeps them, for analyses between which no op changes.
class OpMemo {
public:
  const OpFacts &of(mlir::Operation *op);

private:
  llvm::DenseMap<mlir::Operation *, std::unique_ptr<OpFacts>> known;
};

/// Ops that are no kernel's work: reshapes and parts in place (aliases), and
/// constants of several values (in the artifact). A reshape of dims of one
/// element behind a view that takes out a part is one view with it.
bool isAlias(mlir::Operation *op);

/// The indexing maps of an op; of a view that has none and only adds or takes
/// away dims of one element, those that say so.
llvm::SmallVector<mlir::AffineMap> mapsOf(graph::IndexedOp op);

/// The op with a program of its own that makes all parts of a concatenation,
/// for it alone: whole results, seen with a dim of one element more, along
/// which they are put together. So blocks of one part end where it ends. Null
/// if `op` is nothing like this.
mlir::Operation *makerOfParts(mlir::Operation *op);

/// What the blocks of a kernel write of an output.
struct WrittenPart {
  /// The output, or what is seen through views in an open pad.
  mlir::Value value;
  /// Where its dims lie in the output.
  llvm::SmallVector<int64_t> dims;
  /// Of its dims: whether others write beside it along this one.
  bool isPart(unsigned dim) const;
  mlir::Value output;
};

WrittenPart writtenPartOf(mlir::Value output);

/// Analyses `ops` (of one block, in program order, with the free ops between
/// them) as a cluster with these outputs. Nothing, with `reason` set, when they
/// cannot be one kernel.
std::optional<ClusterInfo> analyzeCluster(llvm::ArrayRef<mlir::Operation *> ops,
                                          llvm::ArrayRef<mlir::Value> outputs,
                                          OpMemo &memo, std::string &reason);
std::optional<ClusterInfo> analyzeCluster(llvm::ArrayRef<mlir::Operation *> ops,
                                          llvm::ArrayRef<mlir::Value> outputs,
                                          std::string &reason);

} // namespace tarn

#endif // PASSES_FUSE_CLUSTERANALYSIS_H
