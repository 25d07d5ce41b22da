//===- CostModelTest.cpp - seconds of kernels -----------------------------===//

#include "compiler/Cost/CostModel.h"
#include "compiler/Cost/FitDevice.h"
#include "test/compiler/Cost/KernelText.h"

using namespace tarn;
using namespace tarn::test;

static Device device(const char *name) { return *findDevice(name); }

TEST(CostModel, ComputeBoundIsFlopsOverPeak) {
  // 2 * 8192^3 flops at 989.4 TFLOPS * 0.81 in 16 rounds of 132 blocks, where
  // 2,048 blocks are 15.5: 1.415 ms; memory: 0.18 ms.
  KernelText text(gemm(8192, 8192, 8192, 128, 256, "bf16"));
  CostModel model(device("h200"));
  Estimate estimate = model.estimate(text.kernel);
  double work = 2.0 * 8192 * 8192 * 8192 / (989.4e12 * 0.81) * 16 * 132 / 2048;
  EXPECT_NEAR(estimate.seconds, work + 2.5e-6, 1e-9);
  EXPECT_STREQ(estimate.bound, "compute");
  EXPECT_FALSE(estimate.measured);
  EXPECT_GT(estimate.error, 0.01);
  EXPECT_LT(estimate.error, 0.2);
  EXPECT_EQ(model.sourceOf(text.kernel), "roofline");
  // 769 to 798 TFLOPS were measured on an H200 for this product.
  double rate = 2.0 * 8192 * 8192 * 8192 / estimate.seconds;
  EXPECT_GT(rate, 769e12);
  EXPECT_LT(rate, 798e12);
}

TEST(CostModel, ProductsHaveWholeRoundsOfMultiprocessors) {
  CostModel model(device("h100"));
  auto seconds = [&](int blocks) {
    KernelText text(gemm(128 * blocks, 1024, 4096, 128, 256, "bf16"));
    return model.seconds(text.kernel) - 2.5e-6;
  };
  // Four blocks of columns each: 1, 2 and 2 rounds.
  double one = seconds(33);
  EXPECT_NEAR(seconds(34), 2 * one, 1e-9);
  EXPECT_NEAR(seconds(66), 2 * one, 1e-9);
}

TEST(CostModel, SmallBlocksWaitForTheirOperands) {
  CostModel model(device("h100"));
  auto estimate = [&](int rows, int columns, const char *type) {
    KernelText text(gemm(132 * 128, 1024, 4096, rows, columns, type));
    return model.estimate(text.kernel);
  };
  // 32 products for a byte, of 99 that a multiprocessor makes meanwhile.
  Estimate small = estimate(64, 64, "bf16"), large = estimate(128, 256, "bf16");
  EXPECT_STREQ(small.bound, "cache");
  EXPECT_STREQ(large.bound, "compute");
  double loaded = 2.0 * 132 * 2 * 16 * (64 + 64) * 4096;
  EXPECT_NEAR(small.seconds, loaded / (64 * 1.755e9 * 132 * 0.67) + 2.5e-6,
              1e-9);
  EXPECT_GT(small.error, 0.2);
  // Without tensor cores there is time for them.
  EXPECT_STREQ(estimate(64, 64, "f32").bound, "compute");
}

TEST(CostModel, MemoryBoundIsBytesOverBandwidth) {
  KernelText text(R"(
tile.kernel @add(%X: memref<268435456xf32>, %Y: memref<268435456xf32>)
    access ["read", "write"] grid (%i = 268435456 by 8192) {
  %x = tile.load %X[%i] : memref<268435456xf32> -> tensor<8192xf32>
  %y = arith.addf %x, %x : tensor<8192xf32>
  tile.store %y, %Y[%i] : tensor<8192xf32>, memref<268435456xf32>
  tile.return
})");
  Estimate estimate = CostModel(device("h100")).estimate(text.kernel);
  EXPECT_NEAR(estimate.seconds, 2.0 * 0x1p30 / (3.35e12 * 0.9) + 2.5e-6, 1e-9);
  EXPECT_STREQ(estimate.bound, "memory");
}

TEST(CostModel, TinyKernelsCostALaunch) {
  KernelText text(gemm(8, 8, 8, 8, 8));
  for (const Device &any : knownDevices()) {
    Estimate estimate = CostModel(any).estimate(text.kernel);
    EXPECT_STREQ(estimate.bound, "launch") << any.name;
    EXPECT_GE(estimate.seconds, any.launch.value);
    EXPECT_LT(estimate.seconds, 2 * any.launch.value);
  }
}

TEST(CostModel, NeverFasterWithMoreWork) {
  for (const Device &any : knownDevices()) {
    CostModel model(any);
    double before = 0;
    for (int m = 64; m <= 4096; m *= 2) {
      double seconds =
          model.seconds(KernelText(gemm(m, 1024, 512, 64, 128)).kernel);
      EXPECT_GE(seconds, before) << any.name << " " << m;
      before = seconds;
    }
    EXPECT_GE(model.copySeconds(2 << 20), model.copySeconds(1 << 20));
    EXPECT_GT(model.toHostSeconds(1 << 30), model.copySeconds(1 << 30) / 2);
    EXPECT_GT(model.fromHostSeconds(1 << 30), 0);
  }
}

TEST(CostModel, MoreThreadsAreFasterWhereThereAreBlocks) {
  Device cpu = device("cpu");
  KernelText many(gemm(1024, 1024, 1024, 128, 128));
  double one = CostModel(cpu, "", 1).seconds(many.kernel);
  double two = CostModel(cpu, "", 2).seconds(many.kernel);
  EXPECT_NEAR(one / two, 2, 0.01);
  KernelText single(gemm(128, 128, 1024, 128, 128));
  EXPECT_EQ(CostModel(cpu, "", 1).seconds(single.kernel),
            CostModel(cpu, "", 2).seconds(single.kernel));
  // Three blocks on two threads take as long as four, but for handing one out.
  auto seconds = [&](int rows) {
    KernelText text(gemm(rows, 256, 1024, 128, 256));
    return CostModel(cpu, "", 2).seconds(text.kernel);
  };
  EXPECT_NEAR(seconds(512) - seconds(384), cpu.block.value, 1e-12);
  EXPECT_GT(seconds(640), 1.4 * seconds(512));
}

/// What a device takes says how efficient it is.
TEST(FitDevice, FindsTheEfficienciesThatMadeTheTimes) {
  Device known = device("cpu"), other = known;
  std::string target = other.targets.back().target;
  DeviceTarget &code = other.targets.back();
  code.dots["f32"].efficiency.value = 0.55;
  code.vector.efficiency.value = 0.31;
  code.special.efficiency.value = 0.5;
  other.memory.efficiency.value *= 0.6;
  other.unitMemory.efficiency.value *= 0.6;
  other.tileOp.value *= 3;
  CostModel truth(other, target);
  std::vector<MeasuredKernel> kernels;
  auto add = [&](KernelCost cost) {
    cost.blocks = 64;
    double seconds = truth.estimate(cost, "").seconds;
    kernels.push_back({cost, seconds, seconds});
  };
  for (int64_t size : {1, 3, 10}) {
    KernelCost product, elements, exponentials, copy, starts;
    product.dotFlops[unsigned(DotType::f32)] = size * 1'000'000'000;
    elements.vectorOps = size * 400'000'000;
    exponentials.specialOps = size * 40'000'000;
    copy.bytesRead = copy.bytesWritten = size * 500'000'000;
    starts.tileOps = size * 1'000'000;
    for (const KernelCost &cost :
         {product, elements, exponentials, copy, starts})
      add(cost);
    product += elements;
    add(product);
  }
  Device fitted = known;
  double missed =
      fitEfficiencies(fitted, target, /*shared=*/true, kernels, "a test");
  EXPECT_EQ(missed, 0.05); // no less is promised
  auto isNear = [](const Figure &found, const Figure &wanted) {
    EXPECT_NEAR(found.value / wanted.value, 1, 0.04);
    EXPECT_EQ(found.source, "a test");
  };
  const DeviceTarget &found = fitted.targets.back();
  isNear(found.dot(DotType::f32).efficiency, code.dot(DotType::f32).efficiency);
  isNear(found.vector.efficiency, code.vector.efficiency);
  isNear(found.special.efficiency, code.special.efficiency);
  isNear(fitted.memory.efficiency, other.memory.efficiency);
  isNear(fitted.tileOp, other.tileOp);
  // No kernel moved what fits into the cache: its figure stays.
  EXPECT_EQ(fitted.cache.efficiency.value, known.cache.efficiency.value);
  EXPECT_EQ(fitted.cache.efficiency.source, known.cache.efficiency.source);
  EXPECT_EQ(fitted.targets.front().vector.efficiency.value,
            known.targets.front().vector.efficiency.value);
}

TEST(CostModel, BetterInstructionSetsAreFaster) {
  KernelText text(gemm(1024, 1024, 1024, 128, 128));
  Device cpu = device("cpu");
  EXPECT_GT(CostModel(cpu, "cpu:x86-64-v3").seconds(text.kernel),
            1.5 * CostModel(cpu, "cpu:x86-64-v4").seconds(text.kernel));
}

TEST(CostModel, MeasuredTimesReplaceTheRoofline) {
  KernelText one(gemm(64, 64, 64, 64, 64));
  KernelText other(gemm(64, 64, 128, 64, 64));
  CostModel model(device("cpu"), "cpu:x86-64-v4", 2);
  KernelTimes times;
  times.model = "mine";
  times.device = "cpu";
  times.target = "cpu:x86-64-v4";
  times.threads = 2;
  times.kernels[programHash(one.kernel)] = {"gemm", 0.125, 3};
  double roofline = model.seconds(other.kernel);
  rt::Result<unsigned> found = model.useTimes(
      times, {programHash(one.kernel), programHash(other.kernel)});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(*found, 1u);
  EXPECT_EQ(model.seconds(one.kernel), 0.125);
  EXPECT_EQ(model.sourceOf(one.kernel), "measured");
  EXPECT_EQ(model.seconds(other.kernel), roofline);
  EXPECT_EQ(model.sourceOf(other.kernel), "roofline");
}

TEST(CostModel, TimesOfSomethingElseAreErrors) {
  KernelText text(gemm(64, 64, 64, 64, 64));
  KernelTimes times;
  times.model = "mine";
  times.device = "cpu";
  times.target = "cpu:x86-64-v4";
  times.threads = 2;
  times.kernels["0123456789abcdef"] = {"gemm", 0.125, 3};
  auto message = [&](CostModel model) {
    return model.useTimes(times, *text.module).status().message();
  };
  EXPECT_EQ(message(CostModel(device("cpu"), "cpu:x86-64-v4", 2)),
            "the times are of another model: of `mine`; 0 of its 1 kernels "
            "are among the 1 here");
  // Small kernels are the same in every model.
  auto named = [&](llvm::StringRef name) {
    KernelTimes more = times;
    more.kernels["fedcba9876543210"] = {"other", 0.125, 3};
    more.kernels[programHash(text.kernel)] = {"common", 0.125, 3};
    return CostModel(device("cpu"), "cpu:x86-64-v4", 2)
        .useTimes(more, {programHash(text.kernel)}, name)
        .status()
        .message();
  };
  EXPECT_EQ(named("yours"),
            "the times are of another model: of `mine`, this is `yours`; 1 of "
            "its 3 kernels are among the 1 here");
  EXPECT_EQ(named("mine"), "");
  EXPECT_EQ(message(CostModel(device("cpu"), "cpu:x86-64-v3", 2)),
            "the times were measured with target `cpu:x86-64-v4`, this is "
            "about `cpu:x86-64-v3`");
  EXPECT_EQ(message(CostModel(device("cpu"), "cpu:x86-64-v4", 1)),
            "the times were measured with threads 2, this is about 1");
  EXPECT_EQ(message(CostModel(device("h100"))),
            "the times were measured with device `cpu`, this is about `h100`");
}
