//===- Import.cpp - from a .tarn file to the `tarn` dialect ---------------===//

#include "frontends/TarnLanguage/Import.h"

#include "frontends/TarnLanguage/Elaborator.h"

#include "mlir/IR/Verifier.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace tarn::lang;

/// The standard library's text (lib/nn.tarn, put in by the build).
extern const char *const tarnStandardLibrary;

/// Memory is counted in 64 bits: tens of thousands of tensors, in bytes, must
/// stay below that.
static constexpr int64_t mostElements = int64_t(1) << 44;

mlir::OwningOpRef<mlir::ModuleOp>
tarn::lang::importSource(mlir::MLIRContext &context, const SourceFile &source,
                         const std::string &name, const ImportOptions &options,
                         Diagnostics &diagnostics) {
  // Errors point into it after this function is done.
  static const SourceFile librarySource{"nn.tarn", tarnStandardLibrary,
                                        /*library=*/true};
  File library = parse(librarySource, diagnostics);
  File file = parse(source, diagnostics);
  if (diagnostics.any())
    return nullptr;
  return Elaborator(context, diagnostics, options).run(library, file, name);
}

/// An error at the first value that is too large to be counted.
static mlir::LogicalResult verifySizes(mlir::ModuleOp module) {
  auto fits = [](mlir::Value value) {
    auto type = llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
    int64_t elements = 1;
    for (int64_t extent : type ? type.getShape() : llvm::ArrayRef<int64_t>())
      if (llvm::MulOverflow(elements, extent, elements) ||
          elements > mostElements) {
        mlir::emitError(value.getLoc())
            << "a tensor of " << type << " has more than 2^44 elements";
        return false;
      }
    return true;
  };
  auto walked = module.walk([&](mlir::Operation *op) {
    for (mlir::Region &region : op->getRegions())
      for (mlir::Block &block : region)
        if (!llvm::all_of(block.getArguments(), fits))
          return mlir::WalkResult::interrupt();
    return llvm::all_of(op->getResults(), fits) ? mlir::WalkResult::advance()
                                                : mlir::WalkResult::interrupt();
  });
  return mlir::failure(walked.wasInterrupted());
}

mlir::OwningOpRef<mlir::ModuleOp>
tarn::lang::verifyImported(mlir::OwningOpRef<mlir::ModuleOp> module,
                           llvm::raw_ostream &errors) {
  if (!module)
    return nullptr;
  mlir::ScopedDiagnosticHandler handler(module->getContext(),
                                        [&](mlir::Diagnostic &diagnostic) {
                                          renderDiagnostic(diagnostic, errors);
                                          return mlir::success();
                                        });
  if (mlir::failed(verifySizes(*module)) || mlir::failed(mlir::verify(*module)))
    return nullptr;
  return module;
}

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
  Diagnostics diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module = importSource(
      context, source, llvm::sys::path::stem(path).str(), options, diagnostics);
  if (diagnostics.any()) {
    diagnostics.render(errors);
    return nullptr;
  }
  return verifyImported(std::move(module), errors);
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
    // A model of the library is in no file.
    if (held)
      renderSnippet(errors, kind, message, place.getFilename().getValue(), line,
                    place.getLine(), place.getColumn(), 1);
    else
      errors << kind << ": " << message << "\n --> "
             << place.getFilename().getValue() << ":" << place.getLine() << ":"
             << place.getColumn() << "\n";
  } else {
    errors << kind << ": " << message << "\n";
  }
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    renderDiagnostic(note, errors);
}
