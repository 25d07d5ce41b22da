#include "runtime/Json.h"

#include <gtest/gtest.h>
#include <limits>

using namespace tarn::rt;

TEST(Json, ReadsAndWritesTheSameText) {
  for (const char *text :
       {R"({"a":[1,-2,3.5,1e-10,true,false,null],"b":{"c":"d\n\"\\"}})", "[]",
        "{}", "0", "\"\"", R"([9223372036854775807,-9223372036854775808])",
        R"(["\u0001"])", R"([0.1,1e+100,2.0])"}) {
    Result<Json> json = parseJson(text);
    ASSERT_TRUE(json.ok()) << text << ": " << json.status().message();
    EXPECT_EQ(json->dump(), text);
  }
}

TEST(Json, KeepsNumbersExactly) {
  for (double number : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0}) {
    Result<Json> json = parseJson(Json(number).dump());
    ASSERT_TRUE(json.ok());
    EXPECT_EQ(json->asDouble(), number);
    EXPECT_EQ(json->kind(), Json::Kind::Double);
  }
  EXPECT_EQ(parseJson("123456789012345678")->asInt(), 123456789012345678);
  EXPECT_FALSE(parseJson("9223372036854775808")->isInt());
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
}

TEST(Json, DecodesEscapes) {
  EXPECT_EQ(parseJson(R"("\u00e4\u20ac\ud83d\ude00\/")")->asString(),
            "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80/");
}

TEST(Json, RefusesWhatIsNotJson) {
  const char *texts[] = {
      "",           " ",           "{",           "[1,]",
      "{\"a\":1,}", "{a:1}",       "'a'",         "01",
      "1.",         ".5",          "+1",          "1e",
      "- 1",        "nul",         "truex",       "1 2",
      "[1 2]",      "{\"a\" 1}",   "\"\n\"",      "\"a",
      "\"\\x\"",    "\"\\u12\"",   "NaN",         "Infinity",
      "1e999",      "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
      "// c\n1",    "[1]]"};
  for (const char *text : texts)
    EXPECT_FALSE(parseJson(text).ok()) << text;
}

TEST(Json, RefusesBadUtf8) {
  for (const char *bytes :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_FALSE(parseJson("\"" + std::string(bytes) + "\"").ok());
  EXPECT_TRUE(parseJson("\"\xed\x9f\xbf\xf4\x8f\xbf\xbf\"").ok());
}

TEST(Json, RefusesDuplicateKeys) {
  Result<Json> json = parseJson(R"({"a":1,"b":2,"\u0061":3})");
  ASSERT_FALSE(json.ok());
  EXPECT_NE(json.status().message().find("`a` occurs twice"),
            std::string::npos);
}

TEST(Json, BoundsNesting) {
  auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parseJson(nested(jsonDepthLimit)).ok());
  EXPECT_FALSE(parseJson(nested(jsonDepthLimit + 2)).ok());
  EXPECT_FALSE(parseJson(std::string(1000000, '[')).ok());
}

TEST(Json, NamesTheByte) {
  EXPECT_NE(parseJson("[1, x]").status().message().find("byte 4"),
            std::string::npos);
}
