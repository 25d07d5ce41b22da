//===- Import.h - from a config.json to the `tarn` dialect ------*- C++ -*-===//

#ifndef FRONTENDS_HUGGINGFACE_IMPORT_H
#define FRONTENDS_HUGGINGFACE_IMPORT_H

#include "frontends/TarnLanguage/Import.h"

namespace tarn::hf {

/// Reads a Hugging Face configuration and elaborates the model of the library
/// that it describes. `options.set` goes over what the file says. Null after
/// one error, printed to `errors` with its place in the file.
mlir::OwningOpRef<mlir::ModuleOp>
importConfig(mlir::MLIRContext &context, const std::string &path,
             const lang::ImportOptions &options, llvm::raw_ostream &errors);

/// The text of a model of the library by the file that places name
/// (`huggingface/decoder.tarn`); null for other files.
const char *modelText(llvm::StringRef file);

} // namespace tarn::hf

#endif // FRONTENDS_HUGGINGFACE_IMPORT_H
