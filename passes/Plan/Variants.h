//===- Variants.h - kernels that make their inputs themselves ---*- C++ -*-===//
//
// For a value that cheap ops make from others, whoever reads it may be a kernel
// with those ops in its prologue. The value then needs no bytes and no run of
// its maker. Each such kernel has its own tile program, and so its own time;
// its blocks are those of the kernel as it is, so that no sum changes its
// order.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_VARIANTS_H
#define PASSES_PLAN_VARIANTS_H

#include "dialects/Tarn/TarnOps.h"
#include "passes/Tile/Materializer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <map>

namespace tarn {

/// A kernel in another form.
struct Variant {
  graph::ClusterOp reader;
  /// Values that it makes itself instead of reading them.
  llvm::SmallVector<mlir::OpResult> without;
  llvm::SmallVector<mlir::Value> inputs;
  tile::KernelOp kernel;
  double seconds = 0;

  /// Builds the kernel, which takes `operands` in place of `inputs`.
  graph::ClusterOp create(mlir::OpBuilder &b, mlir::ValueRange operands) const;
};

/// The variants of a function's kernels that may pay.
class Variants {
public:
  /// `secondsOf`: of a kernel's program. `isOutside`: results that lie in
  /// memory in any case. Writes programs into the module.
  Variants(mlir::func::FuncOp function, Materializer &materializer,
           llvm::function_ref<double(tile::KernelOp)> secondsOf,
           llvm::function_ref<bool(mlir::Value)> isOutside);

  llvm::ArrayRef<Variant> all() const { return variants; }
  /// The same for a copy of the function, cloned with `mapping`.
  static llvm::SmallVector<Variant> inCopy(llvm::ArrayRef<Variant> variants,
                                           mlir::IRMapping &mapping);

private:
  struct Program {
    tile::KernelOp kernel; ///< null: there is none
    double seconds = 0;
  };
  void addReader(graph::ClusterOp reader);
  bool add(graph::ClusterOp reader, llvm::ArrayRef<mlir::OpResult> without,
           double most);
  Program programOf(const Variant &variant);
  void dropDear();

  Materializer &materializer;
  llvm::function_ref<double(tile::KernelOp)> secondsOf;
  llvm::function_ref<bool(mlir::Value)> isOutside;
  llvm::SmallVector<Variant> variants;
  std::map<std::string, Program> known;
};

} // namespace tarn

#endif // PASSES_PLAN_VARIANTS_H
