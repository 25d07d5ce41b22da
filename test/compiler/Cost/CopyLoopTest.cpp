//===- CopyLoopTest.cpp - loads beside products, or before them -----------===//

#include "compiler/Cost/CopyLoop.h"

#include <gtest/gtest.h>

using namespace tarn;

namespace {

/// An A100's multiprocessor, and a block of 128 x 128 that takes 64 terms of
/// bf16 at a time.
const UnitRoom room{163 * 1024, 164 * 1024, 65536, 2048, 32};
CopyLoop product(int64_t blocks, double turns) {
  CopyLoop loop;
  loop.blocks = blocks;
  loop.turns = turns;
  loop.copiedBytes = 2 * 128 * 64 * 2;
  loop.stageBytes = 2 * 128 * 72 * 2;
  loop.flops = 2.0 * 128 * 128 * 64;
  loop.waits = 8;
  return loop;
}
llvm::SmallVector<CopyChoice> choicesOf(const CopyLoop &loop) {
  return copyChoices(loop, room, *findDevice("a100"), "cuda:sm_80");
}

TEST(CopyLoop, StagesAreThoseThatFit) {
  llvm::SmallVector<CopyChoice> choices = choicesOf(product(108, 16));
  ASSERT_EQ(choices.size(), 4u); // 36,864 bytes each, of 166,912
  for (auto [i, choice] : llvm::enumerate(choices)) {
    EXPECT_EQ(choice.stages, int64_t(i) + 1);
    EXPECT_EQ(choice.sharedBytes, choice.stages * 36864);
  }
  CopyLoop large = product(108, 16);
  large.otherBytes = 163 * 1024;
  EXPECT_TRUE(choicesOf(large).empty());
}

TEST(CopyLoop, OneStageWaitsAndMoreDoNot) {
  Device a100 = *findDevice("a100");
  CopyLoop loop = product(108, 16);
  llvm::SmallVector<CopyChoice> choices = choicesOf(loop);
  double multiplied = loop.flops * 108 / (312e12 * 0.8);
  double copied = 32768 * 108 / (9745.92e9 * 0.67);
  double load = a100.load.value;
  EXPECT_NEAR(choices[0].seconds, 16 * (8 * load + copied + multiplied), 1e-12);
  // One turn's time hides a load: products take longer.
  EXPECT_NEAR(choices[1].seconds,
              16 * std::max(load + copied, multiplied) + load + copied, 1e-12);
  EXPECT_LT(choices[1].seconds, choices[0].seconds / 3);
}

TEST(CopyLoop, OtherBlocksHideLoadsToo) {
  // Four blocks for each multiprocessor: rings of two stages leave room for
  // two at a time, rings of four for one.
  llvm::SmallVector<CopyChoice> choices = choicesOf(product(432, 16));
  EXPECT_EQ(choices[1].atATime, 2);
  EXPECT_EQ(choices[3].atATime, 1);
  EXPECT_EQ(chooseCopies(choices).stages, 2);
  // Alone, a block has nobody else: more stages, as far as they gain.
  CopyLoop alone = product(108, 16);
  alone.flops /= 8;
  EXPECT_GT(chooseCopies(choicesOf(alone)).stages, 2);
}

TEST(CopyLoop, ASingleTurnNeedsNoRing) {
  CopyLoop once = product(108, 1);
  once.waits = 1;
  EXPECT_EQ(chooseCopies(choicesOf(once)).stages, 1);
}

} // namespace
