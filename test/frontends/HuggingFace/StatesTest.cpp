//===- StatesTest.cpp - what a step does to a state -----------------------===//

#include "compiler/Driver/Registry.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Reference/Interpreter.h"
#include "frontends/TarnLanguage/Import.h"
#include "passes/Train/Roles.h"

#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace tarn;

namespace {

// A bias that moves against the load of three experts, as DeepSeek's does.
const char *const model = R"(
use nn (expert_load, sign)
module Gate() {
  scale: [] = 1.0
  state bias: [3] = 0
  fn (x: [4], chosen: i32[4, 2]) {
    update bias = bias + 0.5 * sign(1 - expert_load(chosen, 3))
    mean(x) * scale
  }
}
model net = Gate()
train step(x: f32[4], chosen: i32[4, 2]) {
  loss = net(x, chosen)
  optimizer = SGD(rate = 0.1)
}
eval look(x: f32[4], chosen: i32[4, 2]) { loss = net(x, chosen) }
)";

class States : public testing::Test {
protected:
  void SetUp() override {
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    lang::Diagnostics diagnostics;
    lang::SourceFile source{"gate.tarn", model};
    module = lang::importSource(context, source, "gate", {}, diagnostics);
    ASSERT_TRUE(module);
    PassManager pm(&context);
    for (Phase phase : {Phase::Graph, Phase::Train})
      buildPhase(pm, phase, {});
    ASSERT_TRUE(succeeded(pm.run(*module)));
  }

  /// The bias after a step from (1, 2, 3), with these inputs.
  std::vector<double> after(double x, std::vector<double> chosen) {
    auto step = module->lookupSymbol<func::FuncOp>("step");
    std::vector<HostTensor> arguments;
    for (unsigned i = 0; i != step.getNumArguments(); ++i) {
      HostTensor tensor(cast<RankedTensorType>(step.getArgumentTypes()[i]));
      StringRef name = argumentName(step, i);
      if (name == "net.bias")
        tensor.data = {1, 2, 3};
      else if (name == "chosen")
        tensor.data = chosen;
      else if (name == "x")
        tensor.data.assign(4, x);
      else if (name == "net.scale")
        tensor.data = {1};
      arguments.push_back(std::move(tensor));
    }
    auto results = evaluateFunction(step, arguments);
    EXPECT_TRUE(succeeded(results));
    std::optional<unsigned> bias = findResult(step, "parameter", "net.bias");
    EXPECT_TRUE(bias);
    return succeeded(results) && bias ? (*results)[*bias].data
                                      : std::vector<double>();
  }

  DialectRegistry registry;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

} // namespace

// Eight choices among three: an even load is 8/3.
TEST_F(States, MoveAgainstTheLoad) {
  EXPECT_EQ(after(0.5, {0, 1, 0, 1, 0, 2, 0, 2}),
            (std::vector<double>{0.5, 2.5, 3.5}));
  EXPECT_EQ(after(0.5, {2, 1, 2, 1, 2, 1, 2, 1}),
            (std::vector<double>{1.5, 1.5, 2.5}));
}

TEST_F(States, StayWhereTheStepIsNotFinite) {
  EXPECT_EQ(after(std::nan(""), {0, 1, 0, 1, 0, 2, 0, 2}),
            (std::vector<double>{1, 2, 3}));
}

TEST_F(States, StayInEvaluation) {
  auto look = module->lookupSymbol<func::FuncOp>("look");
  EXPECT_FALSE(findResult(look, "parameter", "net.bias"));
}
