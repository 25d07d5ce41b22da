//===- CompareCompiled.cpp - machine code against the reference -----------===//

#include "CompareCompiled.h"

#include "compiler/Driver/Registry.h"
#include "compiler/Package/Package.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Reference/Interpreter.h"
#include "compiler/Target/Cpu/Isa.h"
#include "dialects/Step/StepOps.h"
#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"
#include "runtime/Model.h"
#include "runtime/Session.h"
#include "test/checker/CheckPlan.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

using namespace mlir;
using namespace tarn;
using namespace tarn::test;

MLIRContext &tarn::test::context() {
  static MLIRContext *context = [] {
    DialectRegistry registry;
    registerDialects(registry);
    auto *made = new MLIRContext(registry, MLIRContext::Threading::DISABLED);
    made->loadAllAvailableDialects();
    return made;
  }();
  return *context;
}

//===----------------------------------------------------------------------===//
// Tensors as bytes
//===----------------------------------------------------------------------===//

template <typename T> static void put(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof(T));
}

static std::string toBytes(const HostTensor &tensor) {
  std::string bytes;
  Type type = tensor.type.getElementType();
  for (double value : tensor.data) {
    if (auto floats = dyn_cast<FloatType>(type)) {
      llvm::APFloat number(value);
      bool lost;
      number.convert(floats.getFloatSemantics(),
                     llvm::APFloat::rmNearestTiesToEven, &lost);
      uint64_t raw = number.bitcastToAPInt().getZExtValue();
      bytes.append(reinterpret_cast<const char *>(&raw), floats.getWidth() / 8);
    } else if (type.isInteger(1)) {
      put<uint8_t>(bytes, value != 0);
    } else if (type.isInteger(64)) {
      put<int64_t>(bytes, int64_t(value));
    } else {
      put<int32_t>(bytes, int32_t(value));
    }
  }
  return bytes;
}

static HostTensor fromBytes(RankedTensorType tensorType, const char *bytes) {
  HostTensor tensor(tensorType);
  Type type = tensorType.getElementType();
  for (double &value : tensor.data) {
    if (auto floats = dyn_cast<FloatType>(type)) {
      uint64_t raw = 0;
      std::memcpy(&raw, bytes, floats.getWidth() / 8);
      llvm::APFloat number(floats.getFloatSemantics(),
                           llvm::APInt(floats.getWidth(), raw));
      bool lost;
      number.convert(llvm::APFloat::IEEEdouble(),
                     llvm::APFloat::rmNearestTiesToEven, &lost);
      value = number.convertToDouble();
      bytes += floats.getWidth() / 8;
    } else if (type.isInteger(1)) {
      value = *bytes++ != 0;
    } else if (type.isInteger(64)) {
      int64_t raw;
      std::memcpy(&raw, bytes, 8);
      value = double(raw);
      bytes += 8;
    } else {
      int32_t raw;
      std::memcpy(&raw, bytes, 4);
      value = raw;
      bytes += 4;
    }
  }
  return tensor;
}

static HostTensor randomTensor(func::FuncOp function, unsigned argument,
                               std::mt19937 &random) {
  HostTensor tensor(
      cast<RankedTensorType>(function.getArgumentTypes()[argument]));
  auto below = function.getArgAttrOfType<IntegerAttr>(argument, "test.below");
  std::normal_distribution<double> normal;
  for (double &value : tensor.data) {
    if (isa<FloatType>(tensor.type.getElementType()))
      value = normal(random);
    else if (tensor.type.getElementType().isInteger(1))
      value = random() % 2;
    else
      value = random() % (below ? below.getInt() : 4);
  }
  roundToElementType(tensor);
  return tensor;
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

/// The first difference of two tensors, or nothing.
static std::string difference(const HostTensor &wanted, const HostTensor &given,
                              double tolerance) {
  double scale = 1;
  for (double value : wanted.data)
    if (std::isfinite(value))
      scale = std::max(scale, std::abs(value));
  if (!isa<FloatType>(wanted.type.getElementType()))
    tolerance = 0;
  for (int64_t i = 0; i != wanted.size(); ++i) {
    double x = wanted.data[i], y = given.data[i];
    if (x == y || (std::isnan(x) && std::isnan(y)))
      continue;
    // A row without keys: any score far below all others.
    if (x <= -1e29 && y <= -1e29)
      continue;
    if (std::abs(x - y) <= tolerance * scale)
      continue;
    return "element " + std::to_string(i) + " is " + std::to_string(y) +
           " instead of " + std::to_string(x);
  }
  return "";
}

namespace {

/// A session, and what is special about it.
struct Run {
  std::string name;
  std::unique_ptr<rt::Session> session;
};

/// Runs one function by the reference and in every session.
class Comparer {
public:
  Comparer(const CompareOptions &options, ArrayRef<Run> runs,
           CompareResult &result)
      : options(options), runs(runs), result(result), random(options.seed) {}

  std::string run(func::FuncOp function);

private:
  std::string execute(rt::Session &session, func::FuncOp function,
                      ArrayRef<HostTensor> arguments,
                      ArrayRef<HostTensor> wanted, std::string &bits);

  const CompareOptions &options;
  ArrayRef<Run> runs;
  CompareResult &result;
  std::mt19937 random;
};

} // namespace

static const rt::TensorDesc *stateOf(const rt::Session &session, StringRef role,
                                     StringRef name) {
  for (const rt::TensorDesc &tensor : session.manifest().state)
    if (StringRef(tensor.name) == name && StringRef(tensor.role) == role)
      return &tensor;
  return nullptr;
}

/// One run of the compiled function; `bits` gets the bytes of all results, in
/// the order of `wanted`.
std::string Comparer::execute(rt::Session &session, func::FuncOp function,
                              ArrayRef<HostTensor> arguments,
                              ArrayRef<HostTensor> wanted, std::string &bits) {
  std::optional<size_t> index = session.findFunction(function.getName().str());
  if (!index)
    return "is not in the artifact";
  const rt::Function &compiled = session.functions()[*index];
  std::vector<std::string> inputs(compiled.inputs.size()),
      outputs(compiled.outputs.size());
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    std::string bytes = toBytes(argument);
    StringRef role = argumentRole(function, i);
    if (role == "input") {
      for (auto [k, input] : llvm::enumerate(compiled.inputs))
        if (StringRef(input.name) == argumentName(function, i))
          inputs[k] = bytes;
      continue;
    }
    const rt::TensorDesc *state =
        stateOf(session, role, argumentName(function, i));
    if (!state || state->bytes != bytes.size())
      return "no state " + argumentName(function, i).str();
    std::memcpy(session.stateData(*state), bytes.data(), bytes.size());
  }
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const std::string &bytes : inputs)
    in.push_back(bytes.data());
  for (auto [i, output] : llvm::enumerate(compiled.outputs)) {
    outputs[i].resize(output.bytes);
    out.push_back(outputs[i].data());
  }
  if (rt::Status status = session.run(*index, in.data(), out.data());
      !status.ok())
    return status.message();
  for (auto [i, tensor] : llvm::enumerate(wanted)) {
    StringRef role = resultRole(function, i), called = resultName(function, i);
    const char *bytes = nullptr;
    if (const rt::TensorDesc *state = stateOf(session, role, called))
      bytes = reinterpret_cast<const char *>(session.stateData(*state));
    for (auto [k, output] : llvm::enumerate(compiled.outputs))
      if (!bytes && StringRef(output.name) == called)
        bytes = outputs[k].data();
    if (!bytes)
      return "no result " + called.str();
    bits.append(bytes, toBytes(tensor).size());
  }
  return "";
}

std::string Comparer::run(func::FuncOp function) {
  std::string name = function.getName().str();
  SmallVector<HostTensor> arguments;
  for (unsigned i = 0; i != function.getNumArguments(); ++i)
    arguments.push_back(randomTensor(function, i, random));
  graph::ReferenceOptions reference;
  reference.typed = options.typed;
  FailureOr<SmallVector<HostTensor>> wanted =
      evaluateFunction(function, arguments, reference);
  if (failed(wanted))
    return name + ": no reference";

  std::string first;
  for (const Run &run : runs) {
    std::string bits;
    std::string error =
        execute(*run.session, function, arguments, *wanted, bits);
    if (!error.empty())
      return name + ", " + run.name + ": " + error;
    if (&run == runs.begin())
      first = bits;
    else if (bits != first)
      return name + ", " + run.name + ": other bits than without";
  }
  result.bits += first;
  const char *bytes = first.data();
  for (auto [i, tensor] : llvm::enumerate(*wanted)) {
    HostTensor given = fromBytes(tensor.type, bytes);
    bytes += toBytes(given).size();
    std::string error = difference(tensor, given, options.tolerance);
    if (!error.empty())
      return name + ": result " + resultName(function, i).str() + ": " + error;
  }
  return "";
}

/// The runtime holds, to the byte, what the plan in `programs` wants.
static std::string checkMemory(ModuleOp programs, const rt::Session &session) {
  if (rt::Status status = session.checkMemory(); !status.ok())
    return status.message();
  int64_t wanted[rt::spaceCount] = {};
  for (auto program : programs.getOps<step::ProgramOp>())
    for (unsigned i = 0; i != rt::spaceCount; ++i)
      wanted[i] = std::max(wanted[i],
                           program.getSpaceBytes(static_cast<step::Space>(i)));
  for (unsigned i = 0; i != rt::spaceCount; ++i)
    if (auto space = static_cast<rt::Space>(i);
        session.allocatedBytes(space) != uint64_t(wanted[i]))
      return std::string("the ") + rt::spaceName(space) + " takes " +
             std::to_string(session.allocatedBytes(space)) +
             " bytes, planned are " + std::to_string(wanted[i]);
  return "";
}

/// The level that the environment asks for, else the best that runs here.
static std::string levelUnderTest() {
  const char *wanted = std::getenv("TARN_TEST_LEVEL");
  return wanted ? wanted : cpu::hostIsa().name.str();
}

static std::string run(ModuleOp module, const CompareOptions &options,
                       CompareResult &result) {
  PipelineOptions pipeline;
  pipeline.policy = options.policy;
  pipeline.inPlace = options.inPlace;
  auto runPhases = [&](Phase from, Phase to) {
    PassManager pm(&context());
    for (unsigned i = unsigned(from); i <= unsigned(to); ++i)
      buildPhase(pm, Phase(i), pipeline);
    return pm.run(module);
  };
  if (failed(runPhases(Phase::Graph, Phase::Train)))
    return "fails before the middle end";
  OwningOpRef<ModuleOp> before = module.clone();
  if (failed(runPhases(Phase::Precision, Phase::Plan)))
    return "fails in the middle end";
  module.walk([&](graph::ClusterOp) { ++result.launches; });
  PackageOptions package;
  package.threads = options.threads;
  PackageResult packaged;
  if (failed(packageModule(module, levelUnderTest(), package, packaged)))
    return "cannot be packaged";
  const rt::Target &target = packaged.manifest.targets.front();
  result.kernels = target.kernels.size();
  for (const rt::Function &function : target.functions)
    if (function.kind == "train" || result.arenaBytes == 0)
      result.arenaBytes = int64_t(function.arenaBytes);
  for (const rt::Function &function : target.functions)
    result.hostBytes = std::max(result.hostBytes, int64_t(function.hostBytes));
  auto model =
      rt::Model::parse(packaged.artifact.data(), packaged.artifact.size());
  if (!model.ok())
    return "artifact: " + model.status().message();
  if (options.checkPlan)
    if (std::string error = checkPlan((*model)->manifestText()); !error.empty())
      return error;
  // As it is used, and in the modes that look for bugs of the plan and of the
  // kernels: the same bits.
  std::vector<Run> runs;
  for (auto [name, poison, guard] :
       {std::tuple("plain", false, rt::GuardSide::None),
        std::tuple("poisoned", true, rt::GuardSide::None),
        std::tuple("guarded at the end", true, rt::GuardSide::End),
        std::tuple("guarded at the front", true, rt::GuardSide::Front)}) {
    rt::SessionOptions sessionOptions;
    sessionOptions.threads = options.threads;
    sessionOptions.poison = poison;
    sessionOptions.guard = guard;
    auto session = rt::Session::create(*model, sessionOptions);
    if (!session.ok())
      return "session: " + session.status().message();
    runs.push_back({name, session.take()});
  }
  Comparer comparer(options, runs, result);
  for (auto function : before->getOps<func::FuncOp>())
    if (function->hasAttr("tarn.kind"))
      if (std::string error = comparer.run(function); !error.empty())
        return error;
  for (const Run &run : runs)
    if (std::string error = checkMemory(module, *run.session); !error.empty())
      return run.name + ": " + error;
  return "";
}

CompareResult tarn::test::compareCompiled(ModuleOp module,
                                          const CompareOptions &options) {
  CompareResult result;
  result.error = run(module, options, result);
  return result;
}

CompareResult tarn::test::compareCompiled(StringRef text,
                                          const CompareOptions &options) {
  auto module = parseSourceString<ModuleOp>(text, &context());
  if (!module) {
    CompareResult result;
    result.error = "cannot be parsed";
    return result;
  }
  return compareCompiled(*module, options);
}
