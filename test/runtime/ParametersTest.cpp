#include "runtime/Parameters.h"

#include "runtime/Checkpoint.h"
#include "test/runtime/TestModel.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

using namespace tarn::rt;
using namespace tarn::rt::test;

static uint16_t narrow(DType to, float value) {
  uint16_t bits = 0;
  EXPECT_TRUE(convertFloats(DType::F32, &value, to, &bits, 1));
  return bits;
}

static float widen(DType from, uint16_t bits) {
  float value = 0;
  EXPECT_TRUE(convertFloats(from, &bits, DType::F32, &value, 1));
  return value;
}

TEST(Convert, Float16) {
  EXPECT_EQ(narrow(DType::F16, 1.0f), 0x3c00);
  EXPECT_EQ(narrow(DType::F16, -2.0f), 0xc000);
  EXPECT_EQ(narrow(DType::F16, 65504.0f), 0x7bff);
  EXPECT_EQ(narrow(DType::F16, 65520.0f), 0x7c00) << "rounds to infinity";
  EXPECT_EQ(narrow(DType::F16, 65519.0f), 0x7bff);
  EXPECT_EQ(narrow(DType::F16, 0x1p-24f), 0x0001);
  EXPECT_EQ(narrow(DType::F16, 0x1p-25f), 0x0000) << "tie to even";
  EXPECT_EQ(narrow(DType::F16, 0x1.8p-24f), 0x0002) << "tie to even";
  EXPECT_EQ(narrow(DType::F16, -0.0f), 0x8000);
  EXPECT_EQ(narrow(DType::F16, INFINITY), 0x7c00);
  EXPECT_TRUE(std::isnan(widen(DType::F16, narrow(DType::F16, NAN))));
}

// Every value of both types survives the way up and down.
TEST(Convert, RoundTripsAreExact) {
  for (DType type : {DType::F16, DType::BF16})
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      float wide = widen(type, static_cast<uint16_t>(bits));
      if (std::isnan(wide))
        continue;
      EXPECT_EQ(narrow(type, wide), bits);
    }
}

TEST(Convert, Bfloat16RoundsToEven) {
  for (uint32_t bits = 0; bits < 0x7f800000; bits += 0x1357) {
    float value;
    std::memcpy(&value, &bits, 4);
    uint32_t expected = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    ASSERT_EQ(narrow(DType::BF16, value), expected) << value;
  }
  int32_t integer = 1;
  float out;
  EXPECT_FALSE(convertFloats(DType::I32, &integer, DType::F32, &out, 1));
}

TEST(Parameters, LoadsAndConvertsByName) {
  TemporaryFolder folder;
  std::vector<uint16_t> values(64 * 64, 0x3f80); // 1 in bfloat16
  float other = 0;
  ASSERT_TRUE(
      writeSafetensors(folder / "w.safetensors", {},
                       {{"table.weight", DType::BF16, {64, 64}, values.data()},
                        {"lm_head", DType::F32, {}, &other}})
          .ok());
  std::unique_ptr<Session> session = bigramSession();
  Result<ParameterReport> report =
      loadParameters(*session, folder / "w.safetensors");
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->matched, (std::vector<std::string>{"table.weight"}));
  EXPECT_EQ(report->unexpected, (std::vector<std::string>{"lm_head"}));
  EXPECT_TRUE(report->missing.empty());
  const float *table = reinterpret_cast<const float *>(
      session->stateData(session->manifest().state[0]));
  EXPECT_EQ(table[0], 1.0f);
  EXPECT_EQ(table[4095], 1.0f);
}

TEST(Parameters, RefusesOtherShapesAndStrangers) {
  TemporaryFolder folder;
  float x[4] = {};
  ASSERT_TRUE(writeSafetensors(folder / "a", {},
                               {{"table.weight", DType::F32, {2, 2}, x}})
                  .ok());
  ASSERT_TRUE(
      writeSafetensors(folder / "b", {}, {{"wte", DType::F32, {2, 2}, x}})
          .ok());
  std::unique_ptr<Session> session = bigramSession();
  EXPECT_EQ(loadParameters(*session, folder / "a").status().message(),
            "`" + folder.path +
                "/a`: `table.weight` is f32[2, 2] in the file, the model has "
                "f32[64, 64]");
  EXPECT_EQ(loadParameters(*session, folder / "b").status().message(),
            "`" + folder.path +
                "/b`: no tensor has the name of a parameter; the file has "
                "`wte`, the model `table.weight`");
}

TEST(Parameters, TakesThemFromACheckpoint) {
  TemporaryFolder folder;
  std::unique_ptr<Session> a = bigramSession(), b = bigramSession();
  ASSERT_TRUE(a->initialize(1).ok());
  ASSERT_TRUE(b->initialize(2).ok());
  ASSERT_TRUE(saveCheckpoint(*a, folder.path, 3).ok());
  Result<ParameterReport> report = loadParameters(*b, folder.path);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_TRUE(report->unexpected.empty());
  EXPECT_EQ(a->weightHash(), b->weightHash());
}
