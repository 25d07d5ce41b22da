//===- AnalysisTest.cpp - what targets ask of a tile program --------------===//

#include "dialects/Tile/Analysis.h"

#include "test/dialects/Tile/Programs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace tarn::tile;
using namespace tarn::tile::test;

namespace {

class AnalysisTest : public ::testing::Test {
protected:
  MLIRContext context;
  OwningOpRef<ModuleOp> module;

  KernelOp load(const std::string &text) {
    module = parse(context, text);
    EXPECT_TRUE(module) << text;
    return firstKernel(*module);
  }
  KernelOp program(const std::string &name, const Sizes &sizes) {
    return load(instantiate(name, sizes));
  }
  // The i-th op of a kind, in program order.
  template <typename OpT> OpT find(KernelOp kernel, unsigned i) {
    OpT found;
    kernel.getBody().walk<WalkOrder::PreOrder>([&](OpT op) {
      if (i-- == 0)
        found = op;
    });
    return found;
  }
};

const Sizes gemm = {{"M", "100"}, {"N", "90"},  {"K", "40"},
                    {"BM", "32"}, {"BN", "64"}, {"BK", "16"}};
const Sizes attention = {{"H", "2"},   {"T", "64"},  {"D", "8"},
                         {"BR", "16"}, {"BC", "16"}, {"SCALE", "0.25"}};
const Sizes grouped = {{"TOKENS", "50"}, {"P", "90"},  {"BOUND", "165"},
                       {"E", "5"},       {"E1", "6"},  {"K", "40"},
                       {"N", "24"},      {"BM", "16"}, {"BN", "16"},
                       {"BK", "16"}};

TEST_F(AnalysisTest, GridOfAKernel) {
  KernelOp kernel = program("gemm", gemm);
  EXPECT_EQ(kernel.getNumBlocks(), 2 * 4);
  // n is the first grid dim, m varies fastest.
  EXPECT_EQ(kernel.getBlockPositions(5), (SmallVector<int64_t>{64, 32}));
  EXPECT_EQ(kernel.getGridDim(kernel.getGridPosition(1)), 1u);
  EXPECT_FALSE(kernel.getGridDim(kernel.getBuffer(0)));
  EXPECT_EQ(kernel.getBufferAccess(3), Access::Write);
}

TEST_F(AnalysisTest, VarianceOfGemmOperands) {
  KernelOp kernel = program("gemm", gemm);
  VarianceAnalysis variances(kernel);
  LoadOp a = find<LoadOp>(kernel, 0), b = find<LoadOp>(kernel, 1);
  LoadOp bias = find<LoadOp>(kernel, 2);
  auto loop = find<scf::ForOp>(kernel, 0);
  Variance ofA = variances.of(a.getPositions());
  EXPECT_FALSE(ofA.gridDims.test(0));
  EXPECT_TRUE(ofA.gridDims.test(1));
  EXPECT_TRUE(ofA.loops.contains(loop));
  Variance ofB = variances.of(b.getPositions());
  EXPECT_TRUE(ofB.gridDims.test(0));
  EXPECT_FALSE(ofB.gridDims.test(1));
  EXPECT_FALSE(ofB.memory);
  EXPECT_TRUE(variances.of(bias.getPositions()).loops.empty());
  // The sum is carried, so it varies with both positions, not with the loop.
  const Variance &sum = variances.of(loop.getResult(0));
  EXPECT_EQ(sum.gridDims.count(), 2u);
  EXPECT_TRUE(sum.loops.empty());
  EXPECT_TRUE(sum.memory);
}

TEST_F(AnalysisTest, VarianceThroughMemory) {
  // The weights' position comes from the offsets and the block.
  KernelOp kernel = program("grouped_gemm", grouped);
  VarianceAnalysis variances(kernel);
  LoadOp weights = find<LoadOp>(kernel, 1);
  Variance variance = variances.of(weights.getPositions());
  EXPECT_TRUE(variance.memory);
  EXPECT_EQ(variance.gridDims.count(), 2u);
}

TEST_F(AnalysisTest, RolesOfLoads) {
  KernelOp kernel = program("gemm", gemm);
  EXPECT_EQ(getLoadRole(find<LoadOp>(kernel, 0)), LoadRole::dotLeft);
  EXPECT_EQ(getLoadRole(find<LoadOp>(kernel, 1)), LoadRole::dotRight);
  EXPECT_EQ(getLoadRole(find<LoadOp>(kernel, 2)), LoadRole::elementwise);
  // In attention backward K is the left operand of S^T and the right of dQ.
  kernel = program("attention_backward", attention);
  EXPECT_EQ(getLoadRole(find<LoadOp>(kernel, 0)), LoadRole::dotBoth);
  EXPECT_EQ(getLoadRole(find<LoadOp>(kernel, 1)), LoadRole::dotLeft);
}

TEST_F(AnalysisTest, StartsOfDots) {
  KernelOp kernel = program("gemm", gemm);
  auto dot = find<DotOp>(kernel, 0);
  DotStart start = getDotStart(dot.getAcc(), dot.getResult());
  EXPECT_EQ(start.kind, DotStartKind::carried);
  EXPECT_EQ(start.carried, find<scf::ForOp>(kernel, 0).getRegionIterArg(0));

  kernel = program("attention_forward", attention);
  dot = find<DotOp>(kernel, 0);
  EXPECT_EQ(getDotStart(dot.getAcc(), dot.getResult()).kind,
            DotStartKind::zero);
  dot = find<DotOp>(kernel, 1);
  start = getDotStart(dot.getAcc(), dot.getResult());
  EXPECT_EQ(start.kind, DotStartKind::carriedTimesRow);
  EXPECT_EQ(start.carried, find<scf::ForOp>(kernel, 0).getRegionIterArg(2));
  EXPECT_EQ(cast<RankedTensorType>(start.row.getType()).getRank(), 1);
}

// A dot whose start is made of the carried tile must not write into it.
std::string dotOnto(const char *start, const char *yielded) {
  return std::string(R"(
tile.kernel @k(%x: memref<32x8xf32>, %y: memref<8x8xf32>)
    access ["read", "write"] grid () {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %r = scf.for %k = %c0 to %c32 step %c8 iter_args(%c = %zero) -> tensor<8x8xf32> {
    %a = tile.load %x[%k, 0] : memref<32x8xf32> -> tensor<8x8xf32>
)") + start +
         R"(
    %d = tile.dot %a, %a, %s : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
)" + yielded +
         R"(
  }
  tile.store %r, %y[0, 0] : tensor<8x8xf32>, memref<8x8xf32>
  tile.return
})";
}

TEST_F(AnalysisTest, OtherStartsOfDots) {
  const char *yield = "scf.yield %d : tensor<8x8xf32>";
  const char *add = "%s = arith.addf %c, %a : tensor<8x8xf32>";
  auto dot = find<DotOp>(load(dotOnto(add, yield)), 0);
  EXPECT_EQ(getDotStart(dot.getAcc(), dot.getResult()).kind,
            DotStartKind::other);
  // A factor per column is no row vector.
  const char *column = R"(
    %m = tile.reduce max %a axis 0 : tensor<8x8xf32>
    %b = tile.broadcast %m axis 0 : tensor<8xf32> -> tensor<8x8xf32>
    %s = arith.mulf %c, %b : tensor<8x8xf32>)";
  dot = find<DotOp>(load(dotOnto(column, yield)), 0);
  EXPECT_EQ(getDotStart(dot.getAcc(), dot.getResult()).kind,
            DotStartKind::other);
  // The carried tile is needed again after the dot.
  const char *row = R"(
    %m = tile.reduce max %a axis 1 : tensor<8x8xf32>
    %b = tile.broadcast %m axis 1 : tensor<8xf32> -> tensor<8x8xf32>
    %s = arith.mulf %c, %b : tensor<8x8xf32>)";
  const char *again = R"(
    %e = arith.addf %c, %d : tensor<8x8xf32>
    scf.yield %e : tensor<8x8xf32>)";
  dot = find<DotOp>(load(dotOnto(row, again)), 0);
  EXPECT_EQ(getDotStart(dot.getAcc(), dot.getResult()).kind,
            DotStartKind::other);
  dot = find<DotOp>(load(dotOnto(row, yield)), 0);
  EXPECT_EQ(getDotStart(dot.getAcc(), dot.getResult()).kind,
            DotStartKind::carriedTimesRow);
}

// Masks over a 16x32 tile at constant positions row and column.
std::string maskAt(int64_t row, int64_t column, const std::string &body) {
  return R"(
tile.kernel @k(%y: memref<16x32xi1>) access ["write"] grid () {
  %row = arith.constant )" +
         std::to_string(row) + R"( : index
  %column = arith.constant )" +
         std::to_string(column) + R"( : index
  %i = tile.iota %row axis 0 : tensor<16x32xi32>
  %j = tile.iota %column axis 1 : tensor<16x32xi32>
)" + body +
         R"(
  tile.store %mask, %y[0, 0] : tensor<16x32xi1>, memref<16x32xi1>
  tile.return
})";
}

class PredicateTest : public AnalysisTest {
protected:
  // 't', 'f' or 'm'ixed, '?' if unknown; compared with the elements.
  char bounds(const std::string &text) {
    KernelOp kernel = load(text);
    std::vector<double> elements(16 * 32);
    std::vector<HostBuffer> views = {elements};
    EXPECT_TRUE(succeeded(interpretKernel(kernel, views)));
    double sum = 0;
    for (double element : elements)
      sum += element;

    auto store = find<StoreOp>(kernel, 0);
    OpBuilder builder(store);
    FailureOr<PredicateBounds> bounds =
        buildPredicateBounds(builder, store.getLoc(), store.getValue());
    if (failed(bounds))
      return '?';
    APInt allTrue, allFalse;
    EXPECT_TRUE(matchPattern(bounds->allTrue, m_ConstantInt(&allTrue)));
    EXPECT_TRUE(matchPattern(bounds->allFalse, m_ConstantInt(&allFalse)));
    if (allTrue.isOne())
      EXPECT_EQ(sum, 16 * 32);
    if (allFalse.isOne())
      EXPECT_EQ(sum, 0);
    return allTrue.isOne() ? 't' : allFalse.isOne() ? 'f' : 'm';
  }
};

TEST_F(PredicateTest, Causal) {
  const char *causal = "%mask = arith.cmpi sle, %j, %i : tensor<16x32xi32>";
  EXPECT_EQ(bounds(maskAt(31, 0, causal)), 't');
  EXPECT_EQ(bounds(maskAt(30, 0, causal)), 'm');
  EXPECT_EQ(bounds(maskAt(0, 15, causal)), 'm');
  EXPECT_EQ(bounds(maskAt(0, 16, causal)), 'f');
}

TEST_F(PredicateTest, SlidingWindow) {
  // Columns at most 63 before the row, and not after it.
  const char *window = R"(
  %c64 = arith.constant dense<64> : tensor<16x32xi32>
  %d = arith.subi %i, %j : tensor<16x32xi32>
  %near = arith.cmpi slt, %d, %c64 : tensor<16x32xi32>
  %past = arith.cmpi sge, %i, %j : tensor<16x32xi32>
  %mask = arith.andi %near, %past : tensor<16x32xi1>)";
  EXPECT_EQ(bounds(maskAt(49, 0, window)), 'm');
  EXPECT_EQ(bounds(maskAt(48, 0, window)), 't');
  EXPECT_EQ(bounds(maskAt(200, 0, window)), 'f');
  EXPECT_EQ(bounds(maskAt(0, 100, window)), 'f');
}

TEST_F(PredicateTest, RaggedEndNegated) {
  const char *outside = R"(
  %c100 = arith.constant 100 : i32
  %end = tile.splat %c100 : tensor<16x32xi32>
  %in = arith.cmpi slt, %j, %end : tensor<16x32xi32>
  %true = arith.constant dense<true> : tensor<16x32xi1>
  %mask = arith.xori %in, %true : tensor<16x32xi1>)";
  EXPECT_EQ(bounds(maskAt(0, 68, outside)), 'f');
  EXPECT_EQ(bounds(maskAt(0, 69, outside)), 'm');
  EXPECT_EQ(bounds(maskAt(0, 100, outside)), 't');
}

TEST_F(PredicateTest, ProductsAndMinima) {
  const char *scaled = R"(
  %m2 = arith.constant dense<-2> : tensor<16x32xi32>
  %c10 = arith.constant dense<10> : tensor<16x32xi32>
  %low = arith.minsi %j, %c10 : tensor<16x32xi32>
  %neg = arith.muli %i, %m2 : tensor<16x32xi32>
  %sum = arith.addi %neg, %low : tensor<16x32xi32>
  %zero = arith.constant dense<0> : tensor<16x32xi32>
  %mask = arith.cmpi slt, %sum, %zero : tensor<16x32xi32>)";
  EXPECT_EQ(bounds(maskAt(6, 0, scaled)), 't');
  EXPECT_EQ(bounds(maskAt(5, 0, scaled)), 'm');
  EXPECT_EQ(bounds(maskAt(-40, 0, scaled)), 'f');
}

TEST_F(PredicateTest, EqualityAndUnknown) {
  EXPECT_EQ(bounds(maskAt(0, 16,
                          "%mask = arith.cmpi eq, %i, %j : "
                          "tensor<16x32xi32>")),
            'f');
  EXPECT_EQ(bounds(maskAt(0, 16,
                          "%mask = arith.cmpi ne, %i, %j : "
                          "tensor<16x32xi32>")),
            't');
  EXPECT_EQ(bounds(maskAt(0, 0,
                          "%mask = arith.cmpi eq, %i, %j : "
                          "tensor<16x32xi32>")),
            'm');
  EXPECT_EQ(bounds(maskAt(0, 0, R"(
  %x = arith.xori %i, %j : tensor<16x32xi32>
  %mask = arith.cmpi slt, %x, %j : tensor<16x32xi32>)")),
            '?');
}

// An update of p by g, with room for more ops before the store.
std::string update(const char *extra, const char *value, const char *at) {
  return std::string(R"(
tile.kernel @k(%p: memref<64x16xf32>, %g: memref<64x16xf32>, %r: memref<f32>,
               %q: memref<64x16xf32>)
    access ["read", "read", "read", "write"] grid (%i = 64 by 32) {
  %t = tile.load %p[%i, 0] : memref<64x16xf32> -> tensor<32x16xf32>
  %h = tile.load %g[%i, 0] : memref<64x16xf32> -> tensor<32x16xf32>
  %s = tile.load_scalar %r[] : memref<f32>
  %rate = tile.splat %s : tensor<32x16xf32>
  %d = arith.mulf %h, %rate : tensor<32x16xf32>
  %n = arith.subf %t, %d : tensor<32x16xf32>
)") + extra +
         "tile.store " + value + ", %q" + at +
         R"( : tensor<32x16xf32>, memref<64x16xf32>
  tile.return
})";
}

TEST_F(AnalysisTest, BuffersThatMayShareBytes) {
  KernelOp kernel = load(update("", "%n", "[%i, 0]"));
  EXPECT_TRUE(mayShareBytes(kernel, 0, 3));
  EXPECT_TRUE(mayShareBytes(kernel, 1, 3));
  EXPECT_FALSE(mayShareBytes(kernel, 2, 3)); // read by every block
  EXPECT_FALSE(mayShareBytes(kernel, 0, 1)); // not written
  // Stored to another place than loaded.
  kernel = load(update(R"(
  %c32 = arith.constant 32 : index
  %m = arith.subi %c32, %i : index
)",
                       "%n", "[%m, 0]"));
  EXPECT_FALSE(mayShareBytes(kernel, 0, 3));
  // A reduction reads the whole tile before the first element is stored.
  kernel = load(update(R"(
  %m = tile.reduce max %n axis 1 : tensor<32x16xf32>
  %b = tile.broadcast %m axis 1 : tensor<32xf32> -> tensor<32x16xf32>
)",
                       "%b", "[%i, 0]"));
  EXPECT_TRUE(mayShareBytes(kernel, 0, 3));
  EXPECT_TRUE(mayUpdateBytes(kernel, 0, 3));
}

TEST_F(AnalysisTest, RowsThatAreReadAgain) {
  Sizes rows = {{"R", "50"},
                {"C", "60"},
                {"BR", "8"},
                {"BC", "64"},
                {"INV", "0.016666666666666666"}};
  KernelOp kernel = program("softmax", rows);
  EXPECT_TRUE(mayShareBytes(kernel, 0, 1));
  kernel = program("layer_norm", rows);
  EXPECT_TRUE(mayShareBytes(kernel, 0, 3));
  EXPECT_FALSE(mayShareBytes(kernel, 1, 3)); // read by every block
  EXPECT_EQ(getSharedBuffers(kernel),
            (SmallVector<std::pair<unsigned, unsigned>>{{0, 3}}));
  // Products read rows and columns of other elements.
  kernel = program("gemm", gemm);
  EXPECT_TRUE(getSharedBuffers(kernel).empty());
  kernel = program("attention_forward", attention);
  EXPECT_TRUE(getSharedBuffers(kernel).empty());
}

// The sum of each row of x, times x, with room for other ways to read it.
std::string rowSums(const char *element, const char *loads, const char *between,
                    const char *behind = R"(
  tile.store %s, %m[%i] : tensor<8xf32>, memref<64xf32>)") {
  return std::string("tile.kernel @k(%x: memref<64x64x") + element +
         R"(>, %v: memref<64xf32>, %y: memref<64x64xf32>, %w: memref<64xf32>,
               %m: memref<64xf32>)
    access ["read", "read", "write", "write", "write"] grid (%i = 64 by 8) {
)" + loads +
         R"(
  %s = tile.reduce sum %t axis 1 : tensor<8x64xf32>
  %b = tile.broadcast %s axis 1 : tensor<8xf32> -> tensor<8x64xf32>
  %p = arith.mulf %t, %b : tensor<8x64xf32>
  %h = tile.load %v[%i] : memref<64xf32> -> tensor<8xf32>
  %g = arith.addf %h, %s : tensor<8xf32>
)" + between +
         R"(
  tile.store %q, %y[%i, 0] : tensor<8x64xf32>, memref<64x64xf32>
)" + behind +
         R"(
  tile.store %g, %w[%i] : tensor<8xf32>, memref<64xf32>
  tile.return
})";
}

TEST_F(AnalysisTest, RowsThatMayNotBeOverwritten) {
  const char *ownRows =
      "%t = tile.load %x[%i, 0] : memref<64x64xf32> -> tensor<8x64xf32>";
  const char *plain = "%q = arith.negf %p : tensor<8x64xf32>";
  KernelOp kernel = load(rowSums("f32", ownRows, plain));
  EXPECT_TRUE(mayShareBytes(kernel, 0, 2));
  // All threads of a row read the number that one of them would overwrite.
  EXPECT_FALSE(mayShareBytes(kernel, 1, 3));
  // Once more behind the store.
  kernel = load(rowSums("f32", ownRows, plain, R"(
  %again = tile.load %x[%i, 0] : memref<64x64xf32> -> tensor<8x64xf32>
  %s2 = tile.reduce max %again axis 1 : tensor<8x64xf32>
  tile.store %s2, %m[%i] : tensor<8xf32>, memref<64xf32>)"));
  EXPECT_FALSE(mayShareBytes(kernel, 0, 2));
  // The same rows twice.
  kernel = load(rowSums("f32", ownRows, R"(
  %u = tile.load %x[%i, 0] : memref<64x64xf32> -> tensor<8x64xf32>
  %q = arith.addf %p, %u : tensor<8x64xf32>)"));
  EXPECT_TRUE(mayShareBytes(kernel, 0, 2));
  // Rows of another block.
  kernel = load(rowSums("f32", ownRows, R"(
  %u = tile.load %x[0, 0] : memref<64x64xf32> -> tensor<8x64xf32>
  %q = arith.addf %p, %u : tensor<8x64xf32>)"));
  EXPECT_FALSE(mayShareBytes(kernel, 0, 2));
  // Columns.
  kernel = load(rowSums("f32", R"(
  %t = tile.load %x[0, %i] {dims = [1, 0]} : memref<64x64xf32> -> tensor<8x64xf32>)",
                        plain));
  EXPECT_FALSE(mayShareBytes(kernel, 0, 2));
  // Elements of another size, and of the same.
  kernel = load(rowSums("bf16", R"(
  %n = tile.load %x[%i, 0] : memref<64x64xbf16> -> tensor<8x64xbf16>
  %t = arith.extf %n : tensor<8x64xbf16> to tensor<8x64xf32>)",
                        plain));
  EXPECT_FALSE(mayShareBytes(kernel, 0, 2));
  kernel = load(rowSums("i32", R"(
  %n = tile.load %x[%i, 0] : memref<64x64xi32> -> tensor<8x64xi32>
  %t = arith.sitofp %n : tensor<8x64xi32> to tensor<8x64xf32>)",
                        plain));
  EXPECT_TRUE(mayShareBytes(kernel, 0, 2));
  // In a loop, a turn may read what an earlier one wrote.
  kernel = load(rowSums("f32", ownRows, R"(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %q = scf.for %j = %c0 to %c1 step %c1 iter_args(%a = %p) -> (tensor<8x64xf32>) {
    %n = arith.addf %a, %t : tensor<8x64xf32>
    scf.yield %n : tensor<8x64xf32>
  })"));
  EXPECT_FALSE(mayShareBytes(kernel, 0, 2));
  // A vector that is repeated: one element serves many.
  kernel = load(R"(
tile.kernel @k(%x: memref<64xf32>, %y: memref<64xf32>, %z: memref<64x64xf32>)
    access ["read", "write", "write"] grid (%i = 64 by 8) {
  %t = tile.load %x[%i] : memref<64xf32> -> tensor<8xf32>
  %b = tile.broadcast %t axis 1 : tensor<8xf32> -> tensor<8x64xf32>
  %n = arith.negf %t : tensor<8xf32>
  tile.store %n, %y[%i] : tensor<8xf32>, memref<64xf32>
  tile.store %b, %z[%i, 0] : tensor<8x64xf32>, memref<64x64xf32>
  tile.return
})");
  EXPECT_FALSE(mayShareBytes(kernel, 0, 1));
  // A sum along a middle axis: another thread adds up the terms.
  for (int axis : {1, 2}) {
    kernel = load(std::string(R"(
tile.kernel @k(%x: memref<8x4x4xf32>, %y: memref<8x4x4xf32>, %z: memref<8x4xf32>)
    access ["read", "write", "write"] grid (%i = 8 by 2) {
  %t = tile.load %x[%i, 0, 0] : memref<8x4x4xf32> -> tensor<2x4x4xf32>
  %s = tile.reduce sum %t axis )") +
                  std::to_string(axis) + R"( : tensor<2x4x4xf32>
  tile.store %t, %y[%i, 0, 0] : tensor<2x4x4xf32>, memref<8x4x4xf32>
  tile.store %s, %z[%i, 0] : tensor<2x4xf32>, memref<8x4xf32>
  tile.return
})");
    EXPECT_EQ(mayShareBytes(kernel, 0, 1), axis == 2);
  }
}

TEST_F(AnalysisTest, SumsThatAProductIsAddedTo) {
  auto add = [](const char *extra, const char *value) {
    return std::string(R"(
tile.kernel @k(%x: memref<64x8xf32>, %w: memref<8x16xf32>,
               %old: memref<64x16xf32>, %new: memref<64x16xf32>)
    access ["read", "read", "read", "write"] grid (%i = 64 by 32) {
  %zero = arith.constant dense<0.0> : tensor<32x16xf32>
  %a = tile.load %x[%i, 0] : memref<64x8xf32> -> tensor<32x8xf32>
  %b = tile.load %w[0, 0] : memref<8x16xf32> -> tensor<8x16xf32>
  %p = tile.dot %a, %b, %zero : tensor<32x8xf32>, tensor<8x16xf32> -> tensor<32x16xf32>
  %o = tile.load %old[%i, 0] : memref<64x16xf32> -> tensor<32x16xf32>
  %s = arith.addf %o, %p : tensor<32x16xf32>
)") + extra +
           "tile.store " + value +
           R"(, %new[%i, 0] : tensor<32x16xf32>, memref<64x16xf32>
  tile.return
})";
  };
  KernelOp kernel = load(add("", "%s"));
  EXPECT_TRUE(mayUpdateBytes(kernel, 2, 3));
  EXPECT_FALSE(mayShareBytes(kernel, 2, 3));
  EXPECT_FALSE(mayUpdateBytes(kernel, 0, 3));
  // Something else needs the old tile, maybe later.
  kernel = load(add("%t = arith.mulf %o, %s : tensor<32x16xf32>\n", "%t"));
  EXPECT_FALSE(mayUpdateBytes(kernel, 2, 3));
  kernel = load(add(R"(
  %m = tile.reduce max %s axis 1 : tensor<32x16xf32>
  %t = tile.broadcast %m axis 1 : tensor<32xf32> -> tensor<32x16xf32>
)",
                    "%t"));
  EXPECT_FALSE(mayUpdateBytes(kernel, 2, 3));
}

} // namespace
