//===- Products.h - who runs the products of a GPU's step -------*- C++ -*-===//

#ifndef COMPILER_DRIVER_PRODUCTS_H
#define COMPILER_DRIVER_PRODUCTS_H

#include "compiler/Driver/Compile.h"
#include "compiler/Target/Targets.h"

namespace tarn {

/// Who runs each kernel with a product of a module that was planned for an
/// architecture, and what else could.
std::vector<ProductNote> productsOf(mlir::ModuleOp module,
                                    llvm::StringRef architecture);

/// Checks a tuning file against the targets: an error if it is for none of
/// them, a note to `said` if it was measured on another device than the one
/// that was named.
CompileStatus checkTuning(const std::string &path,
                          llvm::ArrayRef<Target> targets,
                          llvm::raw_ostream &said,
                          std::optional<Tuning> &tuning);

/// Makes a module of kernels (after phase tile) one for `tarn bench --tune`: of
/// each product all candidates that can be emitted, and a function of kind
/// `tune` that fills operands with noise from its inputs and launches them one
/// after the other. What else it held is gone.
mlir::LogicalResult makeTuningModule(mlir::ModuleOp module,
                                     llvm::StringRef architecture);

} // namespace tarn

#endif // COMPILER_DRIVER_PRODUCTS_H
