//===- VerifyNumericsTest.cpp - a wrong pass is found ---------------------===//

#include "compiler/Reference/VerifyNumerics.h"

#include "compiler/Driver/Registry.h"
#include "dialects/Tarn/TarnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace tarn;

namespace {

/// Replaces every exp by its operand times a number: 1 is right for none.
struct BreakExp : PassWrapper<BreakExp, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(BreakExp)
  StringRef getArgument() const override { return "break-exp"; }
  void runOnOperation() override {
    getOperation().walk([](graph::ExpOp op) {
      op.getResult().replaceAllUsesWith(op.getX());
      op.erase();
    });
  }
};

/// Adds the operands of sums the other way round: not a bit changes.
struct SwapAdds : PassWrapper<SwapAdds, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SwapAdds)
  StringRef getArgument() const override { return "swap-adds"; }
  void runOnOperation() override {
    getOperation().walk([](graph::AddOp op) {
      Value left = op.getLhs(), right = op.getRhs();
      op->setOperands({right, left});
    });
  }
};

const char *const program = R"(
func.func @f(%x: tensor<4xf32> {tarn.name = "x", tarn.role = "input"})
    -> (tensor<4xf32> {tarn.name = "y", tarn.role = "output"})
    attributes {tarn.kind = "eval"} {
  %0 = tarn.exp %x : tensor<4xf32>
  %1 = tarn.add %0, %x : tensor<4xf32>
  return %1 : tensor<4xf32>
})";

/// Runs the passes; returns whether the instrumentation objected, and its text.
std::pair<bool, std::string> runPasses(bool broken) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.disableMultithreading();
  auto module = parseSourceString<ModuleOp>(program, &context);
  std::string text;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    text += diagnostic.str();
    return success();
  });
  PassManager pm(&context);
  pm.addNestedPass<func::FuncOp>(std::make_unique<SwapAdds>());
  if (broken)
    pm.addNestedPass<func::FuncOp>(std::make_unique<BreakExp>());
  pm.addNestedPass<func::FuncOp>(std::make_unique<SwapAdds>());
  bool objected = false;
  pm.addInstrumentation(createVerifyNumerics(objected));
  EXPECT_TRUE(succeeded(pm.run(*module)));
  return {objected, text};
}

TEST(VerifyNumerics, PassesThatKeepTheNumbersPass) {
  EXPECT_EQ(runPasses(false).first, false);
}

TEST(VerifyNumerics, TheFirstWrongPassIsNamed) {
  auto [objected, text] = runPasses(true);
  EXPECT_TRUE(objected);
  EXPECT_NE(text.find("pass `break-exp` changes the numbers: result `f x: "
                      "output y`, element 0"),
            std::string::npos)
      << text;
}

} // namespace
