//===- RunPhases.cpp - passes over a module, with what they say -----------===//

#include "compiler/Driver/RunPhases.h"

#include "compiler/Reference/VerifyNumerics.h"
#include "frontends/TarnLanguage/Import.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace mlir;
using namespace tarn;

/// Sets up one phase; false, with a message, if the dump has no folder.
static bool configure(PassManager &pm, const CompileRequest &request,
                      bool isFinal, bool &changedNumbers,
                      llvm::raw_ostream &said) {
  MLIRContext *context = pm.getContext();
  if (request.verifyEachNumerics) {
    context->disableMultithreading();
    pm.addInstrumentation(createVerifyNumerics(changedNumbers));
  }
  if (request.dump.empty() || !isFinal)
    return true;
  if (std::error_code code = llvm::sys::fs::create_directories(request.dump)) {
    said << "error: cannot write into `" << request.dump
         << "`: " << code.message() << "\n";
    return false;
  }
  context->disableMultithreading();
  pm.enableIRPrintingToFileTree([](Pass *, Operation *) { return false; },
                                [](Pass *, Operation *) { return true; }, false,
                                true, false, request.dump);
  return true;
}

PhasesOutcome tarn::runPhases(const CompileRequest &request, ModuleOp module,
                              Phase first, Phase last,
                              const PipelineOptions &options, bool isFinal) {
  PhasesOutcome outcome;
  MLIRContext *context = module.getContext();
  llvm::raw_string_ostream said(outcome.said);
  // Errors carry the model's places.
  bool reported = false, changedNumbers = false;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
      return success(); // reports have them in order
    reported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    lang::renderDiagnostic(diagnostic, said);
    return success();
  });
  for (unsigned i = std::max(1u, unsigned(first)); i <= unsigned(last); ++i) {
    if (i == phaseCount || Phase(i) == Phase::Package)
      break;
    auto start = std::chrono::steady_clock::now();
    PassManager pm(context);
    buildPhase(pm, Phase(i), options);
    if (!configure(pm, request, isFinal, changedNumbers, said)) {
      outcome.status = CompileStatus::userError;
      return outcome;
    }
    bool passed = succeeded(pm.run(module));
    if (changedNumbers) {
      outcome.status = CompileStatus::internalError;
      return outcome;
    }
    if (auto least = module->getAttrOfType<IntegerAttr>("tarn.budget_missed"))
      outcome.leastBudget = least.getInt();
    if (auto others = module->getAttrOfType<IntegerAttr>("tarn.other_bytes"))
      outcome.otherBytes = others.getInt();
    outcome.beaten = module->hasAttr("tarn.plan_beaten");
    if (!passed) {
      // Phases up to train judge the model; what fails later is ours.
      bool isUsers = Phase(i) <= Phase::Precision || outcome.leastBudget ||
                     module->hasAttr("tarn.bad_option");
      outcome.status = isUsers && reported ? CompileStatus::userError
                                           : CompileStatus::internalError;
      return outcome;
    }
    std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    outcome.seconds.emplace_back(phaseFlag(Phase(i)).str(), took.count());
  }
  return outcome;
}
