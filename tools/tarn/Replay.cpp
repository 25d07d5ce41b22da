//===- Replay.cpp - where a step's first bad number came from -------------===//

#include "tools/tarn/Replay.h"

#include "compiler/Driver/Registry.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Reference/Interpreter.h"
#include "frontends/TarnLanguage/Import.h"
#include "passes/Train/Roles.h"
#include "tools/tarn/Model.h"

#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <cstring>
#include <filesystem>

using namespace tarn;
using namespace tarn::cli;

/// The elements of an argument: the state's or the input's bytes as numbers.
static bool fillArgument(HostTensor &tensor, const uint8_t *bytes) {
  mlir::Type element = tensor.type.getElementType();
  for (int64_t i = 0; i != tensor.size(); ++i) {
    if (element.isF32()) {
      float value;
      std::memcpy(&value, bytes + 4 * i, 4);
      tensor.data[i] = value;
    } else if (element.isInteger(32)) {
      int32_t value;
      std::memcpy(&value, bytes + 4 * i, 4);
      tensor.data[i] = value;
    } else {
      return false;
    }
  }
  return true;
}

static bool isFinite(const HostTensor &tensor) {
  return llvm::all_of(tensor.data, [](double x) { return std::isfinite(x); });
}

void tarn::cli::explainNotFinite(const ModelOptions &model,
                                 rt::Session &session,
                                 const rt::Trainer &trainer) {
  std::error_code ignored;
  if (!isModel(model.model) || !std::filesystem::exists(model.model, ignored))
    return;
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (importModel(requestFor(model), context, module) != CompileStatus::success)
    return;
  mlir::PassManager pm(&context);
  for (Phase phase : {Phase::Graph, Phase::Train})
    buildPhase(pm, phase, {});
  if (mlir::failed(pm.run(*module)))
    return;
  const rt::Function &step = trainer.trainFunction();
  auto function = module->lookupSymbol<mlir::func::FuncOp>(step.name);
  // With accumulation the micro-batch is where values are made.
  if (function)
    if (auto micro =
            function->getAttrOfType<mlir::FlatSymbolRefAttr>("tarn.micro"))
      function = module->lookupSymbol<mlir::func::FuncOp>(micro);
  if (!function)
    return;

  std::vector<HostTensor> arguments;
  std::vector<std::vector<uint8_t>> copies;
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i) {
    HostTensor tensor(
        llvm::cast<mlir::RankedTensorType>(function.getArgumentTypes()[i]));
    std::string name = argumentName(function, i).str();
    const uint8_t *bytes = nullptr;
    if (argumentRole(function, i) == "input") {
      for (size_t k = 0; k != step.inputs.size(); ++k)
        if (step.inputs[k].name == name)
          bytes = trainer.lastInputs().input(k).data();
    } else if (const rt::TensorDesc *state =
                   rt::findTensor(session.manifest().state, name)) {
      copies.emplace_back(state->bytes);
      if (!session.readState(*state, copies.back().data()).ok())
        return;
      bytes = copies.back().data();
    }
    if (!bytes || !fillArgument(tensor, bytes))
      return;
    arguments.push_back(std::move(tensor));
  }
  // Values as f32 holds them: what overflows there overflows here.
  llvm::DenseSet<mlir::Value> bad;
  mlir::Operation *first = nullptr;
  graph::ReferenceOptions options;
  options.typed = true;
  auto watch = [&](mlir::Operation *op, llvm::ArrayRef<HostTensor> results) {
    for (auto [result, value] : llvm::zip(op->getResults(), results)) {
      if (isFinite(value))
        continue;
      bad.insert(result);
      bool fresh = llvm::none_of(op->getOperands(), [&](mlir::Value operand) {
        return bad.contains(operand);
      });
      if (fresh && !first)
        first = op;
    }
  };
  options.watch = watch;
  if (mlir::failed(evaluateFunction(function, arguments, options)) || !first)
    return;
  mlir::ScopedDiagnosticHandler handler(
      &context, [](mlir::Diagnostic &diagnostic) {
        lang::renderDiagnostic(diagnostic, llvm::errs());
        return mlir::success();
      });
  mlir::emitRemark(first->getLoc())
      << "the first value that is not finite is made by `"
      << first->getName().getStringRef() << "` here";
}
