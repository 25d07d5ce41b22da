//===- KernelCostTest.cpp - counts against counts by hand -----------------===//

#include "compiler/Cost/KernelCostJson.h"
#include "test/compiler/Cost/KernelText.h"
#include "test/dialects/Tile/Programs.h"

#include <cmath>

using namespace tarn;
using namespace tarn::test;

static KernelCost count(const std::string &text) {
  return costOf(KernelText(text).kernel);
}
static int64_t dots(const KernelCost &cost, DotType type) {
  return cost.dotFlops[unsigned(type)];
}

TEST(KernelCost, GemmIsExact) {
  KernelCost cost = count(gemm(1024, 3072, 768, 128, 256));
  EXPECT_EQ(dots(cost, DotType::f32), 2LL * 1024 * 3072 * 768);
  EXPECT_EQ(cost.flops(), 2LL * 1024 * 3072 * 768);
  EXPECT_EQ(cost.bytesRead, 4LL * (1024 * 768 + 768 * 3072));
  EXPECT_EQ(cost.bytesWritten, 4LL * 1024 * 3072);
  // Each block of rows reads the columns again, and the other way round.
  EXPECT_EQ(cost.bytesLoaded, 4LL * (1024 * 768 * 12 + 768 * 3072 * 8));
  EXPECT_EQ(cost.blocks, 8 * 12);
  EXPECT_EQ(cost.vectorOps, 0);
  EXPECT_EQ(cost.specialOps, 0);
  EXPECT_EQ(cost.tileOps, 8 * 12 * 4); // two loads, a dot and a store
}

// How many rows a group has is in memory; the program knows the average.
TEST(KernelCost, LoopsThatMemoryBoundsMakeTheTurnsThatTheySay) {
  KernelCost cost = count(R"(
tile.kernel @k(%x: memref<96x16xf32>, %o: memref<5xi32>, %r: memref<4x16x16xf32>)
    access ["read", "read", "write"] grid (%g = 4 by 1) {
  %c16 = arith.constant 16 : index
  %c1 = arith.constant 1 : index
  %h = arith.addi %g, %c1 : index
  %a = tile.load_scalar %o[%g] : memref<5xi32>
  %b = tile.load_scalar %o[%h] : memref<5xi32>
  %from = arith.index_cast %a : i32 to index
  %to = arith.index_cast %b : i32 to index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %all = scf.for %p = %from to %to step %c16 iter_args(%acc = %zero) -> (tensor<16x16xf32>) {
    %t = tile.load %x[%p, 0] : memref<96x16xf32> -> tensor<16x16xf32>
    %d = tile.dot %t, %t, %acc {transpose_a} : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
    scf.yield %d : tensor<16x16xf32>
  } {tile.turns = 1.5 : f64}
  tile.store %all, %r[%g, 0, 0] {dims = [1, 2]} : tensor<16x16xf32>, memref<4x16x16xf32>
  tile.return
})");
  // All rows, whatever group they are of.
  EXPECT_EQ(cost.flops(), 2 * 96 * 16 * 16);
  EXPECT_EQ(cost.bytesLoaded, 4 * 96 * 16);
}

TEST(KernelCost, RaggedGemmCountsOnlyWhatIsThere) {
  // 100 = 64 + 36 rows, 70 = 32 + 32 + 6 columns.
  KernelCost cost = count(gemm(100, 70, 50, 64, 32));
  EXPECT_EQ(cost.flops(), 2LL * 100 * 70 * 50);
  EXPECT_EQ(cost.bytesRead, 4LL * (100 * 50 + 50 * 70));
  EXPECT_EQ(cost.bytesWritten, 4LL * 100 * 70);
  EXPECT_EQ(cost.blocks, 2 * 3);
}

// The suite's GEMM cuts K too, with bias and GELU: every size ragged.
TEST(KernelCost, ProductsCutAlongKAreExact) {
  struct Row {
    int m, n, k, bm, bn, bk;
  };
  for (const Row &row :
       {Row{96, 64, 40, 48, 32, 40}, Row{37, 29, 41, 16, 32, 8},
        Row{1, 1, 1, 1, 1, 1}, Row{7, 257, 13, 4, 96, 13}}) {
    KernelCost cost = count(
        tile::test::instantiate("gemm", {{"M", std::to_string(row.m)},
                                         {"N", std::to_string(row.n)},
                                         {"K", std::to_string(row.k)},
                                         {"BM", std::to_string(row.bm)},
                                         {"BN", std::to_string(row.bn)},
                                         {"BK", std::to_string(row.bk)}}));
    EXPECT_EQ(cost.flops(), 2 * row.m * row.n * row.k);
    EXPECT_EQ(cost.bytesRead, 4 * (row.m * row.k + row.k * row.n + row.n));
    EXPECT_EQ(cost.bytesWritten, 4 * row.m * row.n);
    // An exponential and a division (half of one) an element.
    EXPECT_EQ(cost.specialOps, std::llround(1.5 * row.m * row.n));
  }
}

// Causal flash attention of whole blocks: the products of the blocks on and
// below the diagonal, forward two of them.
TEST(KernelCost, FlashAttention) {
  const int heads = 3, t = 128, d = 16, block = 32;
  KernelCost cost =
      count(tile::test::instantiate("attention_forward", {{"H", "3"},
                                                          {"T", "128"},
                                                          {"D", "16"},
                                                          {"BR", "32"},
                                                          {"BC", "32"},
                                                          {"SCALE", "0.25"}}));
  EXPECT_EQ(cost.flops(), heads * (1 + 2 + 3 + 4) * 2 * 2 * block * block * d);
  EXPECT_EQ(cost.bytesRead, 4 * 3 * heads * t * d);
  EXPECT_EQ(cost.bytesWritten, 4 * (heads * t * d + heads * t));
}

TEST(KernelCost, OperandsOfOtherTypesAreApart) {
  KernelCost cost = count(gemm(64, 64, 64, 64, 64, "bf16"));
  EXPECT_EQ(dots(cost, DotType::bf16), 2 * 64 * 64 * 64);
  EXPECT_EQ(dots(cost, DotType::f32), 0);
  EXPECT_EQ(cost.bytesRead, 2 * 2 * 64 * 64);
  std::string text = gemm(64, 64, 64, 64, 64);
  text.insert(text.find(" : ", text.find("tile.dot")), " {tf32}");
  cost = count(text);
  EXPECT_EQ(dots(cost, DotType::tf32), 2 * 64 * 64 * 64);
  EXPECT_EQ(dots(cost, DotType::f32), 0);
}

TEST(KernelCost, GrowsWithEverySize) {
  KernelCost base = count(gemm(256, 256, 256, 64, 64));
  for (auto [m, n, k] : {std::tuple(320, 256, 256),
                         {256, 320, 256},
                         {256, 256, 320},
                         {257, 256, 256}}) {
    KernelCost more = count(gemm(m, n, k, 64, 64));
    EXPECT_GT(more.flops(), base.flops());
    EXPECT_GT(more.bytes(), base.bytes());
  }
}

// Row blocks of 32 at 0, 32, 64, 96 meet 1, 2, 3, 4 column blocks.
TEST(KernelCost, CausalLoopsAreCountedBlockByBlock) {
  KernelCost cost = count(R"(
tile.kernel @causal(%Q: memref<128x16xf32>, %K: memref<128x16xf32>,
                    %S: memref<128xf32>)
    access ["read", "read", "write"] grid (%i = 128 by 32) {
  %zero = arith.constant dense<0.0> : tensor<32x32xf32>
  %none = arith.constant dense<0.0> : tensor<32xf32>
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %end = arith.addi %i, %c32 : index
  %to = arith.minsi %end, %c128 : index
  %q = tile.load %Q[%i, 0] : memref<128x16xf32> -> tensor<32x16xf32>
  %r = scf.for %j = %c0 to %to step %c32 iter_args(%sum = %none)
      -> (tensor<32xf32>) {
    %k = tile.load %K[%j, 0] : memref<128x16xf32> -> tensor<32x16xf32>
    %s = tile.dot %q, %k, %zero {transpose_b}
        : tensor<32x16xf32>, tensor<32x16xf32> -> tensor<32x32xf32>
    %e = math.exp %s : tensor<32x32xf32>
    %t = tile.reduce sum %e axis 1 : tensor<32x32xf32>
    %u = arith.addf %sum, %t : tensor<32xf32>
    scf.yield %u : tensor<32xf32>
  }
  tile.store %r, %S[%i] : tensor<32xf32>, memref<128xf32>
  tile.return
})");
  EXPECT_EQ(cost.flops(), (1 + 2 + 3 + 4) * 2 * 32 * 32 * 16);
  EXPECT_EQ(cost.specialOps, 10 * 32 * 32);
  EXPECT_EQ(cost.vectorOps, 10 * (32 * 32 + 32));
  EXPECT_EQ(cost.tileOps, 4 * 2 + 10 * 5);
  EXPECT_EQ(cost.bytesRead, 2 * 128 * 16 * 4);
  EXPECT_EQ(cost.bytesWritten, 128 * 4);
}

// The inner loop begins at the outer one's position: 4 + 3 + 2 + 1 turns.
TEST(KernelCost, NestedLoopsThatDependOnEachOther) {
  KernelCost cost = count(R"(
tile.kernel @nested(%X: memref<2x64x8xf32>, %Y: memref<2x64x8xf32>)
    access ["read", "accumulate"] grid (%b = 2 by 1) {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c64 = arith.constant 64 : index
  scf.for %i = %c0 to %c64 step %c16 {
    scf.for %j = %i to %c64 step %c16 {
      %x = tile.load %X[%b, %j, 0] : memref<2x64x8xf32> -> tensor<16x8xf32>
      %y = arith.mulf %x, %x : tensor<16x8xf32>
      tile.accumulate %y, %Y[%b, %j, 0]
          : tensor<16x8xf32>, memref<2x64x8xf32>
    }
  }
  tile.return
})");
  // A multiplication and the addition, ten times in each of two blocks.
  EXPECT_EQ(cost.vectorOps, 2 * 10 * 2 * 16 * 8);
  EXPECT_EQ(cost.bytesRead, 2 * (2 * 64 * 8 * 4)); // the sum is read too
  EXPECT_EQ(cost.bytesWritten, 2 * 64 * 8 * 4);
}

TEST(KernelCost, GatherReadsTheRowsItNames) {
  std::string text = R"(
tile.kernel @gather(%T: memref<50000x%dxf32>, %I: memref<256xi32>,
                    %Y: memref<256x%dxf32>)
    access ["read", "read", "write"] grid (%%m = 256 by 64) {
  %%i = tile.load %%I[%%m] : memref<256xi32> -> tensor<64xi32>
  %%x = tile.gather %%T[0, 0] rows(%%i)
      : memref<50000x%dxf32>, tensor<64xi32> -> tensor<64x%dxf32>
  tile.store %%x, %%Y[%%m, 0] : tensor<64x%dxf32>, memref<256x%dxf32>
  tile.return
})";
  auto of = [&](int width) {
    std::string filled;
    for (size_t at = 0; at != text.size(); ++at)
      if (text.compare(at, 2, "%d") == 0)
        filled += std::to_string(width), ++at;
      else if (text.compare(at, 2, "%%") == 0)
        filled += '%', ++at;
      else
        filled += text[at];
    return count(filled);
  };
  KernelCost cost = of(128);
  EXPECT_EQ(cost.bytesRead, 256 * 4 + 256 * 128 * 4);
  EXPECT_EQ(cost.bytesWritten, 256 * 128 * 4);
  // A row of one element costs a line of 64 bytes.
  EXPECT_EQ(of(1).bytesRead, 256 * 4 + 256 * 64);
}

TEST(KernelCost, OnlyTheSliceThatIsTouchedCounts) {
  KernelCost cost = count(R"(
tile.kernel @third(%X: memref<16x3x32xf32>, %Y: memref<16x32xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %x = tile.load %X[%i, 1, 0] {dims = [0, 2]}
      : memref<16x3x32xf32> -> tensor<8x32xf32>
  tile.store %x, %Y[%i, 0] : tensor<8x32xf32>, memref<16x32xf32>
  tile.return
})");
  EXPECT_EQ(cost.bytesRead, 16 * 32 * 4);
  EXPECT_EQ(cost.bytesWritten, 16 * 32 * 4);
}

TEST(KernelCost, ConditionsOnTheBlock) {
  KernelCost cost = count(R"(
tile.kernel @first(%X: memref<64xf32>, %Y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 16) {
  %c0 = arith.constant 0 : index
  %x = tile.load %X[%i] : memref<64xf32> -> tensor<16xf32>
  %is = arith.cmpi eq, %i, %c0 : index
  %y = scf.if %is -> (tensor<16xf32>) {
    %e = math.exp %x : tensor<16xf32>
    scf.yield %e : tensor<16xf32>
  } else {
    scf.yield %x : tensor<16xf32>
  }
  tile.store %y, %Y[%i] : tensor<16xf32>, memref<64xf32>
  tile.return
})");
  EXPECT_EQ(cost.specialOps, 16);
}

TEST(KernelCost, SequentialDimsAreNoParallelBlocks) {
  KernelCost cost = count(R"(
tile.kernel @rows(%X: memref<64x8xf32>, %Y: memref<8xf32>)
    access ["read", "accumulate"]
    grid (%i = 64 by 16 sequential, %j = 8 by 4) {
  %x = tile.load %X[%i, %j] : memref<64x8xf32> -> tensor<16x4xf32>
  %s = tile.reduce sum %x axis 0 : tensor<16x4xf32>
  tile.accumulate %s, %Y[%j] along(%i) : tensor<4xf32>, memref<8xf32>
  tile.return
})");
  EXPECT_EQ(cost.blocks, 2);
}

// Values used twice, forty times over, are no more work than forty ops.
TEST(KernelCost, SharedValuesAreVisitedOnce) {
  std::string text = R"(
tile.kernel @chain(%X: memref<64xf32>, %Y: memref<64xf32>)
    access ["read", "write"] grid (%i = 64 by 64) {
  %v0 = tile.load %X[%i] : memref<64xf32> -> tensor<64xf32>
)";
  for (int i = 0; i != 40; ++i)
    text += format("%%v%d = arith.addf %%v%d, %%v%d : tensor<64xf32>\n", i + 1,
                   i, i);
  text += R"(
  tile.store %v40, %Y[%i] : tensor<64xf32>, memref<64xf32>
  tile.return
})";
  EXPECT_EQ(count(text).vectorOps, 40 * 64);
}

TEST(KernelCost, HashIsOfTheProgramOnly) {
  std::string one = programHash(KernelText(gemm(64, 64, 64, 64, 64)).kernel);
  EXPECT_EQ(one.size(), 16u);
  EXPECT_EQ(one, programHash(KernelText("\n\n" + gemm(64, 64, 64, 64, 64, "f32",
                                                      "other_name"))
                                 .kernel));
  EXPECT_NE(one, programHash(KernelText(gemm(64, 64, 64, 32, 64)).kernel));
  EXPECT_NE(one, programHash(KernelText(gemm(64, 64, 65, 64, 64)).kernel));
  EXPECT_NE(one,
            programHash(KernelText(gemm(64, 64, 64, 64, 64, "bf16")).kernel));
}

TEST(KernelCost, JsonKeepsEverything) {
  KernelCost cost = count(gemm(100, 70, 50, 64, 32));
  cost.vectorOps = 7;
  cost.specialOps = 9;
  std::optional<KernelCost> back = readKernelCost(writeKernelCost(cost));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->dotFlops, cost.dotFlops);
  EXPECT_EQ(back->vectorOps, 7);
  EXPECT_EQ(back->specialOps, 9);
  EXPECT_EQ(back->bytesRead, cost.bytesRead);
  EXPECT_EQ(back->bytesWritten, cost.bytesWritten);
  EXPECT_EQ(back->blocks, cost.blocks);
  EXPECT_EQ(back->tileOps, cost.tileOps);
  EXPECT_FALSE(readKernelCost(rt::Json()));
  EXPECT_FALSE(readKernelCost(rt::Json::object()));
}
