//===- tarn-translate.cpp - other forms to and from Tarn's IR -------------===//

#include "compiler/Driver/Registry.h"
#include "frontends/TarnLanguage/Import.h"
#include "tools/tarn-translate/CudaTranslation.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

/// --import-tarn: the file is read by its name, so that errors point into it.
static void registerImportTarn() {
  static TranslateToMLIRRegistration registration(
      "import-tarn", "import a model in the Tarn language",
      [](llvm::SourceMgr &sources, MLIRContext *context) {
        DialectRegistry registry;
        tarn::registerDialects(registry);
        context->appendDialectRegistry(registry);
        context->loadAllAvailableDialects();
        std::string path = sources.getMemoryBuffer(sources.getMainFileID())
                               ->getBufferIdentifier()
                               .str();
        return OwningOpRef<Operation *>(
            tarn::lang::importTarn(*context, path, {}, llvm::errs()).release());
      });
}

int main(int argc, char **argv) {
  registerImportTarn();
  tarn::registerCudaTranslations();
  return failed(mlirTranslateMain(argc, argv, "Tarn translation driver\n"));
}
