//===- Check.cpp - `tarn check` -------------------------------------------===//

#include "compiler/Driver/Compile.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Terminal.h"

#include "compiler/Driver/Registry.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

int tarn::cli::runCheck(const Invocation &in) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  CompileStatus status = importModel(requestFor(in.model), context, module);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  uint64_t parameters = countParameters(*module);
  if (in.output.json)
    std::printf("{\"model\":\"%s\",\"parameters\":%llu}\n",
                in.model.model.c_str(), (unsigned long long)parameters);
  else if (!in.output.quiet)
    std::printf(" %s  %s parameters  ok\n", in.model.model.c_str(),
                formatCount(parameters).c_str());
  return success;
}
