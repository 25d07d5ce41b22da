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
  /// Takes a program away again that was written here.
  void erase(tile::KernelOp kernel);

private:
  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  const TileSizes &sizes;
  ProductChooser products;
  llvm::StringMap<mlir::FlatSymbolRefAttr> known;
};

} // namespace tarn

#endif // PASSES_TILE_MATERIALIZER_H
