//===- InterpreterTest.cpp - the tile interpreter, op by op ---------------===//

#include "test/dialects/Tile/Programs.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace tarn::tile;
using namespace tarn::tile::test;

namespace {

using Numbers = std::vector<double>;

class InterpreterTest : public ::testing::Test {
protected:
  MLIRContext context;
  std::string message;

  // Runs the kernel of `text`; collects the first error's message.
  bool run(const std::string &text, const std::vector<Numbers *> &buffers,
           InterpretOptions options = {}) {
    message.clear();
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      if (message.empty())
        message = diagnostic.str();
      return success();
    });
    OwningOpRef<ModuleOp> module = parse(context, text);
    if (!module)
      return false;
    std::vector<HostBuffer> views;
    for (Numbers *numbers : buffers)
      views.push_back(*numbers);
    return succeeded(interpretKernel(firstKernel(*module), views, options));
  }
};

TEST_F(InterpreterTest, LoadPadsOutsideAndTransposes) {
  Numbers x = {0, 1, 2, 3, 4, 5}, y(9), z(9);
  ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<2x3xf32>, %y: memref<3x3xf32>, %z: memref<3x3xf32>)
    access ["read", "write", "write"] grid () {
  %t = tile.load %x[0, -1] {pad = 9.0 : f32} : memref<2x3xf32> -> tensor<3x3xf32>
  tile.store %t, %y[0, 0] : tensor<3x3xf32>, memref<3x3xf32>
  %u = tile.load %x[0, 0] {dims = [1, 0]} : memref<2x3xf32> -> tensor<3x3xf32>
  tile.store %u, %z[0, 0] : tensor<3x3xf32>, memref<3x3xf32>
  tile.return
})",
                  {&x, &y, &z}));
  EXPECT_EQ(y, (Numbers{9, 0, 1, 9, 3, 4, 9, 9, 9}));
  EXPECT_EQ(z, (Numbers{0, 3, 0, 1, 4, 0, 2, 5, 0}));
}

TEST_F(InterpreterTest, GatherPadsNegativeAndLargeRows) {
  Numbers x = {0, 1, 2, 3, 4, 5}, rows = {2, -1, 0, 7}, y(8), z(6, -1);
  ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<3x2xf32>, %i: memref<4xi32>, %y: memref<4x2xf32>,
               %z: memref<3x2xf32>)
    access ["read", "read", "write", "write"] grid () {
  %r = tile.load %i[0] : memref<4xi32> -> tensor<4xi32>
  %t = tile.gather %x[0, 0] rows(%r) {pad = 9.0 : f32}
      : memref<3x2xf32>, tensor<4xi32> -> tensor<4x2xf32>
  tile.store %t, %y[0, 0] : tensor<4x2xf32>, memref<4x2xf32>
  tile.scatter %t, %z[0, 0] rows(%r)
      : tensor<4x2xf32>, memref<3x2xf32>, tensor<4xi32>
  tile.return
})",
                  {&x, &rows, &y, &z}));
  EXPECT_EQ(y, (Numbers{4, 5, 9, 9, 0, 1, 9, 9}));
  EXPECT_EQ(z, (Numbers{0, 1, -1, -1, 4, 5}));
}

const char *scatterTwice = R"(
tile.kernel @k(%i: memref<4xi32>, %y: memref<4xi32>)
    access ["read", "write"] grid () {
  %r = tile.load %i[0] : memref<4xi32> -> tensor<4xi32>
  tile.scatter %r, %y[0] rows(%r) : tensor<4xi32>, memref<4xi32>, tensor<4xi32>
  tile.return
})";

TEST_F(InterpreterTest, StoringAnElementTwiceIsAnError) {
  Numbers rows = {2, 1, 2, 3}, y(4);
  EXPECT_FALSE(run(scatterTwice, {&rows, &y}));
  EXPECT_EQ(message, "'tile.scatter' op stores element 2 of buffer 1 a second "
                     "time");
  rows = {2, 1, 0, -1};
  EXPECT_TRUE(run(scatterTwice, {&rows, &y}));
  // Element 3 is missing.
  InterpretOptions options;
  options.requireAllStored = true;
  EXPECT_FALSE(run(scatterTwice, {&rows, &y}, options));
  EXPECT_EQ(message, "'tile.kernel' op never stores element 3 of buffer 1");
}

TEST_F(InterpreterTest, TwoBlocksStoringOneElementIsAnError) {
  // The verifier can't see that block 1 starts where block 0 ends.
  Numbers x = {0, 1, 2, 3, 4, 5}, y(6);
  EXPECT_FALSE(run(R"(
tile.kernel @k(%x: memref<6xf32>, %y: memref<6xf32>)
    access ["read", "write"] grid (%i = 6 by 3) {
  %t = tile.load %x[%i] : memref<6xf32> -> tensor<4xf32>
  tile.store %t, %y[%i] : tensor<4xf32>, memref<6xf32>
  tile.return
})",
                   {&x, &y}));
  EXPECT_EQ(message,
            "'tile.store' op stores element 3 of buffer 1 a second time");
}

TEST_F(InterpreterTest, TwoStoresOfOneSweepAreBothMade) {
  Numbers x = {1, 2, 3}, y(3), z(3);
  ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<3xf32>, %y: memref<3xf32>, %z: memref<3xf32>)
    access ["read", "write", "write"] grid () {
  %t = tile.load %x[0] : memref<3xf32> -> tensor<3xf32>
  %u = arith.addf %t, %t : tensor<3xf32>
  tile.store %t, %y[0] : tensor<3xf32>, memref<3xf32>
  tile.store %u, %z[0] : tensor<3xf32>, memref<3xf32>
  tile.return
})",
                  {&x, &y, &z}));
  EXPECT_EQ(y, x);
  EXPECT_EQ(z, (Numbers{2, 4, 6}));
}

// Adds x to y and stores it from `at` on.
std::string accumulateAndStore(int at) {
  return R"(
tile.kernel @k(%x: memref<3xf32>, %y: memref<6xf32>)
    access ["read", "accumulate"] grid () {
  %t = tile.load %x[0] : memref<3xf32> -> tensor<3xf32>
  tile.accumulate %t, %y[0] : tensor<3xf32>, memref<6xf32>
  tile.store %t, %y[)" +
         std::to_string(at) + R"(] : tensor<3xf32>, memref<6xf32>
  tile.return
})";
}

TEST_F(InterpreterTest, WhatIsAddedToMayBeStoredToElsewhere) {
  Numbers x = {1, 2, 3}, y = {1, 1, 1, 5, 5, 5};
  ASSERT_TRUE(run(accumulateAndStore(3), {&x, &y}));
  EXPECT_EQ(y, (Numbers{2, 3, 4, 1, 2, 3}));
  EXPECT_FALSE(run(accumulateAndStore(2), {&x, &y}));
  EXPECT_EQ(message,
            "'tile.store' op stores element 2 of buffer 1 a second time");
}

// Rows of x are added to the rows of y that i names; blocks in order.
std::string accumulateRows(const char *order) {
  return std::string(R"(
tile.kernel @k(%x: memref<6x2xf32>, %i: memref<6xi32>, %y: memref<3x2xf32>)
    access ["read", "read", "accumulate"] grid (%m = 6 by 3 )") +
         order + R"() {
  %r = tile.load %i[%m] : memref<6xi32> -> tensor<3xi32>
  %t = tile.load %x[%m, 0] : memref<6x2xf32> -> tensor<3x2xf32>
  tile.accumulate %t, %y[0, 0] along(%m) rows(%r : tensor<3xi32>)
      : tensor<3x2xf32>, memref<3x2xf32>
  tile.return
})";
}

TEST_F(InterpreterTest, AccumulateAddsEqualRowsInOrder) {
  // In f32 the sum depends on the order: 1e8 + 1 - 1e8 is 0, not 1.
  Numbers x = {1e8, 1, 1, 2, 5, 3, -1e8, 4, 7, 5, 8, 6};
  Numbers rows = {2, 2, 0, 2, -1, 0};
  InterpretOptions options;
  options.rounding = Rounding::typed;
  for (uint64_t seed : {0, 1, 2, 3}) {
    Numbers y(6, 0);
    options.orderSeed = seed;
    ASSERT_TRUE(run(accumulateRows("sequential"), {&x, &rows, &y}, options));
    EXPECT_EQ(y, (Numbers{13, 9, 0, 0, 0, 7}));
  }
}

TEST_F(InterpreterTest, AccumulateWithoutOrderIsAnError) {
  Numbers x(6), y(3);
  // The position depends on the grid, so the verifier is content; yet both
  // blocks add to element 1.
  EXPECT_FALSE(run(R"(
tile.kernel @k(%x: memref<6xf32>, %y: memref<3xf32>)
    access ["read", "accumulate"] grid (%m = 2 by 1) {
  %t = tile.load %x[0] : memref<6xf32> -> tensor<2xf32>
  tile.accumulate %t, %y[%m] : tensor<2xf32>, memref<3xf32>
  tile.return
})",
                   {&x, &y}));
  EXPECT_EQ(message, "'tile.accumulate' op adds to element 1 of buffer 1 from "
                     "blocks that have no order");
}

TEST_F(InterpreterTest, PartialsGoToTheSlotOfTheBlock) {
  Numbers x = {1, 2, 3, 4, 5}, p(3);
  ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<5xf32>, %p: memref<3xf32>)
    access ["read", "partial"] grid (%m = 5 by 2) {
  %t = tile.load %x[%m] : memref<5xf32> -> tensor<2xf32>
  %s = tile.reduce sum %t axis 0 : tensor<2xf32>
  tile.store_partial %s, %p[] slot(%m) : tensor<f32>, memref<3xf32>
  tile.return
})",
                  {&x, &p}));
  EXPECT_EQ(p, (Numbers{3, 7, 5}));
}

TEST_F(InterpreterTest, ArgmaxByIntegerReduction) {
  Numbers x = {1, 4, 2, 4, -3, -1, -1, -2}, y(2);
  ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<2x4xf32>, %y: memref<2xi32>)
    access ["read", "write"] grid (%m = 2 by 2) {
  %c0 = arith.constant 0 : index
  %t = tile.load %x[%m, 0] : memref<2x4xf32> -> tensor<2x4xf32>
  %max = tile.reduce max %t axis 1 : tensor<2x4xf32>
  %b = tile.broadcast %max axis 1 : tensor<2xf32> -> tensor<2x4xf32>
  %is = arith.cmpf oeq, %t, %b : tensor<2x4xf32>
  %i = tile.iota %c0 axis 1 : tensor<2x4xi32>
  %zero = arith.constant dense<0> : tensor<2x4xi32>
  %neg = arith.subi %zero, %i : tensor<2x4xi32>
  %low = arith.constant dense<-2147483648> : tensor<2x4xi32>
  %s = arith.select %is, %neg, %low : tensor<2x4xi1>, tensor<2x4xi32>
  %m1 = tile.reduce max %s axis 1 : tensor<2x4xi32>
  %z = arith.constant dense<0> : tensor<2xi32>
  %r = arith.subi %z, %m1 : tensor<2xi32>
  tile.store %r, %y[%m] : tensor<2xi32>, memref<2xi32>
  tile.return
})",
                  {&x, &y}));
  EXPECT_EQ(y, (Numbers{1, 1}));
}

TEST_F(InterpreterTest, ScansAlongEachAxis) {
  for (int way = 0; way != 6; ++way) {
    int axis = way % 3;
    bool reverse = way >= 3;
    Numbers x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, y(12);
    ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<2x2x3xi32>, %y: memref<2x2x3xi32>)
    access ["read", "write"] grid () {
  %t = tile.load %x[0, 0, 0] : memref<2x2x3xi32> -> tensor<2x2x3xi32>
  %s = tile.scan %t axis )" +
                        std::to_string(axis) + (reverse ? " reverse" : "") +
                        R"( : tensor<2x2x3xi32>
  tile.store %s, %y[0, 0, 0] : tensor<2x2x3xi32>, memref<2x2x3xi32>
  tile.return
})",
                    {&x, &y}));
    Numbers wanted[] = {{1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18},
                        {1, 2, 3, 5, 7, 9, 7, 8, 9, 17, 19, 21},
                        {1, 3, 6, 4, 9, 15, 7, 15, 24, 10, 21, 33},
                        {8, 10, 12, 14, 16, 18, 7, 8, 9, 10, 11, 12},
                        {5, 7, 9, 4, 5, 6, 17, 19, 21, 10, 11, 12},
                        {6, 5, 3, 15, 11, 6, 24, 17, 9, 33, 23, 12}};
    EXPECT_EQ(y, wanted[way]);
  }
}

TEST_F(InterpreterTest, MaxKeepsNan) {
  for (size_t at : {0, 1, 2}) {
    Numbers x = {1, 2, 3}, y(1);
    x[at] = NAN;
    ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<3xf32>, %y: memref<f32>)
    access ["read", "write"] grid () {
  %t = tile.load %x[0] : memref<3xf32> -> tensor<3xf32>
  %s = tile.reduce max %t axis 0 : tensor<3xf32>
  tile.store %s, %y[] : tensor<f32>, memref<f32>
  tile.return
})",
                    {&x, &y}));
    EXPECT_TRUE(std::isnan(y[0]));
  }
}

TEST_F(InterpreterTest, UniformScalarsSteerLoopsAndBranches) {
  // Adds up as many numbers as the count says, or stores -1 if that's none.
  const char *text = R"(
tile.kernel @k(%x: memref<8xf32>, %n: memref<1xi32>, %y: memref<2xf32>)
    access ["read", "read", "write"] grid () {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n32 = tile.load_scalar %n[0] : memref<1xi32>
  %count = arith.index_cast %n32 : i32 to index
  %some = arith.cmpi sgt, %count, %c0 : index
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %r = scf.if %some -> tensor<2xf32> {
    %s = scf.for %k = %c0 to %count step %c2 iter_args(%a = %zero) -> tensor<2xf32> {
      %t = tile.load %x[%k] : memref<8xf32> -> tensor<2xf32>
      %b = arith.addf %a, %t : tensor<2xf32>
      scf.yield %b : tensor<2xf32>
    }
    scf.yield %s : tensor<2xf32>
  } else {
    %one = arith.constant -1.0 : f32
    %m = tile.splat %one : tensor<2xf32>
    scf.yield %m : tensor<2xf32>
  }
  tile.store %r, %y[0] : tensor<2xf32>, memref<2xf32>
  tile.return
})";
  Numbers x = {1, 2, 3, 4, 5, 6, 7, 8}, y(2);
  for (auto [count, expected] : std::vector<std::pair<double, Numbers>>{
           {0, {-1, -1}}, {4, {4, 6}}, {8, {16, 20}}}) {
    Numbers n = {count};
    ASSERT_TRUE(run(text, {&x, &n, &y}));
    EXPECT_EQ(y, expected);
  }
}

TEST_F(InterpreterTest, IntegersWrapAtTheirWidth) {
  Numbers x = {2147483647, -1, 5}, y(3), z(3), u(3);
  ASSERT_TRUE(run(R"(
tile.kernel @k(%x: memref<3xi32>, %y: memref<3xi32>, %z: memref<3xi32>,
               %u: memref<3xf64>)
    access ["read", "write", "write", "write"] grid () {
  %t = tile.load %x[0] : memref<3xi32> -> tensor<3xi32>
  %one = arith.constant dense<1> : tensor<3xi32>
  %a = arith.addi %t, %one : tensor<3xi32>
  %b = arith.shrui %t, %one : tensor<3xi32>
  %c = arith.uitofp %t : tensor<3xi32> to tensor<3xf64>
  tile.store %a, %y[0] : tensor<3xi32>, memref<3xi32>
  tile.store %b, %z[0] : tensor<3xi32>, memref<3xi32>
  tile.store %c, %u[0] : tensor<3xf64>, memref<3xf64>
  tile.return
})",
                  {&x, &y, &z, &u}));
  EXPECT_EQ(y, (Numbers{-2147483648.0, 0, 6}));
  EXPECT_EQ(z, (Numbers{1073741823, 2147483647, 2}));
  EXPECT_EQ(u, (Numbers{2147483647, 4294967295, 5}));
}

TEST_F(InterpreterTest, TypedRoundsEveryResult) {
  const char *text = R"(
tile.kernel @k(%x: memref<1xf32>, %y: memref<1xbf16>, %z: memref<1xf32>)
    access ["read", "write", "write"] grid () {
  %t = tile.load %x[0] : memref<1xf32> -> tensor<1xf32>
  %c = arith.constant dense<1.0e-08> : tensor<1xf32>
  %a = arith.addf %t, %c : tensor<1xf32>
  %b = arith.truncf %t : tensor<1xf32> to tensor<1xbf16>
  tile.store %b, %y[0] : tensor<1xbf16>, memref<1xbf16>
  tile.store %a, %z[0] : tensor<1xf32>, memref<1xf32>
  tile.return
})";
  Numbers x = {1.00390625}, y(1), z(1);
  ASSERT_TRUE(run(text, {&x, &y, &z}));
  EXPECT_EQ(y[0], 1.00390625);
  EXPECT_GT(z[0], 1.00390625);
  InterpretOptions options;
  options.rounding = Rounding::typed;
  ASSERT_TRUE(run(text, {&x, &y, &z}, options));
  EXPECT_EQ(y[0], 1.0); // a tie, to even
  EXPECT_EQ(z[0], 1.00390625);
}

TEST_F(InterpreterTest, RoundTo) {
  EXPECT_EQ(roundTo(Float32Type::get(&context), 16777217.0), 16777216.0);
  EXPECT_EQ(roundTo(BFloat16Type::get(&context), 1.01171875), 1.015625);
  EXPECT_EQ(roundTo(Float16Type::get(&context), 65519.0), 65504.0);
  EXPECT_TRUE(std::isinf(roundTo(Float16Type::get(&context), 65520.0)));
  EXPECT_EQ(roundTo(Float8E4M3FNType::get(&context), 447.0), 448.0);
  EXPECT_TRUE(std::isnan(roundTo(Float8E4M3FNType::get(&context), 500.0)));
  EXPECT_EQ(roundTo(IntegerType::get(&context, 8), 200), -56);
}

TEST_F(InterpreterTest, UserErrors) {
  Numbers x = {1, 2}, y(2), divisor = {1, 0};
  EXPECT_FALSE(run(scatterTwice, {&x, &y}));
  EXPECT_EQ(message, "'tile.kernel' op runs on 2 elements as buffer 0 of 4");
  EXPECT_FALSE(run(scatterTwice, {&x}));
  EXPECT_EQ(message, "'tile.kernel' op runs on 1 buffers but has 2");
  EXPECT_FALSE(run(R"(
tile.kernel @k(%x: memref<2xi32>, %d: memref<2xi32>, %y: memref<2xi32>)
    access ["read", "read", "write"] grid () {
  %t = tile.load %x[0] : memref<2xi32> -> tensor<2xi32>
  %u = tile.load %d[0] : memref<2xi32> -> tensor<2xi32>
  %v = arith.divsi %t, %u : tensor<2xi32>
  tile.store %v, %y[0] : tensor<2xi32>, memref<2xi32>
  tile.return
})",
                   {&x, &divisor, &y}));
  EXPECT_EQ(message, "'arith.divsi' op divides an integer by zero");
}

} // namespace
