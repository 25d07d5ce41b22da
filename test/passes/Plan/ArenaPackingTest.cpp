//===- ArenaPackingTest.cpp - packed arenas against their bound -----------===//

#include "passes/Plan/ArenaPacking.h"

#include "llvm/Support/MathExtras.h"

#include "gtest/gtest.h"

#include <random>
#include <vector>

using namespace tarn;

static int64_t rounded(int64_t bytes) { return llvm::alignTo(bytes, 64); }

/// Every value inside the arena, aligned, apart from those it lives with.
static void expectApart(const std::vector<PackedValue> &values, int64_t bytes) {
  for (size_t i = 0; i != values.size(); ++i) {
    const PackedValue &x = values[i];
    EXPECT_EQ(x.offset % 64, 0);
    EXPECT_GE(x.offset, 0);
    EXPECT_LE(x.offset + x.bytes, bytes);
    for (size_t j = 0; j != i; ++j) {
      const PackedValue &y = values[j];
      if (x.last < y.first || y.last < x.first)
        continue;
      EXPECT_TRUE(x.offset + x.bytes <= y.offset ||
                  y.offset + y.bytes <= x.offset)
          << i << " and " << j;
    }
  }
}

static PackedValue value(int64_t bytes, int64_t first, int64_t last) {
  PackedValue value;
  value.bytes = bytes;
  value.first = first;
  value.last = last;
  return value;
}

/// Activations of a transformer: made in order, used again in reverse order.
static std::vector<PackedValue> training(int64_t layers, int64_t rows,
                                         int64_t width, std::mt19937 &random) {
  std::vector<PackedValue> values;
  int64_t unit = rows * width * 4, end = 2 * layers * 8;
  for (int64_t layer = 0; layer != layers; ++layer) {
    int64_t at = layer * 8, back = end - at - 8;
    for (int64_t k = 0; k != 8; ++k) {
      int64_t share = k == 3 || k == 4 ? 4 : k == 1 ? 3 : 1;
      values.push_back(value(unit * share, at + k, back + 7 - k));
      // Short-lived gradients of several sizes.
      values.push_back(
          value(unit * share, back + k, back + k + 1 + random() % 3));
      values.push_back(value(width * 4 * (1 + random() % 9), back + k, end));
    }
  }
  return values;
}

TEST(ArenaPacking, TrainingStepsWithinOnePercent) {
  std::mt19937 random(1);
  for (int64_t layers : {1, 2, 4, 6, 12, 24, 830}) {
    std::vector<PackedValue> values = training(layers, 768, 128, random);
    int64_t bound = maxLive(values), bytes = packArena(values);
    expectApart(values, bytes);
    EXPECT_GE(bytes, bound);
    EXPECT_LE(double(bytes), 1.01 * double(bound)) << layers << " layers";
  }
}

TEST(ArenaPacking, AnyLifetimesAreApart) {
  for (unsigned seed = 0; seed != 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<PackedValue> values;
    for (unsigned i = 0, n = random() % 60; i != n; ++i) {
      int64_t first = random() % 40;
      values.push_back(
          value(1 + random() % 5000, first, first + random() % 20));
    }
    int64_t bound = maxLive(values), bytes = packArena(values);
    expectApart(values, bytes);
    EXPECT_GE(bytes, bound);
    EXPECT_TRUE(fitsArena(values, bytes));
    EXPECT_TRUE(fitsArena(values, bytes + 64));
    if (!values.empty()) {
      EXPECT_FALSE(fitsArena(values, bytes - 64));
    }
  }
}

// Values that come from host memory ahead of their readers, layer by layer, and
// what is made of them: nearly every moment is full.
TEST(ArenaPacking, FullEffortRepairsWhatOrdersReach) {
  std::mt19937 random(1);
  std::vector<PackedValue> values;
  for (int64_t layer = 0; layer != 32; ++layer)
    for (int64_t k = 0; k != 24; ++k) {
      const int64_t units[] = {33, 67, 90, 180};
      int64_t at = layer * 24 + k, ahead = k % 3 ? 1 + random() % 6 : 55;
      values.push_back(value(units[random() % 4] * 4096, at, at + ahead));
    }
  std::vector<PackedValue> roughly = values;
  int64_t rough = packArena(roughly, PackingEffort::rough),
          full = packArena(values, PackingEffort::full);
  expectApart(values, full);
  EXPECT_LT(double(full), 0.97 * double(rough));
  EXPECT_TRUE(fitsArena(values, full, PackingEffort::full));
  EXPECT_FALSE(fitsArena(values, full - 64, PackingEffort::full));
  EXPECT_FALSE(fitsArena(values, full, PackingEffort::rough));
}

TEST(ArenaPacking, MaxLiveCountsWhatEndsWhereAnotherBegins) {
  std::vector<PackedValue> values{value(100, 0, 1), value(64, 1, 2),
                                  value(64, 2, 3)};
  EXPECT_EQ(maxLive(values), rounded(100) + 64);
}
