//===- CpuTargetTest.cpp - compiled tile programs against the interpreter -===//

#include "test/compiler/Target/Cpu/CompareKernel.h"

#include <array>

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;
using namespace tarn::cpu::test;
using namespace tarn::tile::test;

namespace {

std::string str(int64_t number) { return std::to_string(number); }

class CpuTargetTest : public CompareKernel {};

Sizes gemmSizes(int64_t m, int64_t n, int64_t k, int64_t bm, int64_t bn,
                int64_t bk) {
  return {{"M", str(m)},   {"N", str(n)},   {"K", str(k)},
          {"BM", str(bm)}, {"BN", str(bn)}, {"BK", str(bk)}};
}

TEST_F(CpuTargetTest, Gemm) {
  compare(instantiate("gemm", gemmSizes(32, 32, 32, 16, 16, 16)), 1e-4);
  compare(instantiate("gemm", gemmSizes(96, 64, 40, 48, 32, 40)), 1e-4);
}

TEST_F(CpuTargetTest, GemmRagged) {
  compare(instantiate("gemm", gemmSizes(37, 29, 41, 16, 32, 8)), 1e-4);
  compare(instantiate("gemm", gemmSizes(1, 1, 1, 1, 1, 1)), 1e-5);
  compare(instantiate("gemm", gemmSizes(7, 257, 13, 4, 96, 13)), 1e-4);
}

Sizes rowSizes(int64_t rows, int64_t columns, int64_t br, int64_t bc) {
  return {{"R", str(rows)},
          {"C", str(columns)},
          {"BR", str(br)},
          {"BC", str(bc)},
          {"INV", std::to_string(1.0 / double(columns))}};
}

TEST_F(CpuTargetTest, Softmax) {
  compare(instantiate("softmax", rowSizes(16, 64, 8, 64)), 1e-5);
  compare(instantiate("softmax", rowSizes(13, 50, 4, 64)), 1e-5);
  compare(instantiate("softmax", rowSizes(3, 257, 1, 257)), 1e-5);
  compare(instantiate("softmax", rowSizes(1, 1, 1, 1)), 1e-6);
}

TEST_F(CpuTargetTest, LayerNorm) {
  compare(instantiate("layer_norm", rowSizes(16, 64, 8, 64)), 1e-4);
  compare(instantiate("layer_norm", rowSizes(13, 257, 4, 257)), 1e-4);
  compare(instantiate("layer_norm", rowSizes(5, 3, 2, 3)), 1e-2);
}

// A norm backward: two results of one shape, both of which may lie over either
// of two operands that all sweeps read, and a number per row that is stored
// between them.
TEST_F(CpuTargetTest, NormBackwardInPlace) {
  for (int64_t columns : {64, 61, 3, 257}) {
    std::string tile = "tensor<4x" + str(columns) + "xf32>";
    std::string buffer = "memref<10x" + str(columns) + "xf32>";
    compare("tile.kernel @k(%x: " + buffer + ", %d: " + buffer +
                ", %c: " + buffer + ", %m: memref<10xf32>, %g: " + buffer +
                R"() access ["read", "read", "write", "write", "write"]
                grid (%i = 10 by 4) {
  %t = tile.load %x[%i, 0] : )" +
                buffer + " -> " + tile + R"(
  %e = tile.load %d[%i, 0] : )" +
                buffer + " -> " + tile + R"(
  %p = arith.mulf %t, %e : )" +
                tile + R"(
  %s = tile.reduce sum %p axis 1 : )" +
                tile + R"(
  %b = tile.broadcast %s axis 1 : tensor<4xf32> -> )" +
                tile + R"(
  %q = arith.subf %t, %b : )" +
                tile + R"(
  %h = math.exp %e : )" +
                tile + R"(
  %r = tile.reduce max %h axis 1 : )" +
                tile + R"(
  %n = arith.addf %q, %h : )" +
                tile + R"(
  tile.store %q, %c[%i, 0] : )" +
                tile + ", " + buffer + R"(
  tile.store %r, %m[%i] : tensor<4xf32>, memref<10xf32>
  tile.store %n, %g[%i, 0] : )" +
                tile + ", " + buffer + R"(
  tile.return
})",
            1e-4);
  }
}

Sizes attentionSizes(int64_t t, int64_t d, int64_t br, int64_t bc) {
  return {{"H", "2"},      {"T", str(t)},   {"D", str(d)},
          {"BR", str(br)}, {"BC", str(bc)}, {"SCALE", "0.25"}};
}

TEST_F(CpuTargetTest, AttentionForward) {
  compare(instantiate("attention_forward", attentionSizes(64, 8, 16, 16)),
          1e-5);
  compare(instantiate("attention_forward", attentionSizes(64, 32, 32, 64)),
          1e-5);
  compare(instantiate("attention_forward", attentionSizes(50, 24, 16, 32)),
          1e-5);
  compare(instantiate("attention_forward", attentionSizes(1, 5, 1, 1)), 1e-5);
}

TEST_F(CpuTargetTest, AttentionBackward) {
  for (auto [t, d, br, bc] : {std::array<int64_t, 4>{64, 8, 16, 16},
                              {64, 32, 64, 32},
                              {50, 24, 16, 32},
                              {50, 24, 32, 16},
                              {3, 5, 2, 3}})
    compare(instantiate("attention_backward", attentionSizes(t, d, br, bc)),
            1e-4, {{4, Numbers(2 * t, 2.0)}});
}

TEST_F(CpuTargetTest, GemmBf16) {
  compare(instantiate("gemm_bf16", gemmSizes(32, 32, 32, 16, 16, 16)), 0.05);
  compare(instantiate("gemm_bf16", gemmSizes(37, 29, 41, 16, 32, 8)), 0.05);
  compare(instantiate("gemm_bf16", gemmSizes(7, 257, 13, 4, 96, 13)), 0.05);
}

TEST_F(CpuTargetTest, AttentionForwardBf16) {
  compare(instantiate("attention_forward_bf16", attentionSizes(64, 32, 32, 32)),
          0.02);
  compare(instantiate("attention_forward_bf16", attentionSizes(50, 24, 16, 32)),
          0.02);
}

TEST_F(CpuTargetTest, GroupedGemm) {
  Numbers offsets = {0, 20, 21, 21, 70, 90};
  Numbers perm(90);
  for (int64_t p = 0; p < 90; ++p)
    perm[p] = double(p * 37 % 50);
  compare(instantiate("grouped_gemm", {{"TOKENS", "50"},
                                       {"P", "90"},
                                       {"BOUND", str(90 + 5 * 15)},
                                       {"E", "5"},
                                       {"E1", "6"},
                                       {"K", "40"},
                                       {"N", "24"},
                                       {"BM", "16"},
                                       {"BN", "16"},
                                       {"BK", "16"}}),
          1e-4, {{1, perm}, {2, offsets}});
}

} // namespace
