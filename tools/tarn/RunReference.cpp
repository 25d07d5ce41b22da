//===- RunReference.cpp - `tarn run --reference` --------------------------===//

#include "compiler/Driver/Registry.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Reference/Interpreter.h"
#include "frontends/TarnLanguage/Import.h"
#include "passes/Train/Roles.h"
#include "runtime/Checkpoint.h"
#include "runtime/Parameters.h"
#include "runtime/Safetensors.h"
#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Reference.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "mlir/Pass/PassManager.h"

#include <cstring>

using namespace tarn;
using namespace tarn::cli;

static int report(const rt::Status &status) {
  printError(status.message());
  return userError;
}

static rt::DType dtypeOf(mlir::Type type) {
  if (type.isInteger(1))
    return rt::DType::I1;
  if (type.isInteger(32))
    return rt::DType::I32;
  if (type.isInteger(64))
    return rt::DType::I64;
  if (type.isBF16())
    return rt::DType::BF16;
  return rt::DType::F32;
}

/// Raw elements as doubles; false for a type that is not read here.
static bool toNumbers(const rt::SafetensorsEntry &entry,
                      const std::vector<uint8_t> &raw,
                      std::vector<double> &numbers) {
  for (size_t i = 0; i != numbers.size(); ++i) {
    float f;
    double d;
    int32_t n;
    switch (entry.dtype) {
    case rt::DType::F32:
      std::memcpy(&f, &raw[4 * i], 4);
      numbers[i] = f;
      break;
    case rt::DType::F64:
      std::memcpy(&d, &raw[8 * i], 8);
      numbers[i] = d;
      break;
    case rt::DType::I32:
      std::memcpy(&n, &raw[4 * i], 4);
      numbers[i] = n;
      break;
    case rt::DType::I1:
    case rt::DType::U8:
      numbers[i] = raw[i];
      break;
    default:
      return false;
    }
  }
  return true;
}

/// Reads the tensor `name` of `type` from a file; an ExitCode.
static int readTensor(const rt::SafetensorsFile &file, const std::string &path,
                      const std::string &name, HostTensor &tensor) {
  const rt::SafetensorsEntry *entry = file.index().find(name);
  std::vector<int64_t> shape(tensor.shape().begin(), tensor.shape().end());
  std::string wanted =
      rt::typeText(dtypeOf(tensor.type.getElementType()), shape);
  if (!entry || entry->shape != shape) {
    printError("`" + path + "`: " +
               (entry ? "`" + name + "` is " +
                            rt::typeText(entry->dtype, entry->shape) +
                            ", but " + wanted + " is needed"
                      : "there is no tensor `" + name + "`"));
    return userError;
  }
  std::vector<uint8_t> raw(entry->bytes);
  if (rt::Status status = file.read(*entry, raw.data()); !status.ok())
    return report(status);
  if (!toNumbers(*entry, raw, tensor.data)) {
    printError("`" + path + "`: `" + name + "` has elements of type " +
               rt::dtypeName(entry->dtype) +
               ", which --reference does not "
               "read");
    return userError;
  }
  return success;
}

int tarn::cli::runReference(const Invocation &in) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (CompileStatus status = importModel(requestFor(in.model), context, module);
      status != CompileStatus::success)
    return exitCodeFor(status);
  std::string name =
      in.run.function.empty() ? defaultFunction(in.model) : in.run.function;
  mlir::ScopedDiagnosticHandler handler(
      &context, [](mlir::Diagnostic &diagnostic) {
        lang::renderDiagnostic(diagnostic, llvm::errs());
        return mlir::success();
      });
  if (in.run.grad) {
    mlir::PassManager pm(&context);
    PipelineOptions options;
    options.gradientOf = name;
    buildPhase(pm, Phase::Train, options);
    if (mlir::failed(pm.run(*module)))
      return userError;
  }
  auto function = module->lookupSymbol<mlir::func::FuncOp>(name);
  auto init = module->lookupSymbol<mlir::func::FuncOp>("init");
  if (!function) {
    printError("there is no function `" + name + "`");
    return userError;
  }

  // Weights: from a file, else from the model's own initialization.
  std::map<std::string, HostTensor> weights;
  if (init && in.run.params.empty()) {
    HostTensor seed(
        mlir::RankedTensorType::get({2}, mlir::IntegerType::get(&context, 32)));
    seed.data[0] = double(int32_t(in.run.seed));
    seed.data[1] = double(int32_t(in.run.seed >> 32));
    auto made = evaluateFunction(init, {seed});
    if (mlir::failed(made))
      return reportInternalError("the reference has no answer");
    for (unsigned i = 0, e = init.getNumResults(); i != e; ++i)
      weights[resultName(init, i).str()] = (*made)[i];
  }
  std::optional<rt::SafetensorsFile> inputs, params;
  auto open = [&](const std::string &path,
                  std::optional<rt::SafetensorsFile> &file) -> int {
    auto opened = rt::SafetensorsFile::open(path);
    if (!opened.ok())
      return report(opened.status());
    file.emplace(opened.take());
    return success;
  };
  if (!in.run.inputs.empty())
    if (int code = open(in.run.inputs, inputs))
      return code;
  if (!in.run.params.empty())
    if (int code = open(in.run.params, params))
      return code;
  std::vector<HostTensor> arguments;
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i) {
    std::string argument = argumentName(function, i).str();
    bool isInput = argumentRole(function, i) == "input";
    HostTensor tensor(
        llvm::cast<mlir::RankedTensorType>(function.getArgumentTypes()[i]));
    auto &file = isInput ? inputs : params;
    if (isInput && !file) {
      printError("`" + name + "` needs --inputs");
      return userError;
    }
    if (auto found = weights.find(argument); !isInput && found != weights.end())
      tensor = found->second;
    else if (file && (isInput || file->index().find(argument)))
      if (int code = readTensor(*file, isInput ? in.run.inputs : in.run.params,
                                argument, tensor))
        return code;
    arguments.push_back(std::move(tensor));
  }
  auto results = evaluateFunction(function, arguments);
  if (mlir::failed(results))
    return reportInternalError("the reference has no answer");

  std::vector<std::vector<uint8_t>> raw;
  std::vector<rt::SafetensorsTensor> tensors;
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i) {
    llvm::StringRef role = resultRole(function, i);
    if (role != "output" && role != "loss" && role != "metric")
      continue;
    const HostTensor &value = (*results)[i];
    // Floats as f64: the reference's own precision.
    bool floats = llvm::isa<mlir::FloatType>(value.type.getElementType());
    rt::DType dtype =
        floats ? rt::DType::F64 : dtypeOf(value.type.getElementType());
    std::vector<uint8_t> bytes(value.size() * rt::dtypeSize(dtype));
    for (int64_t k = 0; k != value.size(); ++k) {
      int64_t whole = int64_t(value.data[k]);
      if (floats)
        std::memcpy(&bytes[8 * k], &value.data[k], 8);
      else
        std::memcpy(&bytes[k * rt::dtypeSize(dtype)], &whole,
                    rt::dtypeSize(dtype));
    }
    raw.push_back(std::move(bytes));
    tensors.push_back({resultName(function, i).str(),
                       dtype,
                       {value.shape().begin(), value.shape().end()},
                       raw.back().data()});
  }
  rt::Status status = rt::writeSafetensors(in.run.outputs, {}, tensors);
  return status.ok() ? int(success) : report(status);
}
