//===- Import.cpp - from a .tarn file to the `tarn` dialect ---------------===//

#include "frontends/TarnLanguage/Import.h"

#include "frontends/TarnLanguage/Elaborator.h"

#include "mlir/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace tarn::lang;

/// The standard library's text (lib/nn.tarn, put in by the build).
extern const char *const tarnStandardLibrary;

mlir::OwningOpRef<mlir::ModuleOp>
tarn::lang::importTarn(mlir::MLIRContext &context, const std::string &path,
                       const ImportOptions &options,
                       llvm::raw_ostream &errors) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    errors << "error: cannot read `" << path
           << "`: " << buffer.getError().message() << "\n";
    return nullptr;
  }
  if ((*buffer)->getBufferSize() > (1 << 24)) {
    errors << "error: `" << path << "` is larger than 16 MiB: no model\n";
    return nullptr;
  }
  SourceFile source{path, (*buffer)->getBuffer().str()};
  SourceFile librarySource{"nn.tarn", tarnStandardLibrary, /*library=*/true};
  Diagnostics diagnostics;
  File library = parse(librarySource, diagnostics);
  File file = parse(source, diagnostics);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (!diagnostics.any()) {
    Elaborator elaborator(context, diagnostics, options);
    module = elaborator.run(library, file, llvm::sys::path::stem(path).str());
  }
  if (diagnostics.any()) {
    diagnostics.render(errors);
    return nullptr;
  }
  // What the language lets through, the ops' own verifiers judge.
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [&](mlir::Diagnostic &diagnostic) {
                                          renderDiagnostic(diagnostic, errors);
                                          return mlir::success();
                                        });
  if (module && mlir::failed(mlir::verify(*module)))
    return nullptr;
  return module;
}

void tarn::lang::renderDiagnostic(mlir::Diagnostic &diagnostic,
                                  llvm::raw_ostream &errors) {
  const char *kind =
      diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error ? "error"
      : diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning
          ? "warning"
      : diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark ? "remark"
                                                                     : "note";
  mlir::FileLineColLoc place;
  diagnostic.getLocation()->walk([&](mlir::Location inner) {
    if (auto file = llvm::dyn_cast<mlir::FileLineColLoc>(inner)) {
      place = file;
      return mlir::WalkResult::interrupt();
    }
    return mlir::WalkResult::advance();
  });
  std::string message = diagnostic.str();
  llvm::StringRef line;
  std::unique_ptr<llvm::MemoryBuffer> held;
  if (place) {
    auto buffer = llvm::MemoryBuffer::getFile(place.getFilename().getValue());
    if (buffer) {
      held = std::move(*buffer);
      llvm::StringRef rest = held->getBuffer();
      for (unsigned i = 1; i < place.getLine() && !rest.empty(); ++i)
        rest = rest.split('\n').second;
      line = rest.split('\n').first;
    }
    renderSnippet(errors, kind, message, place.getFilename().getValue(), line,
                  place.getLine(), place.getColumn(), 1);
  } else {
    errors << kind << ": " << message << "\n";
  }
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    renderDiagnostic(note, errors);
}
