//===- StepTest.cpp - a whole training step as machine code ---------------===//

#include "CompareCompiled.h"
#include "GptText.h"

#include "gtest/gtest.h"

using namespace tarn::test;

static GptSizes sizesOf(int64_t layers, int64_t heads, int64_t width,
                        int64_t context, int64_t batch, int64_t vocabulary) {
  GptSizes sizes;
  sizes.layers = layers;
  sizes.heads = heads;
  sizes.width = width;
  sizes.context = context;
  sizes.batch = batch;
  sizes.vocabulary = vocabulary;
  return sizes;
}

TEST(Step, EqualsReference) {
  CompareOptions options;
  options.tolerance = 1e-4;
  CompareResult result = compareCompiled(gptText(GptSizes()), options);
  EXPECT_EQ(result.error, "");
}

TEST(Step, EqualsReferenceAtOddSizes) {
  CompareOptions options;
  options.tolerance = 1e-4;
  CompareResult result =
      compareCompiled(gptText(sizesOf(1, 3, 33, 67, 2, 101)), options);
  EXPECT_EQ(result.error, "");
}

TEST(Step, SameBitsOnAnyNumberOfThreads) {
  CompareOptions options;
  options.tolerance = 1e-4;
  std::string first;
  for (unsigned threads : {1, 2, 3, 8}) {
    options.threads = threads;
    options.checkPlan = false;
    CompareResult result = compareCompiled(gptText(GptSizes()), options);
    ASSERT_EQ(result.error, "");
    if (first.empty())
      first = result.bits;
    EXPECT_TRUE(first == result.bits) << threads << " threads";
  }
}

TEST(Step, InPlaceGivesTheSameBitsInLessArena) {
  CompareOptions options;
  options.tolerance = 1e-4;
  std::string text = gptText(sizesOf(2, 2, 16, 64, 2, 131));
  CompareResult over = compareCompiled(text, options);
  options.inPlace = false;
  CompareResult apart = compareCompiled(text, options);
  EXPECT_EQ(over.error, "");
  EXPECT_EQ(apart.error, "");
  EXPECT_TRUE(over.bits == apart.bits);
  EXPECT_EQ(over.kernels, apart.kernels);
  EXPECT_LT(over.arenaBytes, apart.arenaBytes);
}

TEST(Step, SqrtComputesTheSameBitsInLessMemory) {
  CompareOptions options;
  options.tolerance = 1e-4;
  std::string text = gptText(sizesOf(6, 2, 16, 64, 2, 31));
  CompareResult kept = compareCompiled(text, options);
  options.policy = "sqrt";
  CompareResult again = compareCompiled(text, options);
  EXPECT_EQ(kept.error, "");
  EXPECT_EQ(again.error, "");
  EXPECT_TRUE(kept.bits == again.bits);
  EXPECT_EQ(kept.kernels, again.kernels);
  EXPECT_GT(again.launches, kept.launches);
  EXPECT_LT(again.arenaBytes, kept.arenaBytes * 3 / 4)
      << kept.arenaBytes << " bytes kept";
}

TEST(Step, OffloadGivesTheSameBitsInLessArena) {
  CompareOptions options;
  options.tolerance = 1e-4;
  std::string text = gptText(sizesOf(6, 2, 16, 64, 2, 31));
  CompareResult kept = compareCompiled(text, options);
  EXPECT_EQ(kept.error, "");
  EXPECT_EQ(kept.hostBytes, 0);
  options.policy = "offload-all";
  for (unsigned threads : {1, 3}) {
    options.threads = threads;
    CompareResult parked = compareCompiled(text, options);
    EXPECT_EQ(parked.error, "");
    EXPECT_TRUE(kept.bits == parked.bits);
    EXPECT_EQ(kept.launches, parked.launches);
    EXPECT_GT(parked.hostBytes, 0);
    EXPECT_LT(parked.arenaBytes, kept.arenaBytes * 3 / 4)
        << kept.arenaBytes << " bytes kept";
  }
}
