//===- PlanRun.cpp - one planning of a model, as a report -----------------===//

#include "tools/tarn/PlanRun.h"

#include "compiler/Cost/CostModel.h"
#include "compiler/Report/Collect.h"
#include "compiler/Target/Targets.h"
#include "tools/tarn/Memory.h"
#include "tools/tarn/Model.h"
#include "tools/tarn/Terminal.h"

#include "runtime/File.h"

#include "llvm/Support/raw_ostream.h"

using namespace tarn;
using namespace tarn::cli;

/// The device that `--target` names. For a CPU the code's level stays in the
/// request, so that an unknown one is an error like everywhere.
static int setUpTarget(const Invocation &in, PlanSetup &setup, Device &device) {
  const std::vector<std::string> &words = in.model.targets;
  if (words.size() > 1) {
    printError("a plan is for one target, not " + std::to_string(words.size()));
    return usageError;
  }
  std::string word = words.empty() ? "auto" : words.front();
  bool isLevel = word == "auto" || word == "cpu" || word.rfind("cpu:", 0) == 0;
  std::vector<Target> targets;
  std::string error, help;
  bool known = resolveTargets(words, targets, error, help);
  if (isLevel && !known) {
    printError(error, help);
    return userError;
  }
  setup.request.device = isLevel ? targets.front().device : word;
  // Devices that no code is made for are planned with the newest one's kernels.
  setup.request.targets = {known ? targets.front().name() : "cuda:sm_90a"};
  setup.request.deviceBudget = false;
  rt::Result<Device> found = findDevice(setup.request.device);
  if (!found.ok()) {
    printError(found.status().message(),
               "targets are auto, cpu, cpu:LEVEL, and devices: " +
                   deviceNames());
    return userError;
  }
  device = found.take();
  if (!device.isCpu())
    setup.request.defaultPrecision = "bf16";
  return success;
}

static int setUpBudget(const Invocation &in, PlanSetup &setup,
                       const Device &device) {
  if (in.model.budget == "none") {
    setup.budgetFrom = "none";
    return success;
  }
  int64_t memory =
      device.isCpu() ? largestMemory : int64_t(device.memoryBytes.value);
  if (in.model.budgetBytes >= 0) {
    if (in.model.budgetBytes > memory) {
      printError(
          "the budget of " + formatBytes(in.model.budgetBytes) +
              " is more than " +
              (device.isCpu() ? "any machine" : "`" + device.name + "`") +
              " has: " + formatBytes(memory),
          "--budget none plans without a limit");
      return userError;
    }
    setup.budgetFrom = "given";
    setup.budgetBytes = in.model.budgetBytes;
  } else if (device.isCpu()) {
    setup.budgetFrom = "free memory";
    setup.budgetBytes = freeMemory();
    // Host memory is the same memory: what waits there frees nothing.
    setup.request.hostBytes = 0;
    setup.hostCounts = true;
  } else {
    setup.budgetFrom = "device";
    setup.budgetBytes =
        std::max<int64_t>(memory - int64_t(device.contextBytes.value), 0);
  }
  return success;
}

int tarn::cli::setUpPlan(const Invocation &in, PlanSetup &setup) {
  setup.request = requestFor(in.model);
  setup.request.to = "plan";
  if (!in.model.policyGiven)
    setup.request.policy = "auto";
  Device device;
  if (int code = setUpTarget(in, setup, device); code != success)
    return code;
  if (int code = setUpBudget(in, setup, device); code != success)
    return code;
  // A policy that leaves nothing to choose is planned as it is, and compared
  // with the budget afterwards.
  if (setup.request.policy == "auto" || setup.request.policy == "recompute-all")
    setup.request.budgetBytes = setup.budgetBytes;
  else
    setup.request.budgetBytes = -1;
  // As compilation does: what fits is the same on every machine.
  setup.request.keepAllFirst = setup.budgetFrom != "given";
  setup.request.forcedPrecision = in.model.precision;
  setup.request.times = in.plan.times;
  setup.request.explainFusion = in.plan.explainFusion;
  if (!in.plan.times.empty()) {
    // Of a file that is none, the model is innocent.
    rt::Result<KernelTimes> times = readKernelTimes(in.plan.times);
    if (!times.ok()) {
      printError(times.status().message());
      return userError;
    }
  }
  report::DeviceLine &line = setup.device;
  line.name = device.name;
  line.target = device.findTarget(setup.request.device)
                    ? setup.request.device
                    : device.targets.back().target;
  line.memoryBytes = int64_t(device.memoryBytes.value);
  line.memorySource = device.memoryBytes.source;
  line.driverBytes = int64_t(device.contextBytes.value);
  line.driverError = device.contextBytes.error;
  line.driverSource = device.contextBytes.source;
  return success;
}

/// Hyper-parameters and dims that the module was made with.
static void addSettings(mlir::ModuleOp module, report::Report &report) {
  if (auto shape = module->getAttrOfType<mlir::DictionaryAttr>("tarn.shape"))
    for (mlir::NamedAttribute entry : shape)
      if (auto number = llvm::dyn_cast<mlir::IntegerAttr>(entry.getValue()))
        report.shape[entry.getName().str()] = number.getInt();
  if (auto hyper = module->getAttrOfType<mlir::DictionaryAttr>("tarn.hyper"))
    for (mlir::NamedAttribute entry : hyper) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      if (auto word = llvm::dyn_cast<mlir::StringAttr>(entry.getValue()))
        stream << word.getValue();
      else
        entry.getValue().print(stream, /*elideType=*/true);
      report.hyper[entry.getName().str()] = text;
    }
}

PlanRun tarn::cli::planOnce(const PlanSetup &setup, CompileRequest request,
                            bool quiet) {
  PlanRun run;
  llvm::raw_string_ostream said(run.errors);
  if (quiet) {
    request.errors = &said;
    request.offers = false;
  }
  bool knownDevice = true;
  request.visit = [&](mlir::ModuleOp module) {
    rt::Result<CostModel> costs =
        findCostModel(request.device, request.times, module);
    if (!costs.ok()) {
      (quiet ? static_cast<llvm::raw_ostream &>(said) : llvm::errs())
          << "error: " << costs.status().message() << "\n";
      knownDevice = false;
      return;
    }
    addSettings(module, run.report);
    report::collect(module, *costs, run.report);
  };
  CompileResult result;
  run.status = compile(request, result);
  if (run.status == CompileStatus::success && !knownDevice)
    run.status = CompileStatus::userError;
  run.leastBudget = result.leastBudget;
  run.offers = std::move(result.offers);
  report::Report &report = run.report;
  for (const NumericsNote &note : result.numerics)
    report.numerics.push_back({note.numericsClass,
                               note.text,
                               note.function,
                               {note.file, note.line, note.column},
                               note.bytes});
  report.path = request.model;
  size_t slash = request.model.rfind('/');
  report.model = slash == std::string::npos ? request.model
                                            : request.model.substr(slash + 1);
  report.parameters = int64_t(result.parameters);
  report.precision = result.precision;
  report.precisionIsDefault =
      result.precisionIsDefault && request.forcedPrecision.empty();
  report.device = setup.device;
  report.budgetBytes = setup.budgetBytes;
  report.budgetFrom = setup.budgetFrom;
  report.fits = setup.budgetBytes < 0 ||
                report.peakBytes + (setup.hostCounts ? report.hostBytes : 0) <=
                    setup.budgetBytes;
  if (report.precisionIsDefault && !report.device.isCpu() &&
      report.precision == request.defaultPrecision)
    report.notes.push_back("the model says no precision: planned in " +
                           report.precision + ", the default for this device");
  return run;
}

PlanRun tarn::cli::planOrSmallest(const PlanSetup &setup) {
  CompileRequest request = setup.request;
  request.orSmallest = true;
  PlanRun run = planOnce(setup, request, /*quiet=*/false);
  if (run.status == CompileStatus::success && !run.leastBudget &&
      !run.report.fits)
    printError("this plan takes " +
                   formatBytes(uint64_t(run.report.peakBytes)) + " (" +
                   std::to_string(run.report.peakBytes) +
                   " bytes), the budget is " +
                   formatBytes(uint64_t(setup.budgetBytes)),
               setup.request.policy != "auto"
                   ? "--policy auto looks for plans that take less"
                   : "");
  return run;
}

rt::Result<report::Report> tarn::cli::readReport(const std::string &path) {
  rt::Result<std::string> text = rt::readFile(path, uint64_t(1) << 30);
  if (!text.ok())
    return text.status();
  rt::Result<rt::Json> json = rt::parseJson(*text);
  if (!json.ok())
    return json.status().within("`" + path + "`");
  rt::Result<report::Report> report = report::fromJson(*json);
  if (!report.ok())
    return report.status().within("`" + path + "`");
  return report;
}

bool tarn::cli::isReportFile(const std::string &path) {
  if (!path.ends_with(".json"))
    return false;
  // Configurations of models are JSON too.
  std::FILE *file = std::fopen(path.c_str(), "rb");
  char head[64] = {};
  if (!file)
    return false;
  size_t got = std::fread(head, 1, sizeof head - 1, file);
  std::fclose(file);
  return std::string_view(head, got).find("\"tarn_plan\"") !=
         std::string_view::npos;
}
