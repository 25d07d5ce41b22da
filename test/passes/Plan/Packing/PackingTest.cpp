//===- PackingTest.cpp - exact packing against brute force ----------------===//

#include "passes/Plan/Packing/Certificate.h"
#include "passes/Plan/Packing/Greedy.h"
#include "passes/Plan/Packing/Pack.h"
#include "test/passes/Plan/Packing/Problems.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

using namespace tarn::packing;
using namespace tarn::packing::test;

namespace {

/// Tries every offset for every buffer: exact, and nothing like the solver.
bool fitsSomehow(const std::vector<Buffer> &buffers, int64_t capacity,
                 std::vector<int64_t> &offsets, size_t next) {
  if (next == buffers.size())
    return true;
  const Buffer &x = buffers[next];
  int64_t from = std::max<int64_t>(x.fixed, 0);
  int64_t to = x.fixed >= 0 ? x.fixed : capacity - x.size;
  for (int64_t at = from; at <= to && at + x.size <= capacity; ++at) {
    bool free = at % x.alignment == 0;
    for (size_t j = 0; free && j != next; ++j)
      free = !(x.lower < buffers[j].upper && buffers[j].lower < x.upper &&
               at < offsets[j] + buffers[j].size && offsets[j] < at + x.size);
    if (!free)
      continue;
    offsets[next] = at;
    if (fitsSomehow(buffers, capacity, offsets, next + 1))
      return true;
  }
  return false;
}

bool fitsSomehow(std::vector<Buffer> buffers, int64_t capacity) {
  // Fixed ones first: that they collide is seen before anything is tried.
  std::sort(buffers.begin(), buffers.end(),
            [](const Buffer &x, const Buffer &y) {
              return (x.fixed >= 0) > (y.fixed >= 0);
            });
  std::vector<int64_t> offsets(buffers.size());
  return fitsSomehow(buffers, capacity, offsets, 0);
}

/// The least capacity, or -1 if there is none.
int64_t leastCapacity(const std::vector<Buffer> &buffers) {
  int64_t most = 20; // beyond the highest fixed end
  for (const Buffer &buffer : buffers)
    most += buffer.size + buffer.alignment;
  std::vector<Buffer> fixed;
  for (const Buffer &buffer : buffers)
    if (buffer.fixed >= 0)
      fixed.push_back(buffer);
  if (!fitsSomehow(fixed, most))
    return -1;
  for (int64_t capacity = 0; capacity <= most; ++capacity)
    if (fitsSomehow(buffers, capacity))
      return capacity;
  ADD_FAILURE() << "nothing fits";
  return -1;
}

/// `buffers` without the one at `index`.
std::vector<Buffer> without(std::vector<Buffer> buffers, size_t index) {
  buffers.erase(buffers.begin() + index);
  return buffers;
}

} // namespace

TEST(Packing, TinyProblemsAsBruteForce) {
  unsigned impossible = 0, aboveBound = 0;
  for (unsigned seed = 0; seed != 3000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<Buffer> buffers = tinyProblem(random, 1 + below(random, 7));
    int64_t least = leastCapacity(buffers);
    Packing smallest = packSmallest(buffers);
    if (least < 0) {
      ++impossible;
      EXPECT_EQ(smallest.outcome, Outcome::impossible);
      EXPECT_EQ(packInto(buffers, 1000).outcome, Outcome::impossible);
      continue;
    }
    ASSERT_EQ(smallest.outcome, Outcome::packed);
    EXPECT_EQ(smallest.bytes, least);
    EXPECT_EQ(smallest.bound, least);
    EXPECT_EQ(faultOf(buffers, smallest.offsets, least), "");
    aboveBound += least > lowerBound(buffers).bytes;
    Packing into = packInto(buffers, least);
    ASSERT_EQ(into.outcome, Outcome::packed);
    EXPECT_EQ(faultOf(buffers, into.offsets, least), "");
    EXPECT_EQ(packInto(buffers, least - 1).outcome, Outcome::impossible);
  }
  // The generator makes what is worth testing.
  EXPECT_GT(impossible, 20u);
  EXPECT_GT(aboveBound, 200u);
}

TEST(Packing, ConflictsAreImpossibleAndIrreducible) {
  unsigned searched = 0;
  for (unsigned seed = 0; seed != 1500; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed + 100'000);
    std::vector<Buffer> buffers = tinyProblem(random, 2 + below(random, 6));
    int64_t least = leastCapacity(buffers);
    int64_t capacity = least < 0 ? 30 : least - 1;
    Conflict conflict = findConflict(buffers, capacity);
    ASSERT_FALSE(conflict.buffers.empty());
    EXPECT_TRUE(conflict.irreducible);
    std::vector<Buffer> chosen;
    for (unsigned index : conflict.buffers)
      chosen.push_back(buffers[index]);
    EXPECT_FALSE(fitsSomehow(chosen, capacity));
    for (size_t i = 0; i != chosen.size(); ++i)
      EXPECT_TRUE(fitsSomehow(without(chosen, i), capacity));
    searched += lowerBound(chosen).bytes <= capacity;
  }
  EXPECT_GT(searched, 100u);
  std::vector<Buffer> fitting(3, Buffer{0, 4, 10, 1, -1});
  EXPECT_TRUE(findConflict(fitting, 30).buffers.empty());
}

TEST(Packing, CutRectanglesArePackedWithoutAGap) {
  for (unsigned seed = 0; seed != 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    bool pinwheels = seed % 2;
    unsigned pieces = 20 + below(random, 21);
    std::vector<Buffer> buffers =
        cutRectangle(random, 1 << 16, 256, pieces, pinwheels);
    Packing packing = packInto(buffers, 1 << 16);
    ASSERT_EQ(packing.outcome, Outcome::packed) << buffers.size();
    EXPECT_EQ(faultOf(buffers, packing.offsets, 1 << 16), "");
    EXPECT_EQ(packing.bytes, 1 << 16);
    EXPECT_EQ(packInto(buffers, (1 << 16) - 1).outcome, Outcome::impossible);
  }
}

TEST(Packing, GreedyIsNotEnoughForTheseAndTheSearchIs) {
  unsigned beyondGreedy = 0;
  uint64_t nodes = 0;
  for (unsigned seed = 0; seed != 16; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    unsigned pieces = seed < 8 ? 120 : 200;
    std::vector<Buffer> buffers =
        cutRectangle(random, 1 << 20, 1024, pieces, seed % 2);
    Limits limits;
    limits.nodes = 1'000'000;
    Packing packing = packInto(buffers, 1 << 20, limits);
    beyondGreedy += packing.greedyBytes > (1 << 20);
    ASSERT_EQ(packing.outcome, Outcome::packed);
    EXPECT_EQ(faultOf(buffers, packing.offsets, 1 << 20), "");
    EXPECT_EQ(packing.bytes, 1 << 20);
    nodes += packing.nodes;
  }
  EXPECT_GE(beyondGreedy, 12u);
  EXPECT_GT(nodes, 5'000u);
}

TEST(Packing, LargerRandomProblemsAreApart) {
  for (unsigned seed = 0; seed != 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<Buffer> buffers(100 + below(random, 900));
    for (Buffer &buffer : buffers) {
      buffer.lower = below(random, 1000);
      buffer.upper = buffer.lower + 1 + below(random, 60);
      buffer.size = 1 + below(random, 100'000);
      buffer.alignment = int64_t(1) << below(random, 9);
    }
    // Two that stay where they are, in nobody's way but the others'.
    buffers[0].fixed = 12 * buffers[0].alignment;
    buffers[1].fixed = 200'000 / buffers[1].alignment * buffers[1].alignment;
    Limits limits;
    limits.nodes = 200;
    limits.pairs = 2'000'000;
    Packing packing = packSmallest(buffers, limits);
    ASSERT_EQ(packing.outcome, Outcome::packed);
    EXPECT_EQ(faultOf(buffers, packing.offsets, packing.bytes), "");
    EXPECT_GE(packing.bytes, packing.bound);
    Packing again = packSmallest(buffers, limits);
    EXPECT_EQ(again.offsets, packing.offsets);
    EXPECT_EQ(again.nodes, packing.nodes);
  }
}

TEST(Packing, FixedBuffersStay) {
  // The free ones go below, between and above.
  std::vector<Buffer> buffers{{0, 10, 4, 1, 4},
                              {0, 10, 4, 1, 12},
                              {0, 10, 4, 1, -1},
                              {2, 5, 3, 1, -1},
                              {6, 9, 4, 4, -1}};
  Packing packing = packSmallest(buffers);
  ASSERT_EQ(packing.outcome, Outcome::packed);
  EXPECT_EQ(packing.bytes, 16);
  EXPECT_EQ(faultOf(buffers, packing.offsets, 16), "");
  // In each other's way.
  buffers[1].fixed = 7;
  EXPECT_EQ(packSmallest(buffers).outcome, Outcome::impossible);
  EXPECT_EQ(packInto(buffers, 1000).outcome, Outcome::impossible);
  Conflict conflict = findConflict(buffers, 1000);
  EXPECT_EQ(conflict.buffers, (std::vector<unsigned>{0, 1}));
}

TEST(Packing, NodesAreALimit) {
  std::mt19937_64 random(7);
  std::vector<Buffer> buffers = cutRectangle(random, 1 << 16, 512, 120, true);
  Limits limits;
  limits.nodes = 50;
  Packing packing = packInto(buffers, 1 << 16, limits);
  EXPECT_EQ(packing.outcome, Outcome::unknown);
  EXPECT_LE(packing.nodes, 60u);
  // Without a capacity there is always an answer.
  EXPECT_EQ(packSmallest(buffers, limits).outcome, Outcome::packed);
}

TEST(Packing, NothingAndAlmostNothing) {
  EXPECT_EQ(packSmallest({}).outcome, Outcome::packed);
  EXPECT_EQ(packSmallest({}).bytes, 0);
  std::vector<Buffer> one{{3, 4, 5, 1, -1}};
  EXPECT_EQ(packSmallest(one).bytes, 5);
  EXPECT_EQ(packInto(one, 4).outcome, Outcome::impossible);
  EXPECT_EQ(packInto(one, 4).bound, 5);
  std::vector<Buffer> huge{{0, 2, int64_t(1) << 61, 1, -1},
                           {1, 3, int64_t(1) << 60, 1, -1}};
  EXPECT_TRUE(fitsArithmetic(huge));
  EXPECT_EQ(packSmallest(huge).bytes, 3 * (int64_t(1) << 60));
  huge.push_back(huge[0]);
  EXPECT_FALSE(fitsArithmetic(huge));
}

TEST(Packing, PublishedInstances) {
  std::string folder = minimallocFolder();
  if (folder.empty())
    GTEST_SKIP() << "no instances; TARN_MINIMALLOC names their folder";
  for (const char *name : {"A", "B", "C", "D", "E"}) {
    SCOPED_TRACE(name);
    std::vector<Buffer> buffers =
        readInstance(folder + "/" + name + ".1048576.csv");
    ASSERT_FALSE(buffers.empty());
    Packing packing = packInto(buffers, 1'048'576);
    ASSERT_EQ(packing.outcome, Outcome::packed);
    EXPECT_EQ(faultOf(buffers, packing.offsets, 1'048'576), "");
    // A bound on the work, not on this machine's time.
    EXPECT_LT(packing.nodes, 100'000u);
  }
}
