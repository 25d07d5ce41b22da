//===- ProgramsTest.cpp - tile programs against plain loops ---------------===//

#include "test/dialects/Tile/Programs.h"
#include "test/dialects/Tile/References.h"

#include "gtest/gtest.h"

#include <numeric>

using namespace mlir;
using namespace tarn::tile;
using namespace tarn::tile::test;

namespace {

// Runs a program exactly, in three orders of blocks that must agree to the bit.
class ProgramTest : public ::testing::Test {
protected:
  MLIRContext context;

  void run(const std::string &name, const Sizes &sizes,
           const std::vector<Numbers *> &buffers,
           InterpretOptions options = {}) {
    OwningOpRef<ModuleOp> module = parse(context, instantiate(name, sizes));
    ASSERT_TRUE(module) << name;
    KernelOp kernel = firstKernel(*module);
    ASSERT_TRUE(kernel) << name;
    options.requireAllStored = true;
    std::vector<Numbers> before, first;
    for (Numbers *numbers : buffers)
      before.push_back(*numbers);
    for (uint64_t seed : {0, 1, 2}) {
      for (size_t i = 0; i < buffers.size(); ++i)
        *buffers[i] = before[i];
      std::vector<HostBuffer> views;
      for (Numbers *numbers : buffers)
        views.push_back(*numbers);
      options.orderSeed = seed;
      ASSERT_TRUE(succeeded(interpretKernel(kernel, views, options))) << name;
      for (size_t i = 0; i < buffers.size(); ++i) {
        if (seed == 0)
          first.push_back(*buffers[i]);
        else
          EXPECT_EQ(first[i], *buffers[i]) << "order changes buffer " << i;
      }
    }
  }
};

std::string str(int64_t number) { return std::to_string(number); }

struct GemmSizes {
  int64_t m, n, k, bm, bn, bk;
};

Sizes gemmSizes(const GemmSizes &s) {
  return {{"M", str(s.m)},   {"N", str(s.n)},   {"K", str(s.k)},
          {"BM", str(s.bm)}, {"BN", str(s.bn)}, {"BK", str(s.bk)}};
}

// Even sizes, then ragged in every dim.
const GemmSizes gemms[] = {{32, 32, 32, 16, 16, 16}, {37, 29, 41, 16, 32, 8}};

TEST_F(ProgramTest, Gemm) {
  for (const GemmSizes &s : gemms) {
    Numbers a = randomNumbers(s.m * s.k, 1), b = randomNumbers(s.k * s.n, 2);
    Numbers bias = randomNumbers(s.n, 3), c(s.m * s.n, NAN);
    run("gemm", gemmSizes(s), {&a, &b, &bias, &c});
    EXPECT_LT(maxError(c, gemmReference(s.m, s.n, s.k, a, b, false, bias)),
              1e-12);
    // Rounded to f32 after every op, dots summed exactly.
    c.assign(c.size(), NAN);
    run("gemm", gemmSizes(s), {&a, &b, &bias, &c}, {Rounding::typed});
    double error = maxError(c, gemmReference(s.m, s.n, s.k, a, b, false, bias));
    EXPECT_LT(error, 1e-5);
    EXPECT_GT(error, 1e-9);
  }
}

TEST_F(ProgramTest, GemmBf16) {
  for (const GemmSizes &s : gemms) {
    Numbers a = toBf16(randomNumbers(s.m * s.k, 1));
    Numbers b = toBf16(randomNumbers(s.k * s.n, 2));
    Numbers bias = randomNumbers(s.n, 3), c(s.m * s.n, NAN);
    Numbers reference = gemmReference(s.m, s.n, s.k, a, b, true, bias);
    run("gemm_bf16", gemmSizes(s), {&a, &b, &bias, &c});
    EXPECT_LT(maxError(c, reference), 1e-12);
    c.assign(c.size(), NAN);
    run("gemm_bf16", gemmSizes(s), {&a, &b, &bias, &c}, {Rounding::typed});
    EXPECT_LT(maxError(c, reference), 0.03);
    EXPECT_LT(maxError(c, toBf16(c)), 1e-30);
  }
}

TEST_F(ProgramTest, Softmax) {
  // Columns as wide as the tile, and fewer.
  for (int64_t columns : {64, 50}) {
    Numbers x = randomNumbers(37 * columns, 1), y(x.size(), NAN);
    run("softmax",
        {{"R", "37"}, {"C", str(columns)}, {"BR", "8"}, {"BC", "64"}},
        {&x, &y});
    EXPECT_LT(maxError(y, softmaxReference(37, columns, x)), 1e-14);
  }
}

TEST_F(ProgramTest, LayerNorm) {
  // 1 / 64 is exact, so the only rounded constant is epsilon.
  for (int64_t rows : {32, 37}) {
    Numbers x = randomNumbers(rows * 64, 1), y(x.size(), NAN);
    Numbers weight = randomNumbers(64, 2), bias = randomNumbers(64, 3);
    run("layer_norm",
        {{"R", str(rows)}, {"C", "64"}, {"BR", "8"}, {"INV", "0.015625"}},
        {&x, &weight, &bias, &y});
    EXPECT_LT(maxError(y, layerNormReference(rows, 64, x, weight, bias)),
              1e-12);
  }
}

Attention makeAttention(int64_t t, bool backward) {
  Attention attention;
  attention.heads = 2, attention.t = t, attention.d = 8;
  attention.scale = 0.25;
  int64_t count = 2 * t * 8;
  attention.q = randomNumbers(count, 1);
  attention.k = randomNumbers(count, 2);
  attention.v = randomNumbers(count, 3);
  if (backward)
    attention.gradient = randomNumbers(count, 4);
  return attention;
}

Sizes attentionSizes(int64_t t, int64_t br, int64_t bc) {
  return {{"H", "2"},      {"T", str(t)},   {"D", "8"},
          {"BR", str(br)}, {"BC", str(bc)}, {"SCALE", "0.25"}};
}

// Sequence, rows and columns of a tile: equal tiles, either one wider, ragged.
const int64_t tiles[][3] = {
    {64, 16, 16}, {64, 32, 16}, {64, 16, 32}, {50, 16, 32}, {50, 32, 16}};

TEST_F(ProgramTest, AttentionForward) {
  for (auto [t, br, bc] : tiles) {
    Attention a = makeAttention(t, false);
    Numbers o(a.q.size(), NAN), l(2 * t, NAN);
    run("attention_forward", attentionSizes(t, br, bc),
        {&a.q, &a.k, &a.v, &o, &l});
    a.run();
    EXPECT_LT(maxError(o, a.o), 1e-13);
    EXPECT_LT(maxError(l, a.logSum), 1e-13);
  }
}

TEST_F(ProgramTest, AttentionForwardBf16) {
  Attention a = makeAttention(50, false);
  a.q = toBf16(a.q), a.k = toBf16(a.k), a.v = toBf16(a.v);
  Numbers o(a.q.size(), NAN), l(2 * 50, NAN);
  a.run();
  run("attention_forward_bf16", attentionSizes(50, 16, 32),
      {&a.q, &a.k, &a.v, &o, &l});
  EXPECT_LT(maxError(o, a.o), 1e-13);
  run("attention_forward_bf16", attentionSizes(50, 16, 32),
      {&a.q, &a.k, &a.v, &o, &l}, {Rounding::typed});
  EXPECT_LT(maxError(o, a.o), 0.02);
  EXPECT_GT(maxError(o, a.o), 1e-5);
}

TEST_F(ProgramTest, AttentionBackward) {
  for (auto [t, br, bc] : tiles) {
    Attention a = makeAttention(t, true);
    a.run();
    Numbers dq(a.q.size(), 0), dk(a.q.size(), NAN), dv(a.q.size(), NAN);
    run("attention_backward", attentionSizes(t, br, bc),
        {&a.q, &a.k, &a.v, &a.gradient, &a.logSum, &a.delta, &dq, &dk, &dv});
    EXPECT_LT(maxError(dq, a.dq), 1e-13);
    EXPECT_LT(maxError(dk, a.dk), 1e-13);
    EXPECT_LT(maxError(dv, a.dv), 1e-13);
  }
}

TEST_F(ProgramTest, GroupedGemm) {
  // Five experts, one without rows, no segment a multiple of the tile.
  Numbers offsets = {0, 20, 21, 21, 70, 90};
  Numbers perm(90);
  for (int64_t p = 0; p < 90; ++p)
    perm[p] = p * 37 % 50;
  Numbers x = randomNumbers(50 * 40, 1), w = randomNumbers(5 * 40 * 24, 2);
  Numbers y(90 * 24, NAN);
  run("grouped_gemm",
      {{"TOKENS", "50"},
       {"P", "90"},
       {"BOUND", str(90 + 5 * 15)},
       {"E", "5"},
       {"E1", "6"},
       {"K", "40"},
       {"N", "24"},
       {"BM", "16"},
       {"BN", "16"},
       {"BK", "16"}},
      {&x, &perm, &offsets, &w, &y});
  EXPECT_LT(maxError(y, groupedGemmReference(40, 24, x, perm, offsets, w)),
            1e-12);
}

TEST_F(ProgramTest, Fp8Dot) {
  Type fp8 = Float8E4M3FNType::get(&context);
  int64_t m = 40, n = 70, k = 56, s = 16, ks = 4, ns = 5;
  Numbers a = randomNumbers(m * k, 1), b = randomNumbers(n * k, 2);
  for (Numbers *numbers : {&a, &b})
    for (double &number : *numbers)
      number = roundTo(fp8, number * 448);
  Numbers sa = randomNumbers(m * ks, 3), sb = randomNumbers(ns * ks, 4);
  Numbers c(m * n, NAN);
  Numbers reference = scaledDotReference(m, n, k, s, a, sa, b, sb);
  Sizes sizes = {{"M", "40"},  {"N", "70"},  {"K", "56"},
                 {"S", "16"},  {"KS", "4"},  {"NS", "5"},
                 {"BM", "16"}, {"BN", "32"}, {"BNS", "2"}};
  run("fp8_dot", sizes, {&a, &sa, &b, &sb, &c});
  double largest = maxError(reference, Numbers(c.size(), 0));
  EXPECT_LT(maxError(c, reference), 1e-13 * largest);
  c.assign(c.size(), NAN);
  run("fp8_dot", sizes, {&a, &sa, &b, &sb, &c}, {Rounding::typed});
  EXPECT_LT(maxError(c, reference), 0.005 * largest);
}

} // namespace
