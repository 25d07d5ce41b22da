//===- Import.h - from a .tarn file to the `tarn` dialect -------*- C++ -*-===//

#ifndef FRONTENDS_TARNLANGUAGE_IMPORT_H
#define FRONTENDS_TARNLANGUAGE_IMPORT_H

#include "frontends/TarnLanguage/Source.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <map>
#include <string>

namespace tarn::lang {

struct ImportOptions {
  /// Hyper-parameters, by name, as text: `--set layers=4`.
  std::map<std::string, std::string> set;
  /// Symbolic dimensions: `--shape B=12`.
  std::map<std::string, int64_t> shape;
};

/// Reads, checks and elaborates a model. Null after errors, which were printed
/// to `errors`: message, place, the line with carets, notes, a way out.
/// `context` must have the dialects `tarn` and `func` loaded.
mlir::OwningOpRef<mlir::ModuleOp> importTarn(mlir::MLIRContext &context,
                                             const std::string &path,
                                             const ImportOptions &options,
                                             llvm::raw_ostream &errors);

/// Elaborates a model's text into a module called `name`; null after errors,
/// which are in `diagnostics`.
mlir::OwningOpRef<mlir::ModuleOp> importSource(mlir::MLIRContext &context,
                                               const SourceFile &source,
                                               const std::string &name,
                                               const ImportOptions &options,
                                               Diagnostics &diagnostics);

/// What the language lets through, the ops' own verifiers judge, and so are
/// sizes: null with errors printed if anything is wrong.
mlir::OwningOpRef<mlir::ModuleOp>
verifyImported(mlir::OwningOpRef<mlir::ModuleOp> module,
               llvm::raw_ostream &errors);

/// Prints a diagnostic of a later phase in the same form, with the line that
/// its location names.
void renderDiagnostic(mlir::Diagnostic &diagnostic, llvm::raw_ostream &errors);

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_IMPORT_H
