#include "runtime/Safetensors.h"

#include "test/runtime/TestModel.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

TEST(Safetensors, ReadsWhatItWrites) {
  TemporaryFolder folder;
  float floats[6] = {1, 2, 3, 4, 5, 6};
  int64_t integer = -7;
  uint8_t flags[3] = {1, 0, 1};
  std::vector<SafetensorsTensor> tensors = {
      {"a.weight", DType::F32, {2, 3}, floats},
      {"b", DType::I64, {}, &integer},
      {"empty", DType::F16, {0, 4}, nullptr},
      {"flags", DType::I1, {3}, flags}};
  std::string path = folder / "x.safetensors";
  ASSERT_TRUE(writeSafetensors(path, {{"key", "va\"lue"}}, tensors).ok());
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(*file->index().text("key"), "va\"lue");
  EXPECT_EQ(file->index().tensors.size(), 4u);
  const SafetensorsEntry *a = file->index().find("a.weight");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a->offset % 64, 0u);
  float back[6];
  ASSERT_TRUE(file->read(*a, back).ok());
  EXPECT_EQ(std::memcmp(back, floats, sizeof floats), 0);
  int64_t integerBack;
  ASSERT_TRUE(file->read(*file->index().find("b"), &integerBack).ok());
  EXPECT_EQ(integerBack, integer);
  EXPECT_EQ(file->index().find("flags")->dtype, DType::I1);
  EXPECT_EQ(file->index().find("empty")->bytes, 0u);
  EXPECT_EQ(file->index().find("none"), nullptr);
}

namespace {
struct HeaderCase {
  const char *header;
  uint64_t dataBytes;
  bool good;
};
} // namespace

TEST(Safetensors, ChecksHeaders) {
#define T(DTYPE, SHAPE, BEGIN, END)                                            \
  "{\"dtype\":\"" DTYPE "\",\"shape\":" SHAPE ",\"data_offsets\":[" #BEGIN     \
  "," #END "]}"
  const HeaderCase cases[] = {
      {"{}", 0, true},
      {"{\"a\":" T("F32", "[2]", 0, 8) "}", 8, true},
      {"{\"a\":" T("F32", "[]", 0, 4) "}", 4, true},
      // Order of the keys is free; the places must fit.
      {"{\"b\":" T("U8", "[4]", 4, 8) ",\"a\":" T("F32", "[1]", 0, 4) "}", 8,
       true},
      {"{\"a\":" T("F32", "[0]", 0, 0) ",\"b\":" T("U8", "[1]", 0, 1) "}", 1,
       true},
      {"{\"__metadata__\":{\"k\":\"v\"}}", 0, true},
      {"{}   ", 0, true},
      // Not JSON, or not the right JSON.
      {"", 0, false},
      {"[]", 0, false},
      {"{", 0, false},
      {"{\"a\":1}", 0, false},
      {"{\"__metadata__\":{\"k\":1}}", 0, false},
      {"{\"__metadata__\":[]}", 0, false},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, false},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
       "\"more\":1}}",
       4, false},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4,
       false},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
       false},
      // The same key twice.
      {"{\"a\":" T("F32", "[1]", 0, 4) ",\"a\":" T("F32", "[1]", 4, 8) "}", 8,
       false},
      // Element types.
      {"{\"a\":" T("Q4", "[1]", 0, 4) "}", 4, false},
      {"{\"a\":" T("f32", "[1]", 0, 4) "}", 4, false},
      // Sizes.
      {"{\"a\":" T("F32", "[2]", 0, 4) "}", 4, false},
      {"{\"a\":" T("F32", "[-1]", 0, 4) "}", 4, false},
      {"{\"a\":" T("F32", "[4294967296,4294967296]", 0, 0) "}", 0, false},
      {"{\"a\":" T("F64", "[2305843009213693952]", 0, 0) "}", 0, false},
      {"{\"a\":" T("F32", "[9223372036854775808]", 0, 4) "}", 4, false},
      // Places.
      {"{\"a\":" T("F32", "[1]", -4, 0) "}", 4, false},
      {"{\"a\":" T("F32", "[1]", 4, 0) "}", 4, false},
      {"{\"a\":" T("F32", "[1]", 4, 8) "}", 8, false}, // gap first
      {"{\"a\":" T("F32", "[1]", 0, 4) "}", 8, false}, // bytes left over
      {"{\"a\":" T("F32", "[1]", 0, 4) "}", 3, false}, // too short
      {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 2, 6) "}", 6,
       false}, // overlap
      {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 0, 4) "}", 4,
       false}, // the same bytes twice
      {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 8, 12) "}", 12,
       false}, // hole
      {"{\"a\":" T("U8", "[70368744177664]", 0, 70368744177664) "}", 16,
       false}, // larger than the file
  };
#undef T
  for (const HeaderCase &c : cases) {
    Result<SafetensorsIndex> index = parseSafetensorsHeader(
        c.header, 8 + std::strlen(c.header) + c.dataBytes);
    EXPECT_EQ(index.ok(), c.good)
        << c.header << ": " << index.status().message();
  }
}

TEST(Safetensors, ChecksTheLengthField) {
  TemporaryFolder folder;
  auto open = [&](std::string bytes) {
    std::string path = folder / "x";
    EXPECT_TRUE(writeFile(path, bytes).ok());
    return SafetensorsFile::open(path).status();
  };
  using namespace std::string_literals;
  EXPECT_TRUE(open("\x02\0\0\0\0\0\0\0{}"s).ok());
  EXPECT_FALSE(open("").ok());
  EXPECT_FALSE(open("\x02\0\0\0"s).ok());
  EXPECT_FALSE(open("\x03\0\0\0\0\0\0\0{}"s).ok());
  EXPECT_FALSE(open("\x01\0\0\0\0\0\0\0{}"s).ok());
  EXPECT_FALSE(open("\xff\xff\xff\xff\xff\xff\xff\xff{}"s).ok());
  EXPECT_FALSE(open("\xff\xff\xff\xff\xff\xff\xff\x7f{}"s).ok());
  EXPECT_FALSE(open("\x01\xe1\xf5\x05\0\0\0\0{}"s).ok()); // over 100 MB
}
