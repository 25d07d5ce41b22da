//===- InterpreterTest.cpp - step programs on the host --------------------===//

#include "dialects/Step/Interpreter.h"

#include "test/dialects/Tile/Programs.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::step;

namespace {

using Numbers = std::vector<double>;

class StepInterpreterTest : public ::testing::Test {
protected:
  MLIRContext context;
  OwningOpRef<ModuleOp> module;

  // The program of a text that starts with the kernels of these tests.
  ProgramOp load(const std::string &text) {
    context.loadDialect<StepDialect>();
    module = tile::test::parse(context, R"(
tile.kernel @scale(%x: memref<4xf32>, %f: memref<1xf32>, %y: memref<4xf32>)
    access ["read", "read", "write"] grid (%i = 4 by 2) {
  %t = tile.load %x[%i] : memref<4xf32> -> tensor<2xf32>
  %s = tile.load_scalar %f[0] : memref<1xf32>
  %b = tile.splat %s : tensor<2xf32>
  %u = arith.mulf %t, %b : tensor<2xf32>
  tile.store %u, %y[%i] : tensor<2xf32>, memref<4xf32>
  tile.return
}
tile.kernel @add(%x: memref<4xf32>, %y: memref<4xf32>)
    access ["read", "accumulate"] grid (%i = 4 by 2) {
  %t = tile.load %x[%i] : memref<4xf32> -> tensor<2xf32>
  tile.accumulate %t, %y[%i] : tensor<2xf32>, memref<4xf32>
  tile.return
}
)" + text);
    return module ? *module->getOps<ProgramOp>().begin() : ProgramOp();
  }
  SliceAttr slice(Space space, int64_t offset, int64_t bytes) {
    return SliceAttr::get(&context, space, offset, bytes, 0);
  }
};

TEST_F(StepInterpreterTest, MembersOfAGroupAllRun) {
  ProgramOp program = load(R"(
step.program @step state(64) arena(64) input(64) output(128) {
  step.launch @scale blocks(2) (input[0 for 16], state[0 for 4], arena[0 for 16])
  step.launch_group {
    step.launch @scale blocks(2) (arena[0 for 16], state[0 for 4], output[0 for 16])
    step.launch @scale blocks(2) (input[0 for 16], state[0 for 4], output[64 for 16])
  }
})");
  ASSERT_TRUE(program);
  HostMemory memory(program);
  memory.write(slice(Space::Input, 0, 16), 4, Numbers{1, 2, 3, 4});
  memory.write(slice(Space::State, 0, 4), 4, Numbers{10});
  ASSERT_TRUE(succeeded(interpretProgram(program, memory)));
  EXPECT_EQ(memory.read(slice(Space::Output, 0, 16), 4),
            (Numbers{100, 200, 300, 400}));
  EXPECT_EQ(memory.read(slice(Space::Output, 64, 16), 4),
            (Numbers{10, 20, 30, 40}));
}

TEST_F(StepInterpreterTest, StepsRunInOrderAndReuseMemory) {
  ProgramOp program = load(R"(
step.program @step state(64) arena(64) input(64) output(64) {
  step.bind "x" role "input" input[0 for 16] : tensor<4xf32>
  step.bind "factor" role "parameter" state[0 for 4] : tensor<1xf32>
  step.bind "y" role "metric" output[0 for 16] : tensor<4xf32>
  step.launch @scale blocks(2) (input[0 for 16], state[0 for 4], arena[0 for 16])
  step.launch @scale blocks(2) (arena[0 for 16], state[0 for 4], arena[0 for 16])
  step.copy output[0 for 16], arena[0 for 16]
})");
  ASSERT_TRUE(program);
  HostMemory memory(program);
  memory.write(findBinding(program, "x").getSlice(), 4, {1, 2, 3, 4});
  memory.write(findBinding(program, "factor").getSlice(), 4, {3});
  ASSERT_TRUE(succeeded(interpretProgram(program, memory)));
  EXPECT_EQ(memory.read(findBinding(program, "y").getSlice(), 4),
            (Numbers{9, 18, 27, 36}));
  EXPECT_FALSE(findBinding(program, "y", "input"));
}

TEST_F(StepInterpreterTest, RepeatStridesAndFill) {
  ProgramOp program = load(R"(
step.program @step arena(64) input(192) output(64) {
  step.fill output[0 for 16]
  step.repeat 3 {
    step.launch @add blocks(2) (input[0 for 16 stride 64], output[0 for 16])
  }
})");
  ASSERT_TRUE(program);
  HostMemory memory(program);
  for (int64_t i = 0; i < 3; ++i)
    memory.write(slice(Space::Input, 64 * i, 16), 4,
                 {1.0 * i, 10, 100.0 * i, 1});
  ASSERT_TRUE(succeeded(interpretProgram(program, memory)));
  EXPECT_EQ(memory.read(slice(Space::Output, 0, 16), 4),
            (Numbers{3, 30, 300, 3}));
}

TEST_F(StepInterpreterTest, CopiesThatAreStartedAreMadeAtTheirWait) {
  ProgramOp program = load(R"(
step.program @step state(64) arena(128) input(64) output(64) host(64) {
  step.launch @scale blocks(2) (input[0 for 16], state[0 for 4], arena[0 for 16])
  %out = step.copy_start host[0 for 16], arena[0 for 16]
  step.wait %out
  step.fill arena[0 for 16]
  %back = step.copy_start arena[64 for 16], host[0 for 16]
  step.wait %back
  step.copy output[0 for 16], arena[64 for 16]
})");
  ASSERT_TRUE(program);
  HostMemory memory(program);
  memory.write(slice(Space::Input, 0, 16), 4, {1, 2, 3, 4});
  memory.write(slice(Space::State, 0, 4), 4, {3});
  ASSERT_TRUE(succeeded(interpretProgram(program, memory)));
  EXPECT_EQ(memory.read(slice(Space::Output, 0, 16), 4),
            (Numbers{3, 6, 9, 12}));
  // Before its wait a copy's target is nothing: move the wait behind the read.
  Operation *wait = nullptr;
  program.walk([&](WaitOp op) { wait = op; });
  wait->moveBefore(&program.getBody().front(), program.getBody().front().end());
  ASSERT_TRUE(succeeded(interpretProgram(program, memory)));
  for (double number : memory.read(slice(Space::Output, 0, 16), 4))
    EXPECT_TRUE(std::isnan(number));
}

TEST_F(StepInterpreterTest, WhatIsNotWrittenIsNan) {
  ProgramOp program = load(R"(
step.program @step arena(64) output(64) {
  step.launch @add blocks(2) (arena[0 for 16], output[0 for 16])
})");
  ASSERT_TRUE(program);
  HostMemory memory(program);
  memory.fill(slice(Space::Output, 0, 16), 0);
  ASSERT_TRUE(succeeded(interpretProgram(program, memory)));
  for (double number : memory.read(slice(Space::Output, 0, 16), 4))
    EXPECT_TRUE(std::isnan(number));
}

} // namespace
