//===- ProgramTest.cpp - hand-written programs, packaged and run ----------===//

#include "compiler/Package/Package.h"
#include "compiler/Target/Cpu/Isa.h"
#include "runtime/Model.h"
#include "runtime/Session.h"
#include "test/checker/CheckPlan.h"
#include "test/compiler/Package/CompareCompiled.h"

#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace tarn;
using namespace tarn::test;

namespace {

/// y = 4 x by way of h, which by the plan lives until step `last`; the
/// artifact.
std::string packageWith(int last) {
  std::string text = R"(module @quadruple {
tile.kernel @k_double(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}
step.program @run.program arena(128) input(64) output(64)
    attributes {tarn.function = "run", tarn.kind = "forward"} {
  step.bind "x" role "input" input[0 for 64] : tensor<16xf32>
  step.bind "y" role "output" output[0 for 64] : tensor<16xf32>
  step.live "x" role "input" input[0 for 64] steps(-1, 0)
  step.live "h" role "activation" arena[0 for 64] steps(0, )" +
                     std::to_string(last) + R"()
  step.live "g" role "activation" arena[64 for 64] steps(1, 1)
  step.live "y" role "output" output[0 for 64] steps(2, 3)
  step.launch @k_double blocks(2) (input[0 for 64], arena[0 for 64])
  step.launch @k_double blocks(2) (arena[0 for 64], arena[64 for 64])
  step.launch @k_double blocks(2) (arena[0 for 64], output[0 for 64])
}
})";
  auto module = parseSourceString<ModuleOp>(text, &context());
  EXPECT_TRUE(module);
  PackageOptions options;
  PackageResult result;
  EXPECT_TRUE(module &&
              succeeded(packageModule(*module, cpu::hostIsa().name.str(),
                                      options, result)));
  return result.artifact;
}

std::vector<float> run(const std::string &artifact, bool poison) {
  auto model = rt::Model::parse(artifact.data(), artifact.size());
  EXPECT_TRUE(model.ok()) << model.status().message();
  rt::SessionOptions options;
  options.poison = poison;
  auto session = rt::Session::create(*model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  std::vector<float> x(16, 3), y(16);
  const void *inputs[] = {x.data()};
  void *outputs[] = {y.data()};
  EXPECT_TRUE((*session)->run(0, inputs, outputs).ok());
  return y;
}

TEST(Program, ReadingADeadSliceShowsUnderPoison) {
  std::string good = packageWith(2), bad = packageWith(1);
  EXPECT_EQ(run(good, true), std::vector<float>(16, 12));
  // By luck the bytes are still there.
  EXPECT_EQ(run(bad, false), std::vector<float>(16, 12));
  for (float number : run(bad, true))
    EXPECT_TRUE(std::isnan(number));
  // The plan checker finds it without running it.
  auto manifest = [](const std::string &artifact) {
    return (*rt::Model::parse(artifact.data(), artifact.size()))
        ->manifestText();
  };
  EXPECT_EQ(checkPlan(manifest(good)), "");
  EXPECT_NE(checkPlan(manifest(bad)).find("no living value owns"),
            std::string::npos);
}

} // namespace
