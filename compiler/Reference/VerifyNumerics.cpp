//===- VerifyNumerics.cpp - hold every pass to what it declares -----------===//

#include "compiler/Reference/VerifyNumerics.h"

#include "compiler/Reference/Interpreter.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <cmath>
#include <map>

using namespace mlir;
using namespace tarn;

NumericsClass tarn::numericsClassOf(StringRef pass) {
  static const std::map<StringRef, NumericsClass> declared = {
      {"tarn-build-step", NumericsClass::exact},
      {"tarn-build-gradient", NumericsClass::exact},
      {"tarn-verify-step", NumericsClass::exact},
      {"tarn-mixed-precision", NumericsClass::precision},
      {"tarn-narrow-saved", NumericsClass::precision},
      {"tarn-decompose", NumericsClass::rounding},
      {"tarn-sink-reshapes", NumericsClass::exact},
      {"tarn-outline-salts", NumericsClass::exact},
      {"tarn-chunk-rows", NumericsClass::rounding},
      {"tarn-split-reductions", NumericsClass::rounding},
      {"tarn-fuse-clusters", NumericsClass::exact},
      {"tarn-plan-schedule", NumericsClass::exact},
      {"tarn-materialize-tiles", NumericsClass::exact},
      {"tarn-plan-memory", NumericsClass::exact},
  };
  auto found = declared.find(pass);
  return found == declared.end() ? NumericsClass::rounding : found->second;
}

/// splitmix64's finalizer.
static uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// Numbers for an argument, from its name alone: the same before and after.
static HostTensor inputFor(func::FuncOp function, unsigned index) {
  HostTensor tensor(cast<RankedTensorType>(function.getArgumentTypes()[index]));
  StringRef role = argumentRole(function, index);
  uint64_t seed = 7;
  for (char c : argumentName(function, index))
    seed = mix(seed ^ uint64_t(c));
  bool floats = isa<FloatType>(tensor.type.getElementType());
  for (int64_t i = 0; i != tensor.size(); ++i) {
    double unit = double(mix(seed + i) >> 40) / (1 << 24);
    if (role == "optimizer")
      // Moments and corrections: positive, so that roots are real.
      tensor.data[i] = floats ? 0.01 + 0.1 * unit : 3;
    else if (floats)
      tensor.data[i] = role == "accumulator" ? 0.1 * unit : unit - 0.5;
    else if (role == "input")
      tensor.data[i] = std::floor(unit * 8); // tokens of any vocabulary
    else if (role == "rng")
      tensor.data[i] = std::floor(unit * (1 << 20));
  }
  return tensor;
}

namespace {

using Results = std::map<std::string, HostTensor>;

class VerifyNumerics : public PassInstrumentation {
public:
  explicit VerifyNumerics(bool &failed) : failed(failed) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    // Adaptors only carry the passes inside them.
    if (failed || pass->getArgument().empty())
      return;
    before[op] = evaluate(op);
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    auto found = before.find(op);
    if (failed || found == before.end())
      return;
    Results old = std::move(found->second);
    before.erase(found);
    compare(pass, op, old, evaluate(op));
  }

private:
  /// All results of the functions in `op`, by function and name.
  Results evaluate(Operation *op) {
    Results all;
    auto visit = [&](func::FuncOp function) {
      auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
      if (!kind || kind.getValue() == "generate")
        return; // needs states that belong together
      std::vector<HostTensor> arguments;
      for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
        arguments.push_back(inputFor(function, i));
      auto results = evaluateFunction(function, arguments);
      if (mlir::failed(results))
        return;
      // Accumulation splits a step: then its results are of other inputs.
      std::string name = function.getName().str();
      for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
        if (argumentRole(function, i) == "input")
          name += " " + argumentName(function, i).str();
      for (unsigned i = 0, e = function.getNumResults(); i != e; ++i)
        all[(name + ": " + resultRole(function, i) + " " +
             resultName(function, i))
                .str()] = (*results)[i];
    };
    if (auto function = dyn_cast<func::FuncOp>(op))
      visit(function);
    else
      for (auto function : op->getRegion(0).getOps<func::FuncOp>())
        visit(function);
    return all;
  }

  void compare(Pass *pass, Operation *op, const Results &old,
               const Results &now) {
    NumericsClass allowed = numericsClassOf(pass->getArgument());
    double tolerance = allowed == NumericsClass::exact      ? 0
                       : allowed == NumericsClass::rounding ? 1e-6
                                                            : 5e-2;
    for (auto &[name, value] : old) {
      auto found = now.find(name);
      if (found == now.end() || found->second.type != value.type)
        continue; // a pass may take results away, never change them
      for (int64_t i = 0; i != value.size(); ++i) {
        double a = value.data[i], b = found->second.data[i];
        if (a == b || (std::isnan(a) && std::isnan(b)) ||
            std::fabs(a - b) <= tolerance * (1 + std::fabs(a)))
          continue;
        emitError(op->getLoc())
            << "pass `" << pass->getArgument()
            << "` changes the numbers: result `" << name << "`, element " << i
            << ", was " << a << " and is " << b;
        failed = true;
        return;
      }
    }
  }

  bool &failed;
  llvm::DenseMap<Operation *, Results> before;
};

} // namespace

std::unique_ptr<PassInstrumentation> tarn::createVerifyNumerics(bool &failed) {
  return std::make_unique<VerifyNumerics>(failed);
}
