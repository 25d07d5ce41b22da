//===- SmallKernelsTest.cpp - odd little kernels against the interpreter --===//

#include "test/compiler/Target/Cpu/CompareKernel.h"

#include <cmath>
#include <limits>

using namespace tarn::cpu::test;

namespace {

class SmallKernels : public CompareKernel {};

constexpr double inf = std::numeric_limits<double>::infinity();

TEST_F(SmallKernels, ElementwiseOfEverySize) {
  for (const char *n : {"1", "7", "16", "33", "257", "50304"}) {
    for (const char *t : {"1", "8", "100", "512"}) {
      if (std::string(n) == "50304" && std::string(t) != "512")
        continue;
      std::string text = R"(
tile.kernel @k(%x: memref<Nxf32>, %y: memref<Nxf32>, %z: memref<Nxf32>)
    access ["read", "read", "write"] grid (%i = N by T) {
  %a = tile.load %x[%i] : memref<Nxf32> -> tensor<Txf32>
  %b = tile.load %y[%i] : memref<Nxf32> -> tensor<Txf32>
  %c = arith.mulf %a, %b : tensor<Txf32>
  %d = math.tanh %c : tensor<Txf32>
  %e = arith.subf %d, %b : tensor<Txf32>
  tile.store %e, %z[%i] : tensor<Txf32>, memref<Nxf32>
  tile.return
})";
      for (size_t at = 0; (at = text.find("Txf", at)) != std::string::npos;)
        text.replace(at, 1, t);
      for (size_t at = 0; (at = text.find("Nxf", at)) != std::string::npos;)
        text.replace(at, 1, n);
      text.replace(text.find("N by T"), 6, std::string(n) + " by " + t);
      SCOPED_TRACE(text);
      compare(text, 1e-5);
    }
  }
}

// Along each axis, both ways, of floats and whole numbers, with rows of every
// size.
TEST_F(SmallKernels, RunningSums) {
  for (const char *shape : {"1", "13", "70", "5x9", "33x40", "3x4x37"})
    for (const char *element : {"f32", "i32"})
      for (int axis = 0, rank = 1 + int(llvm::StringRef(shape).count('x'));
           axis != 2 * rank; ++axis) {
        std::string type = std::string(shape) + "x" + element;
        std::string at = rank == 1 ? "0" : rank == 2 ? "0, 0" : "0, 0, 0";
        std::string text =
            "tile.kernel @k(%x: memref<" + type + ">, %y: memref<" + type +
            ">) access [\"read\", \"write\"] grid () {\n"
            "  %a = tile.load %x[" +
            at + "] : memref<" + type + "> -> tensor<" + type +
            ">\n  %b = arith.add" + element[0] + " %a, %a : tensor<" + type +
            ">\n  %c = tile.scan %b axis " + std::to_string(axis % rank) +
            (axis < rank ? "" : " reverse") + " : tensor<" + type +
            ">\n  %d = arith.sub" + element[0] + " %c, %a : tensor<" + type +
            ">\n  tile.store %d, %y[" + at + "] : tensor<" + type +
            ">, memref<" + type + ">\n  tile.return\n}";
        SCOPED_TRACE(text);
        Numbers whole(4000);
        for (int i = 0; i != 4000; ++i)
          whole[i] = i % 7 - 3;
        int64_t count = 1;
        llvm::SmallVector<llvm::StringRef> extents;
        llvm::StringRef(shape).split(extents, 'x');
        for (llvm::StringRef extent : extents)
          count *= std::stoll(extent.str());
        whole.resize(count);
        compare(text, 2e-5, {{0, whole}});
      }
}

// Rows of every size, with equal elements, the largest and smallest ones and
// what is no number, both ways.
TEST_F(SmallKernels, PlacesInSortedOrder) {
  for (int count : {1, 2, 13, 64, 300})
    for (const char *element : {"f32", "i32", "i64", "f64"}) {
      std::string row = std::to_string(count) + "x", type = row + element;
      std::string text = "tile.kernel @k(%x: memref<" + type + ">";
      for (const char *name : {"y", "z"})
        text += ", %" + std::string(name) + ": memref<" + row + "i32>";
      text += ") access [\"read\", \"write\", \"write\"] grid () {\n"
              "  %a = tile.load %x[0] : memref<" +
              type + "> -> tensor<" + type + ">\n";
      for (auto [name, way] :
           {std::pair("y", ""), std::pair("z", " descending")})
        text += "  %p" + std::string(name) + " = tile.places %a" + way +
                " : tensor<" + type + "> -> tensor<" + row +
                "i32>\n  tile.store %p" + name + ", %" + name +
                "[0] : tensor<" + row + "i32>, memref<" + row + "i32>\n";
      text += "  tile.return\n}";
      SCOPED_TRACE(text);
      Numbers x(count);
      for (int i = 0; i != count; ++i)
        x[i] = i * 7 % 23 - 5;
      if (*element == 'f' && count > 2) {
        x[1] = x[count - 1] = NAN;
        x[2] = INFINITY;
        x[count / 2] = -INFINITY;
        x[3] = -0.0;
      } else if (count > 2) {
        x[1] = x[count - 1] = *(element + 1) == '3' ? 0x1p31 - 1 : 0x1p62;
        x[2] = x[count / 2] = *(element + 1) == '3' ? -0x1p31 : -0x1p63;
      }
      compare(text, 0, {{0, x}});
    }
}

// Every transcendental function, also at special values.
TEST_F(SmallKernels, Math) {
  Numbers x = {0.0, -0.0, 1,    -1,  0.5,  3,   -3,    20,   -20, 88,
               -88, 100,  -100, inf, -inf, NAN, 1e-30, 1e-3, 7};
  for (const char *op : {"exp", "tanh", "erf", "sin", "cos", "absf"}) {
    SCOPED_TRACE(op);
    Numbers in = x;
    bool periodic = op[0] == 's' || op[0] == 'c';
    if (periodic)
      for (double &number : in)
        if (std::isinf(number) || std::fabs(number) > 50)
          number = 2;
    if (std::string(op) == "exp") // the result must be comparable
      in[7] = 1.5, in[9] = 2, in[11] = 3, in[18] = 0.7;
    compare(std::string(R"(
tile.kernel @k(%x: memref<19xf32>, %z: memref<19xf32>)
    access ["read", "write"] grid () {
  %a = tile.load %x[0] : memref<19xf32> -> tensor<19xf32>
  %b = math.)") +
                op + R"( %a : tensor<19xf32>
  tile.store %b, %z[0] : tensor<19xf32>, memref<19xf32>
  tile.return
})",
            5e-6, {{0, in}});
  }
  for (const char *op : {"sqrt", "rsqrt", "log"}) {
    SCOPED_TRACE(op);
    compare(std::string(R"(
tile.kernel @k(%x: memref<7xf32>, %z: memref<7xf32>)
    access ["read", "write"] grid () {
  %a = tile.load %x[0] : memref<7xf32> -> tensor<7xf32>
  %b = math.)") +
                op + R"( %a : tensor<7xf32>
  tile.store %b, %z[0] : tensor<7xf32>, memref<7xf32>
  tile.return
})",
            2e-6, {{0, {1, 0.5, 2, 3.25, 1e-2, 10, 100}}});
  }
}

// Ends of the range, and the relative error in between.
TEST_F(SmallKernels, Exponential) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      tarn::tile::test::parse(context, R"(
tile.kernel @k(%x: memref<20000xf32>, %z: memref<20000xf32>)
    access ["read", "write"] grid (%i = 20000 by 1000) {
  %a = tile.load %x[%i] : memref<20000xf32> -> tensor<1000xf32>
  %b = math.exp %a : tensor<1000xf32>
  tile.store %b, %z[%i] : tensor<1000xf32>, memref<20000xf32>
  tile.return
})");
  ASSERT_TRUE(module);
  tarn::tile::KernelOp kernel = tarn::tile::test::firstKernel(*module);
  Numbers x(20000);
  for (int i = 0; i != 20000; ++i)
    x[i] = float(-86.9 + (86.9 + 88.7) * i / 20000);
  Numbers ends = {inf, -inf, NAN, 88.73, 1000, -88, -1000, 0};
  std::copy(ends.begin(), ends.end(), x.begin());
  for (const tarn::cpu::Isa *isa : runnableIsas()) {
    SCOPED_TRACE(isa->name.str());
    LoadedKernel loaded(kernel, *isa);
    ASSERT_EQ(loaded.error(), "");
    mlir::Type f32 = kernel.getBufferType(0).getElementType();
    RawBuffer in(f32, x), out(f32, x);
    loaded.run({in.data(), out.data()});
    Numbers y = out.numbers();
    EXPECT_EQ(y[0], inf);
    EXPECT_EQ(y[1], 0);
    EXPECT_TRUE(std::isnan(y[2]));
    EXPECT_EQ(y[3], inf);
    EXPECT_EQ(y[4], inf);
    EXPECT_EQ(y[5], 0);
    EXPECT_EQ(y[6], 0);
    EXPECT_EQ(y[7], 1);
    double worst = 0;
    for (int i = 8; i != 20000; ++i)
      worst = std::max(worst, std::fabs(y[i] / std::exp(x[i]) - 1));
    EXPECT_LT(worst, 1.3e-7);
  }
}

TEST_F(SmallKernels, NotANumberSurvivesMaximum) {
  compare(R"(
tile.kernel @k(%x: memref<4x37xf32>, %y: memref<4xf32>, %z: memref<4x37xf32>)
    access ["read", "write", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<4x37xf32> -> tensor<4x37xf32>
  %m = tile.reduce max %a axis 1 : tensor<4x37xf32>
  %zero = arith.constant dense<0.0> : tensor<4x37xf32>
  %r = arith.maximumf %a, %zero : tensor<4x37xf32>
  tile.store %m, %y[0] : tensor<4xf32>, memref<4xf32>
  tile.store %r, %z[0, 0] : tensor<4x37xf32>, memref<4x37xf32>
  tile.return
})",
          0, {{0, [] {
                 Numbers x = tarn::tile::test::randomNumbers(4 * 37, 5);
                 x[3] = NAN;
                 x[37 + 36] = NAN;
                 for (int i = 0; i != 37; ++i)
                   x[2 * 37 + i] = i % 2 ? -1e30 : -1e38;
                 return x;
               }()}});
}

// A permuted view of a split-head tensor, ragged in both dims.
TEST_F(SmallKernels, PermutedSlices) {
  compare(R"(
tile.kernel @k(%x: memref<2x13x3x2x5xf32>, %y: memref<2x5x13xf32>,
               %z: memref<2x13x2x5xf32>)
    access ["read", "write", "write"] grid (%b = 2 by 1, %t = 13 by 8) {
  %a = tile.load %x[%b, %t, 1, 1, 0] {dims = [4, 1]}
      : memref<2x13x3x2x5xf32> -> tensor<5x8xf32>
  tile.store %a, %y[%b, 0, %t] : tensor<5x8xf32>, memref<2x5x13xf32>
  %c = tile.load %x[%b, %t, 2, 0, 0] {dims = [3, 1, 4]}
      : memref<2x13x3x2x5xf32> -> tensor<2x8x5xf32>
  tile.store %c, %z[%b, %t, 0, 0] {dims = [2, 1, 3]}
      : tensor<2x8x5xf32>, memref<2x13x2x5xf32>
  tile.return
})",
          0);
}

// Positions that run out of the buffer on both sides give the pad.
TEST_F(SmallKernels, NegativePositionsAndPads) {
  compare(R"(
tile.kernel @k(%x: memref<20xf32>, %y: memref<4x24xf32>)
    access ["read", "write"] grid (%i = 4 by 1) {
  %c7 = arith.constant 7 : index
  %c9 = arith.constant 9 : index
  %s = arith.muli %i, %c9 : index
  %p = arith.subi %s, %c7 : index
  %a = tile.load %x[%p] {pad = 5.0 : f32} : memref<20xf32> -> tensor<24xf32>
  %b = tile.broadcast %a axis 0 : tensor<24xf32> -> tensor<1x24xf32>
  tile.store %b, %y[%i, 0] : tensor<1x24xf32>, memref<4x24xf32>
  tile.return
})",
          0);
}

TEST_F(SmallKernels, RankZero) {
  compare(R"(
tile.kernel @k(%x: memref<f32>, %v: memref<9xf32>, %y: memref<f32>,
               %z: memref<9xf32>)
    access ["read", "read", "write", "write"] grid () {
  %a = tile.load %x[] : memref<f32> -> tensor<f32>
  %v1 = tile.load %v[0] : memref<9xf32> -> tensor<9xf32>
  %s = tile.reduce sum %v1 axis 0 : tensor<9xf32>
  %t = arith.addf %a, %s : tensor<f32>
  tile.store %t, %y[] : tensor<f32>, memref<f32>
  %u = tile.load_scalar %x[] : memref<f32>
  %w = tile.splat %u : tensor<9xf32>
  %b = tile.broadcast %t axis 0 : tensor<f32> -> tensor<9xf32>
  %q = arith.divf %b, %w : tensor<9xf32>
  tile.store %q, %z[0] : tensor<9xf32>, memref<9xf32>
  tile.return
})",
          1e-4, {{0, {0.25}}});
}

TEST_F(SmallKernels, RankThree) {
  compare(R"(
tile.kernel @k(%x: memref<3x5x7xf32>, %s0: memref<5x7xf32>,
               %s1: memref<3x7xf32>, %s2: memref<3x5xf32>,
               %y: memref<3x5x7xf32>)
    access ["read", "write", "write", "write", "write"] grid () {
  %a = tile.load %x[0, 0, 0] : memref<3x5x7xf32> -> tensor<3x5x7xf32>
  %r0 = tile.reduce sum %a axis 0 : tensor<3x5x7xf32>
  %r1 = tile.reduce max %a axis 1 : tensor<3x5x7xf32>
  %r2 = tile.reduce sum %a axis 2 : tensor<3x5x7xf32>
  tile.store %r0, %s0[0, 0] : tensor<5x7xf32>, memref<5x7xf32>
  tile.store %r1, %s1[0, 0] : tensor<3x7xf32>, memref<3x7xf32>
  tile.store %r2, %s2[0, 0] : tensor<3x5xf32>, memref<3x5xf32>
  %b0 = tile.broadcast %r0 axis 0 : tensor<5x7xf32> -> tensor<3x5x7xf32>
  %b1 = tile.broadcast %r1 axis 1 : tensor<3x7xf32> -> tensor<3x5x7xf32>
  %b2 = tile.broadcast %r2 axis 2 : tensor<3x5xf32> -> tensor<3x5x7xf32>
  %t = arith.addf %b0, %b1 : tensor<3x5x7xf32>
  %u = arith.mulf %t, %b2 : tensor<3x5x7xf32>
  tile.store %u, %y[0, 0, 0] : tensor<3x5x7xf32>, memref<3x5x7xf32>
  tile.return
})",
          1e-5);
}

// Gather, scatter, and an accumulation where rows repeat; rows outside and
// negative ones are skipped.
TEST_F(SmallKernels, RowsByNumber) {
  compare(R"(
tile.kernel @k(%table: memref<11x6xf32>, %idx: memref<10xi32>,
               %to: memref<10xi32>, %y: memref<10x6xf32>,
               %s: memref<12x6xf32>, %acc: memref<11x6xf32>)
    access ["read", "read", "read", "write", "write", "accumulate"]
    grid (%i = 10 by 4 sequential) {
  %rows = tile.load %idx[%i] {pad = -1 : i32} : memref<10xi32> -> tensor<4xi32>
  %into = tile.load %to[%i] {pad = -1 : i32} : memref<10xi32> -> tensor<4xi32>
  %g = tile.gather %table[0, 0] rows(%rows) {pad = 3.0 : f32}
      : memref<11x6xf32>, tensor<4xi32> -> tensor<4x6xf32>
  tile.store %g, %y[%i, 0] : tensor<4x6xf32>, memref<10x6xf32>
  tile.scatter %g, %s[0, 0] rows(%into)
      : tensor<4x6xf32>, memref<12x6xf32>, tensor<4xi32>
  tile.accumulate %g, %acc[0, 0] along(%i) rows(%rows : tensor<4xi32>)
      : tensor<4x6xf32>, memref<11x6xf32>
  tile.return
})",
          1e-5,
          {{1, {3, 3, -1, 0, 10, 10, 3, 11, 5, 0}},
           {2, {3, 2, -1, 0, 11, 10, 12, 9, 5, 1}}});
}

// The picked column of a row, as cross-entropy needs it.
TEST_F(SmallKernels, GatherOfRankOne) {
  compare(R"(
tile.kernel @k(%x: memref<9xf32>, %idx: memref<37xi32>, %y: memref<37xf32>)
    access ["read", "read", "write"] grid () {
  %rows = tile.load %idx[0] : memref<37xi32> -> tensor<37xi32>
  %g = tile.gather %x[0] rows(%rows)
      : memref<9xf32>, tensor<37xi32> -> tensor<37xf32>
  tile.store %g, %y[0] : tensor<37xf32>, memref<37xf32>
  tile.return
})",
          0, {{1, [] {
                 Numbers rows(37);
                 for (int i = 0; i != 37; ++i)
                   rows[i] = i * 5 % 11 - 1;
                 return rows;
               }()}});
}

TEST_F(SmallKernels, IntegersAndBooleans) {
  compare(R"(
tile.kernel @k(%x: memref<41xi32>, %m: memref<41xi1>, %y: memref<41xi32>,
               %b: memref<41xi1>, %top: memref<i32>)
    access ["read", "read", "write", "write", "write"] grid () {
  %a = tile.load %x[0] : memref<41xi32> -> tensor<41xi32>
  %mask = tile.load %m[0] : memref<41xi1> -> tensor<41xi1>
  %three = arith.constant dense<3> : tensor<41xi32>
  %c = arith.muli %a, %three : tensor<41xi32>
  %d = arith.select %mask, %c, %a : tensor<41xi1>, tensor<41xi32>
  %ten = arith.constant dense<10> : tensor<41xi32>
  %big = arith.cmpi sgt, %d, %ten : tensor<41xi32>
  %yes = arith.andi %big, %mask : tensor<41xi1>
  %t = tile.reduce max %d axis 0 : tensor<41xi32>
  tile.store %d, %y[0] : tensor<41xi32>, memref<41xi32>
  tile.store %yes, %b[0] : tensor<41xi1>, memref<41xi1>
  tile.store %t, %top[] : tensor<i32>, memref<i32>
  tile.return
})",
          0,
          {{0,
            [] {
              Numbers x(41);
              for (int i = 0; i != 41; ++i)
                x[i] = i * 7 % 23 - 5;
              return x;
            }()},
           {1,
            [] {
              Numbers m(41);
              for (int i = 0; i != 41; ++i)
                m[i] = i % 3 != 0;
              return m;
            }()},
           {3, Numbers(41, 0)}});
}

TEST_F(SmallKernels, NarrowFloats) {
  for (const char *type : {"bf16", "f16"}) {
    SCOPED_TRACE(type);
    std::string text = R"(
tile.kernel @k(%x: memref<5x37xTYPE>, %y: memref<5x37xTYPE>, %z: memref<5xTYPE>,
               %acc: memref<5x37xTYPE>)
    access ["read", "write", "write", "accumulate"] grid (%i = 5 by 2) {
  %a = tile.load %x[%i, 0] {pad = 2.0 : TYPE} : memref<5x37xTYPE> -> tensor<2x37xTYPE>
  %b = arith.mulf %a, %a : tensor<2x37xTYPE>
  %c = arith.addf %a, %b : tensor<2x37xTYPE>
  %m = tile.reduce max %c axis 1 : tensor<2x37xTYPE>
  tile.store %c, %y[%i, 0] : tensor<2x37xTYPE>, memref<5x37xTYPE>
  tile.store %m, %z[%i] : tensor<2xTYPE>, memref<5xTYPE>
  tile.accumulate %b, %acc[%i, 0] : tensor<2x37xTYPE>, memref<5x37xTYPE>
  tile.return
})";
    for (size_t at; (at = text.find("TYPE")) != std::string::npos;)
      text.replace(at, 4, type);
    compare(text, 0.02);
  }
}

TEST_F(SmallKernels, PartialSums) {
  compare(R"(
tile.kernel @k(%x: memref<37x70xf32>, %p: memref<5x70xf32>,
               %q: memref<5x3x16xf32>)
    access ["read", "partial", "partial"] grid (%i = 37 by 8, %j = 70 by 32) {
  %a = tile.load %x[%i, %j] : memref<37x70xf32> -> tensor<8x32xf32>
  %s = tile.reduce sum %a axis 0 : tensor<8x32xf32>
  tile.store_partial %s, %p[%j] slot(%i) : tensor<32xf32>, memref<5x70xf32>
  %h = tile.load %x[%i, %j] : memref<37x70xf32> -> tensor<8x16xf32>
  %t = tile.reduce max %h axis 0 : tensor<8x16xf32>
  tile.store_partial %t, %q[0] slot(%i, %j) : tensor<16xf32>, memref<5x3x16xf32>
  tile.return
})",
          1e-5);
}

// A branch that gives tiles and a scalar; one without results.
TEST_F(SmallKernels, Branches) {
  compare(R"(
tile.kernel @k(%x: memref<40xf32>, %n: memref<1xi32>, %y: memref<40xf32>,
               %z: memref<40xf32>)
    access ["read", "read", "write", "write"] grid (%i = 40 by 8) {
  %a = tile.load %x[%i] : memref<40xf32> -> tensor<8xf32>
  %n32 = tile.load_scalar %n[0] : memref<1xi32>
  %limit = arith.index_cast %n32 : i32 to index
  %low = arith.cmpi slt, %i, %limit : index
  %c5 = arith.constant 5 : index
  %r:2 = scf.if %low -> (tensor<8xf32>, index) {
    %b = math.exp %a : tensor<8xf32>
    scf.yield %b, %i : tensor<8xf32>, index
  } else {
    %b = arith.negf %a : tensor<8xf32>
    scf.yield %b, %c5 : tensor<8xf32>, index
  }
  %t = tile.iota %r#1 axis 0 : tensor<8xi32>
  %f = arith.sitofp %t : tensor<8xi32> to tensor<8xf32>
  %u = arith.addf %f, %r#0 : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<40xf32>
  scf.if %low {
    tile.store %a, %z[%i] : tensor<8xf32>, memref<40xf32>
  }
  tile.return
})",
          1e-5, {{1, {17}}});
}

// Carried tiles that change places, shift along, or are yielded twice.
TEST_F(SmallKernels, CarriedTilesExchanged) {
  compare(R"(
tile.kernel @k(%x: memref<4x8xf32>, %y: memref<5x8xf32>)
    access ["read", "write"] grid () {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %a = tile.load %x[0, 0] : memref<4x8xf32> -> tensor<8xf32>
  %b = tile.load %x[1, 0] : memref<4x8xf32> -> tensor<8xf32>
  %c = tile.load %x[2, 0] : memref<4x8xf32> -> tensor<8xf32>
  %r:5 = scf.for %k = %c0 to %c3 step %c1
      iter_args(%p = %a, %q = %b, %s = %c, %t = %a, %u = %b)
      -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
    %v = tile.load %x[%k, 0] : memref<4x8xf32> -> tensor<8xf32>
    %w = arith.mulf %s, %v : tensor<8xf32>
    scf.yield %q, %p, %w, %w, %v
        : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  tile.store %r#0, %y[0, 0] : tensor<8xf32>, memref<5x8xf32>
  tile.store %r#1, %y[1, 0] : tensor<8xf32>, memref<5x8xf32>
  tile.store %r#2, %y[2, 0] : tensor<8xf32>, memref<5x8xf32>
  tile.store %r#3, %y[3, 0] : tensor<8xf32>, memref<5x8xf32>
  tile.store %r#4, %y[4, 0] : tensor<8xf32>, memref<5x8xf32>
  tile.return
})",
          1e-6);
}

// The old value of a carried tile is used after the next one is computed.
TEST_F(SmallKernels, CarriedTileUsedAfterItsSuccessor) {
  compare(R"(
tile.kernel @k(%x: memref<4x8xf32>, %y: memref<4x8xf32>, %z: memref<8xf32>)
    access ["read", "write", "write"] grid () {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant dense<0.5> : tensor<8xf32>
  %r = scf.for %k = %c0 to %c4 step %c1 iter_args(%m = %zero) -> tensor<8xf32> {
    %v = tile.load %x[%k, 0] : memref<4x8xf32> -> tensor<8xf32>
    %n = arith.addf %m, %v : tensor<8xf32>
    %s = tile.reduce sum %n axis 0 : tensor<8xf32>
    %sb = tile.broadcast %s axis 0 : tensor<f32> -> tensor<8xf32>
    %d = arith.subf %m, %sb : tensor<8xf32>
    tile.store %d, %y[%k, 0] : tensor<8xf32>, memref<4x8xf32>
    scf.yield %n : tensor<8xf32>
  }
  tile.store %r, %z[0] : tensor<8xf32>, memref<8xf32>
  tile.return
})",
          1e-5);
}

TEST_F(SmallKernels, ConstantOfManyValues) {
  compare(R"(
tile.kernel @k(%x: memref<2x5xf32>, %y: memref<2x5xf32>)
    access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<2x5xf32> -> tensor<2x5xf32>
  %c = arith.constant dense<[[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]]> : tensor<2x5xf32>
  %d = arith.mulf %a, %c : tensor<2x5xf32>
  %r = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  %rb = tile.broadcast %r axis 1 : tensor<2xf32> -> tensor<2x5xf32>
  %e = arith.addf %d, %rb : tensor<2x5xf32>
  tile.store %e, %y[0, 0] : tensor<2x5xf32>, memref<2x5xf32>
  tile.return
})",
          1e-5);
}

// The start of the sum is another tile than the carried one.
TEST_F(SmallKernels, DotOntoAnything) {
  compare(R"(
tile.kernel @k(%a: memref<9x11xf32>, %b: memref<11x21xf32>, %c: memref<9x21xf32>,
               %y: memref<9x21xf32>, %z: memref<9x21xf32>)
    access ["read", "read", "read", "write", "write"] grid () {
  %at = tile.load %a[0, 0] : memref<9x11xf32> -> tensor<9x11xf32>
  %bt = tile.load %b[0, 0] : memref<11x21xf32> -> tensor<11x21xf32>
  %ct = tile.load %c[0, 0] : memref<9x21xf32> -> tensor<9x21xf32>
  %d = tile.dot %at, %bt, %ct : tensor<9x11xf32>, tensor<11x21xf32> -> tensor<9x21xf32>
  %two = arith.constant dense<2.0> : tensor<9x21xf32>
  %e = tile.dot %at, %bt, %two : tensor<9x11xf32>, tensor<11x21xf32> -> tensor<9x21xf32>
  tile.store %d, %y[0, 0] : tensor<9x21xf32>, memref<9x21xf32>
  tile.store %e, %z[0, 0] : tensor<9x21xf32>, memref<9x21xf32>
  tile.return
})",
          1e-5);
}

// All transpositions, with operands from views that are transposed as well.
TEST_F(SmallKernels, TransposedDots) {
  compare(R"(
tile.kernel @k(%a: memref<19x9xf32>, %b: memref<37x19xf32>, %y: memref<9x37xf32>,
               %z: memref<9x37xf32>)
    access ["read", "read", "write", "write"] grid () {
  %zero = arith.constant dense<0.0> : tensor<9x37xf32>
  %at = tile.load %a[0, 0] : memref<19x9xf32> -> tensor<19x9xf32>
  %bt = tile.load %b[0, 0] : memref<37x19xf32> -> tensor<37x19xf32>
  %d = tile.dot %at, %bt, %zero {transpose_a, transpose_b}
      : tensor<19x9xf32>, tensor<37x19xf32> -> tensor<9x37xf32>
  %av = tile.load %a[0, 0] {dims = [1, 0]} : memref<19x9xf32> -> tensor<9x19xf32>
  %bv = tile.load %b[0, 0] {dims = [1, 0]} : memref<37x19xf32> -> tensor<19x37xf32>
  %e = tile.dot %av, %bv, %zero
      : tensor<9x19xf32>, tensor<19x37xf32> -> tensor<9x37xf32>
  tile.store %d, %y[0, 0] : tensor<9x37xf32>, memref<9x37xf32>
  tile.store %e, %z[0, 0] : tensor<9x37xf32>, memref<9x37xf32>
  tile.return
})",
          1e-5);
}

// Factors are rounded to tf32 wherever they come from: views, sums that others
// read as they are, and what is computed.
TEST_F(SmallKernels, DotsInTf32) {
  compare(R"(
tile.kernel @k(%a: memref<19x9xf32>, %b: memref<37x19xf32>, %y: memref<9x37xf32>,
               %z: memref<9x37xf32>, %w: memref<37x37xf32>)
    access ["read", "read", "write", "write", "write"] grid () {
  %zero = arith.constant dense<0.0> : tensor<9x37xf32>
  %at = tile.load %a[0, 0] : memref<19x9xf32> -> tensor<19x9xf32>
  %bt = tile.load %b[0, 0] : memref<37x19xf32> -> tensor<37x19xf32>
  %d = tile.dot %at, %bt, %zero {tf32, transpose_a, transpose_b}
      : tensor<19x9xf32>, tensor<37x19xf32> -> tensor<9x37xf32>
  %av = tile.load %a[0, 0] {dims = [1, 0]} : memref<19x9xf32> -> tensor<9x19xf32>
  %bv = tile.load %b[0, 0] {dims = [1, 0]} : memref<37x19xf32> -> tensor<19x37xf32>
  %ae = math.exp %av : tensor<9x19xf32>
  %e = tile.dot %ae, %bv, %zero {tf32}
      : tensor<9x19xf32>, tensor<19x37xf32> -> tensor<9x37xf32>
  %wide = arith.constant dense<0.0> : tensor<37x37xf32>
  %f = tile.dot %d, %d, %wide {tf32, transpose_a}
      : tensor<9x37xf32>, tensor<9x37xf32> -> tensor<37x37xf32>
  tile.store %d, %y[0, 0] : tensor<9x37xf32>, memref<9x37xf32>
  tile.store %e, %z[0, 0] : tensor<9x37xf32>, memref<9x37xf32>
  tile.store %f, %w[0, 0] : tensor<37x37xf32>, memref<37x37xf32>
  tile.return
})",
          1e-5);
}

// A left operand whose rows lie far apart is packed first.
TEST_F(SmallKernels, TransposedLeftOperandOfAWideBuffer) {
  compare(R"(
tile.kernel @k(%a: memref<70x600xf32>, %b: memref<70x200xf32>,
               %y: memref<600x200xf32>)
    access ["read", "read", "write"] grid (%i = 600 by 40) {
  %zero = arith.constant dense<0.0> : tensor<40x200xf32>
  %at = tile.load %a[0, %i] : memref<70x600xf32> -> tensor<70x40xf32>
  %bt = tile.load %b[0, 0] : memref<70x200xf32> -> tensor<70x200xf32>
  %d = tile.dot %at, %bt, %zero {transpose_a}
      : tensor<70x40xf32>, tensor<70x200xf32> -> tensor<40x200xf32>
  tile.store %d, %y[%i, 0] : tensor<40x200xf32>, memref<600x200xf32>
  tile.return
})",
          1e-4);
}

// Operands that are computed, on both sides, and used elsewhere too.
TEST_F(SmallKernels, ComputedDotOperands) {
  compare(R"(
tile.kernel @k(%a: memref<9x11xf32>, %b: memref<11x21xf32>, %y: memref<9x21xf32>,
               %z: memref<9x11xf32>)
    access ["read", "read", "write", "write"] grid () {
  %zero = arith.constant dense<0.0> : tensor<9x21xf32>
  %at = tile.load %a[0, 0] : memref<9x11xf32> -> tensor<9x11xf32>
  %bt = tile.load %b[0, 0] : memref<11x21xf32> -> tensor<11x21xf32>
  %ae = math.exp %at : tensor<9x11xf32>
  %bn = arith.negf %bt : tensor<11x21xf32>
  %d = tile.dot %ae, %bn, %zero : tensor<9x11xf32>, tensor<11x21xf32> -> tensor<9x21xf32>
  tile.store %d, %y[0, 0] : tensor<9x21xf32>, memref<9x21xf32>
  tile.store %ae, %z[0, 0] : tensor<9x11xf32>, memref<9x11xf32>
  tile.return
})",
          1e-4);
}

// Two outputs of one sweep, and a value used before and after a reduction.
TEST_F(SmallKernels, SweepsShareValues) {
  compare(R"(
tile.kernel @k(%x: memref<6x50xf32>, %s: memref<6xf32>, %y: memref<6x50xf32>,
               %z: memref<6x50xf32>)
    access ["read", "write", "write", "write"] grid (%i = 6 by 4) {
  %a = tile.load %x[%i, 0] : memref<6x50xf32> -> tensor<4x50xf32>
  %e = math.exp %a : tensor<4x50xf32>
  tile.store %e, %y[%i, 0] : tensor<4x50xf32>, memref<6x50xf32>
  %sum = tile.reduce sum %e axis 1 : tensor<4x50xf32>
  tile.store %sum, %s[%i] : tensor<4xf32>, memref<6xf32>
  %b = tile.broadcast %sum axis 1 : tensor<4xf32> -> tensor<4x50xf32>
  %q = arith.divf %e, %b : tensor<4x50xf32>
  tile.store %q, %z[%i, 0] : tensor<4x50xf32>, memref<6x50xf32>
  tile.return
})",
          1e-4);
}

TEST_F(SmallKernels, DoublesAndCasts) {
  compare(R"(
tile.kernel @k(%x: memref<37xf64>, %y: memref<37xf32>, %z: memref<37xf64>,
               %i: memref<37xi64>)
    access ["read", "write", "write", "write"] grid () {
  %a = tile.load %x[0] : memref<37xf64> -> tensor<37xf64>
  %b = arith.truncf %a : tensor<37xf64> to tensor<37xf32>
  %c = arith.mulf %a, %a : tensor<37xf64>
  %hundred = arith.constant dense<100.0> : tensor<37xf64>
  %d = arith.mulf %a, %hundred : tensor<37xf64>
  %e = arith.fptosi %d : tensor<37xf64> to tensor<37xi64>
  tile.store %b, %y[0] : tensor<37xf32>, memref<37xf32>
  tile.store %c, %z[0] : tensor<37xf64>, memref<37xf64>
  tile.store %e, %i[0] : tensor<37xi64>, memref<37xi64>
  tile.return
})",
          1e-6);
}

// A result may lie in the place of an operand, also when a value in between
// ends a sweep.
TEST_F(SmallKernels, ResultInPlaceOfAnOperand) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      tarn::tile::test::parse(context, R"(
tile.kernel @k(%x: memref<6x50xf32>, %g: memref<6x50xf32>, %r: memref<50xf32>,
               %y: memref<6x50xf32>, %z: memref<6x50xf32>)
    access ["read", "read", "read", "write", "write"] grid (%i = 6 by 4) {
  %a = tile.load %x[%i, 0] : memref<6x50xf32> -> tensor<4x50xf32>
  %b = tile.load %g[%i, 0] : memref<6x50xf32> -> tensor<4x50xf32>
  %c = tile.load %r[0] : memref<50xf32> -> tensor<50xf32>
  %s = arith.addf %a, %b : tensor<4x50xf32>
  tile.store %s, %y[%i, 0] : tensor<4x50xf32>, memref<6x50xf32>
  %e = math.exp %c : tensor<50xf32>
  %eb = tile.broadcast %e axis 0 : tensor<50xf32> -> tensor<4x50xf32>
  %t = arith.subf %a, %eb : tensor<4x50xf32>
  %u = arith.mulf %t, %b : tensor<4x50xf32>
  tile.store %u, %z[%i, 0] : tensor<4x50xf32>, memref<6x50xf32>
  tile.return
})");
  ASSERT_TRUE(module);
  tarn::tile::KernelOp kernel = tarn::tile::test::firstKernel(*module);
  Numbers x = tarn::tile::test::randomNumbers(300, 1);
  Numbers g = tarn::tile::test::randomNumbers(300, 2);
  Numbers r = tarn::tile::test::randomNumbers(50, 3);
  Numbers y(300), z(300);
  for (int i = 0; i != 300; ++i) {
    y[i] = x[i] + g[i];
    z[i] = (x[i] - std::exp(r[i % 50])) * g[i];
  }
  mlir::Type f32 = kernel.getBufferType(0).getElementType();
  for (const tarn::cpu::Isa *isa : runnableIsas()) {
    SCOPED_TRACE(isa->name.str());
    LoadedKernel loaded(kernel, *isa);
    ASSERT_EQ(loaded.error(), "");
    RawBuffer bx(f32, x), bg(f32, g), br(f32, r);
    loaded.run({bx.data(), bg.data(), br.data(), bx.data(), bg.data()});
    EXPECT_LE(tarn::tile::test::maxError(bx.numbers(), y), 1e-6);
    EXPECT_LE(tarn::tile::test::maxError(bg.numbers(), z), 1e-6);
  }
}

// Many kernels at once, on several threads: the same bytes every time.
TEST_F(SmallKernels, ManyKernelsAtOnce) {
  std::string text;
  for (int i = 0; i != 12; ++i) {
    std::string kernel = R"(
tile.kernel @kN(%x: memref<40x50xf32>, %y: memref<40x50xf32>)
    access ["read", "write"] grid (%i = 40 by 4) {
  %a = tile.load %x[%i, 0] : memref<40x50xf32> -> tensor<4x50xf32>
  %b = math.FUNCTION %a : tensor<4x50xf32>
  tile.store %b, %y[%i, 0] : tensor<4x50xf32>, memref<40x50xf32>
  tile.return
})";
    const char *functions[] = {"exp", "tanh", "erf", "sqrt"};
    kernel.replace(kernel.find("kN"), 2, "k" + std::to_string(i));
    kernel.replace(kernel.find("FUNCTION"), 8, functions[i % 4]);
    text += kernel;
  }
  mlir::OwningOpRef<mlir::ModuleOp> module =
      tarn::tile::test::parse(context, text);
  ASSERT_TRUE(module);
  auto kernels = llvm::to_vector(module->getOps<tarn::tile::KernelOp>());
  std::string first;
  for (unsigned threads : {4, 1, 0}) {
    auto compiled =
        tarn::cpu::compileKernels(kernels, tarn::cpu::hostIsa(), threads);
    ASSERT_TRUE(mlir::succeeded(compiled));
    ASSERT_EQ(compiled->kernels.size(), 12u);
    EXPECT_EQ(compiled->kernels[3].blocks, 10);
    if (first.empty())
      first = compiled->object;
    EXPECT_TRUE(first == compiled->object);
  }
}

// What is missing is said, at the op.
TEST_F(SmallKernels, ScaledDotIsRefused) {
  mlir::OwningOpRef<mlir::ModuleOp> module = tarn::tile::test::parse(
      context, tarn::tile::test::instantiate("fp8_dot", {{"M", "40"},
                                                         {"N", "70"},
                                                         {"K", "56"},
                                                         {"S", "16"},
                                                         {"KS", "4"},
                                                         {"NS", "5"},
                                                         {"BM", "16"},
                                                         {"BN", "32"},
                                                         {"BNS", "2"}}));
  ASSERT_TRUE(module);
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
    message += d.str();
    return mlir::success();
  });
  auto compiled = tarn::cpu::compileKernels(
      tarn::tile::test::firstKernel(*module), tarn::cpu::hostIsa());
  EXPECT_TRUE(mlir::failed(compiled));
  EXPECT_NE(message.find("is not supported by the CPU target yet"),
            std::string::npos)
      << message;
}

} // namespace
