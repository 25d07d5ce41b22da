//===- Materializer.h - kernels get their tile programs ---------*- C++ -*-===//

#ifndef PASSES_TILE_MATERIALIZER_H
#define PASSES_TILE_MATERIALIZER_H

#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Tile/LibraryProducts.h"
#include "passes/Tile/TileSizes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringMap.h"

namespace tarn {

struct ClusterInfo;

/// Notes at a module what its kernels' blocks are tasks of, and the
/// architecture of a GPU ("sm_90a"; "" = any).
void setMachine(mlir::ModuleOp module, Machine machine,
                llvm::StringRef architecture = "");

/// Writes tile programs into a module, equal ones once.
class Materializer {
public:
  /// Blocks are those of the machine that tarn-materialize-tiles noted at the
  /// module.
  explicit Materializer(mlir::ModuleOp module);

  /// The program of a cluster, which need not be in the module; its attribute
  /// `kernel` names it afterwards. Fails with an error where there is none.
  mlir::LogicalResult visit(graph::ClusterOp cluster);
  /// The program that `visit` gave it.
  tile::KernelOp kernelOf(graph::ClusterOp cluster);
  /// Blocks that a product may have, its own first; none where the cluster is
  /// no product.
  llvm::SmallVector<DotChoice> choicesOf(graph::ClusterOp cluster);
  /// The program of a product in another block, under a name like `name`;
  /// nobody's until somebody launches it.
  tile::KernelOp writeCandidate(graph::ClusterOp cluster, const DotBlock &block,
                                llvm::StringRef name);
  /// Takes a program away again that was written here.
  void erase(tile::KernelOp kernel);

private:
  mlir::FailureOr<tile::KernelOp>
  rewrite(graph::ClusterOp cluster, const ClusterInfo &info,
          tile::KernelOp kernel, const DotBlock &own, const DotBlock &block);
  DotBlock findWideBlock(graph::ClusterOp cluster, const ClusterInfo &info,
                         tile::KernelOp kernel);
  bool isBetterShort(graph::ClusterOp cluster, const ClusterInfo &info,
                     tile::KernelOp kernel);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  const TileSizes &sizes;
  ProductChooser products;
  /// By the program's text, and by what it was written from.
  llvm::StringMap<mlir::FlatSymbolRefAttr> known, written;
  /// Whether products may have blocks that only wgmma takes, and which they
  /// have, by the text of the program in the standard block.
  bool hasWgmma;
  llvm::StringMap<DotBlock> wideBlocks;
  llvm::StringMap<bool> shortBlocks;
};

} // namespace tarn

#endif // PASSES_TILE_MATERIALIZER_H
