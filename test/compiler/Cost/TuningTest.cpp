// The file of measured candidates.
#include "compiler/Cost/Tuning.h"
#include "passes/Tile/TileSizes.h"

#include <gtest/gtest.h>

using namespace tarn;

static Tuning sample() {
  Tuning tuning;
  tuning.model = "gpt2";
  tuning.architecture = "sm_90a";
  tuning.device = "NVIDIA H200";
  tuning.date = "2026-11-26";
  tuning.driver = 13000;
  tuning.library = 130100;
  TunedProduct &product = tuning.products["0123456789abcdef"];
  product.name = "dot_3";
  product.product = "128 x 192 x 64 bf16";
  product.candidates.push_back({{128, 128, 64}, "", 0, 2e-5});
  product.candidates.push_back({{}, std::string(128, 'a'), 4096, 1e-5});
  product.best = 1;
  return tuning;
}

TEST(Tuning, ComesBackAsItWas) {
  std::string text = writeTuning(sample());
  rt::Result<Tuning> back = parseTuning(text, "t.json");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(writeTuning(*back), text);
  const TunedProduct &product = back->products.at("0123456789abcdef");
  EXPECT_EQ(product.best, 1u);
  EXPECT_TRUE(product.candidates[1].isLibrary());
  EXPECT_EQ(product.candidates[0].text(), "128 x 128 x 64");
}

TEST(Tuning, ErrorsNameTheLine) {
  std::string text = writeTuning(sample());
  text.replace(text.find("2e-05"), 5, "-1.00");
  rt::Result<Tuning> back = parseTuning(text, "t.json");
  ASSERT_FALSE(back.ok());
  EXPECT_NE(back.status().message().find(
                "t.json:2: `seconds` must be a positive number"),
            std::string::npos)
      << back.status().message();
  // Whatever is cut off, it is an error and no more.
  text = writeTuning(sample());
  for (size_t length = 0; length + 2 < text.size(); ++length)
    EXPECT_FALSE(parseTuning(text.substr(0, length), "t.json").ok()) << length;
}

TEST(DotChoices, ItsOwnBlockIsFirstAndTheOthersByCost) {
  const TileSizes &gpu = tileSizesOf(Machine::gpu);
  DotShape shape{1, 4096, 4096, 4096, 2};
  auto choices = gpu.dotChoices(shape);
  ASSERT_GT(choices.size(), 2u);
  EXPECT_EQ(choices.front().block, gpu.dot(shape));
  for (size_t i = 2; i < choices.size(); ++i)
    EXPECT_LE(choices[i - 1].cost, choices[i].cost);
  for (const DotChoice &choice : choices) {
    EXPECT_LE(choice.sharedBytes, 232448);
    EXPECT_GE(choice.waves, 1);
    EXPECT_EQ(choice.block.depth, choices.front().block.depth);
  }
  // Larger blocks read operands less often: that is what it is about.
  EXPECT_LT(choices[1].cost, choices.front().cost);
  // A processor has one block.
  EXPECT_EQ(tileSizesOf(Machine::cpu).dotChoices(shape).size(), 1u);
}

TEST(DotChoices, DeepProductsOfFewBlocksAreCut) {
  const TileSizes &gpu = tileSizesOf(Machine::gpu);
  // 36 blocks of 128 x 128 on 132 multiprocessors, then 108.
  EXPECT_EQ(gpu.dotParts({1, 768, 768, 12288, 2}), 3);
  EXPECT_EQ(gpu.dot({3, 768, 768, 4096, 2}), (DotBlock{128, 128, 64}));
  // Whole: enough blocks, in a batch too; too little to save a launch; a depth
  // that would leave blocks with a rest.
  EXPECT_EQ(gpu.dotParts({1, 4096, 4096, 12288, 2}), 1);
  EXPECT_EQ(gpu.dotParts({16, 768, 768, 12288, 2}), 1);
  EXPECT_EQ(gpu.dotParts({1, 768, 768, 1024, 2}), 1);
  EXPECT_EQ(gpu.dotParts({1, 768, 768, 12290, 2}), 1);
  EXPECT_EQ(tileSizesOf(Machine::cpu).dotParts({1, 768, 768, 12288, 2}), 1);
}

TEST(DotChoices, FixedBlocksAreThoseOfProductsAlone) {
  const TileSizes &gpu = tileSizesOf(Machine::gpu);
  FixedDot fixed(gpu, {64, 256, 64});
  EXPECT_EQ(fixed.dot({1, 512, 512, 512, 2}), (DotBlock{64, 256, 64}));
  EXPECT_EQ(fixed.block({4096}, {false}, 1), gpu.block({4096}, {false}, 1));
}
