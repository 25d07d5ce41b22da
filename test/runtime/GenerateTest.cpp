#include "runtime/Generate.h"

#include "runtime/Random.h"
#include "test/runtime/TestModel.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

TEST(Generate, SamplesLogits) {
  float logits[] = {0, 1, 5, 5, -100};
  EXPECT_EQ(sampleLogits(logits, 5, 0, 0, 123), 2) << "the first of equals";
  EXPECT_EQ(sampleLogits(logits, 5, 1, 1, UINT64_MAX), 2);
  EXPECT_EQ(sampleLogits(logits, 5, 1, 0, 0), 0);
  EXPECT_EQ(sampleLogits(logits, 5, 1, 0, UINT64_MAX), 3);
  // Frequencies follow the softmax.
  float two[] = {0, std::log(3.0f)};
  int ones = 0;
  for (uint64_t i = 0; i < 10000; ++i)
    ones += sampleLogits(two, 2, 1, 0, threefry(9, i));
  EXPECT_NEAR(ones / 10000.0, 0.75, 0.02);
  int hot = 0;
  for (uint64_t i = 0; i < 10000; ++i)
    hot += sampleLogits(two, 2, 100, 0, threefry(9, i));
  EXPECT_NEAR(hot / 10000.0, 0.5, 0.02);
}

/// A session whose table sends each token to the next by `jump`.
static std::unique_ptr<Session> cycle(int jump) {
  std::unique_ptr<Session> session = bigramSession();
  float *table = reinterpret_cast<float *>(
      session->stateData(session->manifest().state[0]));
  for (int i = 0; i < 64; ++i)
    table[i * 64 + (i + jump) % 64] = 20;
  return session;
}

TEST(Generate, ContinuesThePrompt) {
  std::unique_ptr<Session> session = cycle(5);
  std::vector<int32_t> out;
  GenerateOptions options;
  options.tokens = 20;
  auto collect = [&](int32_t token) {
    out.push_back(token);
    return true;
  };
  ASSERT_TRUE(generate(*session, {1, 2, 3}, options, collect).ok());
  ASSERT_EQ(out.size(), 20u);
  for (size_t i = 0; i < out.size(); ++i)
    EXPECT_EQ(out[i], static_cast<int32_t>(3 + 5 * (i + 1)) % 64);
  int32_t length;
  std::memcpy(&length, session->stateData(session->manifest().state[3]), 4);
  // 22 tokens were fed through a context of 8, whose second half is fed again
  // each time it is full: 8, 4+4, 4+4, ... and at last 4+2.
  EXPECT_EQ(length, 6);
}

TEST(Generate, SeedDecides) {
  std::unique_ptr<Session> session = bigramSession();
  ASSERT_TRUE(session->initialize(0).ok());
  auto run = [&](uint64_t seed) {
    std::vector<int32_t> out;
    GenerateOptions options;
    options.seed = seed;
    options.tokens = 30;
    EXPECT_TRUE(generate(*session, {0}, options, [&](int32_t token) {
                  out.push_back(token);
                  return true;
                }).ok());
    return out;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Generate, StopsWhenTold) {
  std::unique_ptr<Session> session = cycle(1);
  int seen = 0;
  ASSERT_TRUE(
      generate(*session, {0}, {}, [&](int32_t) { return ++seen < 3; }).ok());
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(generate(*session, {}, {}, [](int32_t) { return true; }).code(),
            Code::BadArgument);
}
