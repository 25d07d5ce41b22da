//===- DebugTest.cpp - Poison and guards find planted bugs ----------------===//

#include "runtime/Debugger.h"

#include "test/runtime/TestModel.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

namespace {

/// Runs a function of the test model that takes a place and gives 16 numbers.
Status runAt(Session &session, const char *function, int32_t place,
             float *out = nullptr) {
  float numbers[16];
  const void *inputs[] = {&place};
  void *outputs[] = {out ? out : numbers};
  return session.run(*session.findFunction(function), inputs, outputs);
}

std::unique_ptr<Session> sessionWith(bool poison, GuardSide guard) {
  SessionOptions options;
  options.threads = 2;
  options.poison = poison;
  options.guard = guard;
  std::unique_ptr<Session> session = bigramSession(options);
  EXPECT_TRUE(session->initialize(3).ok());
  return session;
}

std::string hashAfterSteps(Session &session) {
  std::vector<int32_t> tokens(128), targets(128);
  const void *inputs[] = {tokens.data(), targets.data()};
  for (int step = 0; step < 5; ++step) {
    for (int i = 0; i < 128; ++i) {
      tokens[i] = (i * 7 + step) & 63;
      targets[i] = (tokens[i] + 3) & 63;
    }
    Status status = session.run(1, inputs, nullptr);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  return toHex(session.weightHash());
}

} // namespace

TEST(Debug, GoodProgramsGiveTheSameBits) {
  std::string wanted = hashAfterSteps(*sessionWith(false, GuardSide::None));
  for (bool poison : {false, true})
    for (GuardSide guard :
         {GuardSide::None, GuardSide::End, GuardSide::Front}) {
      std::unique_ptr<Session> session = sessionWith(poison, guard);
      EXPECT_EQ(hashAfterSteps(*session), wanted);
      EXPECT_TRUE(
          session->run(*session->findFunction("park"), nullptr, nullptr).ok());
      EXPECT_TRUE(runAt(*session, "stray", 15).ok());
      EXPECT_TRUE(runAt(*session, "scribble", 0).ok());
      EXPECT_TRUE(runAt(*session, "spill", 15).ok());
    }
}

TEST(Debug, PoisonShowsAReadOfWhatIsDead) {
  float out[32];
  void *outputs[] = {out};
  std::unique_ptr<Session> plain = sessionWith(false, GuardSide::None);
  size_t late = *plain->findFunction("late");
  ASSERT_TRUE(plain->run(late, nullptr, outputs).ok());
  EXPECT_FALSE(std::isnan(out[16]));
  std::unique_ptr<Session> poisoned = sessionWith(true, GuardSide::None);
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(poisoned->run(late, nullptr, outputs).ok());
    for (int i = 0; i < 32; ++i)
      EXPECT_EQ(std::isnan(out[i]), i >= 16) << i;
  }
}

TEST(Debug, PoisonIsNoNumberOfAnyType) {
  alignas(8) uint8_t bytes[16];
  poisonBytes(bytes, sizeof bytes);
  double wide;
  float single;
  uint32_t word, half = 0;
  int64_t integer;
  std::memcpy(&wide, bytes, 8);
  std::memcpy(&single, bytes, 4);
  std::memcpy(&word, bytes, 4);
  std::memcpy(&integer, bytes, 8);
  EXPECT_TRUE(std::isnan(wide));
  EXPECT_TRUE(std::isnan(single));
  std::memcpy(reinterpret_cast<uint8_t *>(&half) + 2, bytes, 2); // bf16
  std::memcpy(&single, &half, 4);
  EXPECT_TRUE(std::isnan(single));
  EXPECT_EQ(word >> 10 & 31, 31u) << "f16: all ones";
  EXPECT_NE(word & 1023, 0u) << "f16: no infinity";
  EXPECT_GT(integer, int64_t(1) << 62);
  EXPECT_GT(int32_t(word), 1 << 30);
  EXPECT_GT(bytes[0], 1);
  EXPECT_GT(bytes[1], 1);
}

TEST(Debug, GuardsStopReadsPastTheEnd) {
  std::unique_ptr<Session> session = sessionWith(false, GuardSide::End);
  Status status = runAt(*session, "stray", 16);
  EXPECT_EQ(status.code(), Code::Internal);
  EXPECT_EQ(status.message(),
            "bigram.tarn:3:5: kernel `stray`, block 0 of 16, reads 0 bytes "
            "past the end of argument 0, arena[64 for 64], `head` of "
            "bigram.tarn:3:5");
  EXPECT_NE(runAt(*session, "stray", 70000)
                .message()
                .find("reads 279936 bytes past the end of argument 0"),
            std::string::npos);
  // The session goes on.
  float out[16];
  EXPECT_TRUE(runAt(*session, "stray", 2, out).ok());
  const float *table = reinterpret_cast<float *>(
      session->stateData(session->manifest().state[0]));
  EXPECT_EQ(out[7], table[2]);
}

TEST(Debug, GuardsStopReadsBeforeTheFront) {
  std::unique_ptr<Session> session = sessionWith(false, GuardSide::Front);
  Status status = runAt(*session, "stray", -1);
  EXPECT_EQ(status.code(), Code::Internal);
  EXPECT_NE(status.message().find("reads 4 bytes before argument 0, arena[64"),
            std::string::npos)
      << status.message();
}

TEST(Debug, GuardsStopWrites) {
  auto says = [](GuardSide side, const char *function, int32_t place,
                 const char *text) {
    std::unique_ptr<Session> session = sessionWith(false, side);
    Status status = runAt(*session, function, place);
    EXPECT_EQ(status.code(), Code::Internal);
    EXPECT_NE(status.message().find(text), std::string::npos)
        << status.message();
  };
  says(GuardSide::End, "scribble", 16,
       "writes 0 bytes past the end of argument 0, arena[128 for 64], `out`");
  says(GuardSide::Front, "scribble", -2, "writes 8 bytes before argument 0");
  // On the other side, after the launch.
  says(GuardSide::End, "scribble", -1, "writes before argument 0");
  says(GuardSide::Front, "scribble", 16,
       "writes past the end of argument 0, arena[128 for 64]");
  says(GuardSide::End, "meddle", 3,
       "writes, though it may only read, argument 0, arena[64 for 64], `head`");
  says(GuardSide::End, "spill", 16,
       "writes 0 bytes past the end of its 64 bytes of scratch");
  says(GuardSide::Front, "spill", -1, "writes 4 bytes before its 64 bytes");
}

TEST(Debug, FaultsOfOthersAreNotTaken) {
  sessionWith(false, GuardSide::End); // handlers were there, and are gone
  EXPECT_DEATH(*static_cast<volatile int *>(nullptr) = 1, "");
}

TEST(Debug, TheEnvironmentSwitchesModesOn) {
  ::setenv("TARN_GUARD", "end", 1);
  std::unique_ptr<Session> guarded = bigramSession();
  ::setenv("TARN_GUARD", "0", 1);
  ::setenv("TARN_POISON", "1", 1);
  std::unique_ptr<Session> poisoned = bigramSession();
  ::setenv("TARN_POISON", "yes", 1);
  EXPECT_EQ(Session::create(bigramModel()).status().message(),
            "TARN_POISON may be 1 or 0, not `yes`");
  ::unsetenv("TARN_POISON");
  ::setenv("TARN_GUARD", "2", 1);
  EXPECT_EQ(Session::create(bigramModel()).status().message(),
            "TARN_GUARD may be end, front or 0, not `2`");
  ::unsetenv("TARN_GUARD");
  EXPECT_EQ(runAt(*guarded, "stray", 16).code(), Code::Internal);
  uint32_t seen[16];
  void *outputs[] = {seen};
  ASSERT_TRUE(
      poisoned->run(*poisoned->findFunction("peek"), nullptr, outputs).ok());
  EXPECT_EQ(seen[3], 0x7FF17FF1u);
}
