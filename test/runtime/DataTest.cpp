#include "runtime/Data.h"

#include "runtime/Random.h"
#include "test/runtime/TestModel.h"

#include <gtest/gtest.h>
#include <set>

using namespace tarn::rt;
using namespace tarn::rt::test;

// The known answers of the Random123 library for threefry2x32, 20 rounds.
TEST(Random, KnownAnswers) {
  EXPECT_EQ(threefry(0, 0), 0x99ba4efe6b200159u);
  EXPECT_EQ(threefry(UINT64_MAX, UINT64_MAX), 0xbb002be71cb996fcu);
  EXPECT_EQ(threefry(0x0370734413198a2e, 0x85a308d3243f6a88),
            0x483df7a0c4923a9cu);
  EXPECT_EQ(scaleTo(UINT64_MAX, 10), 9u);
  EXPECT_EQ(scaleTo(0, 10), 0u);
}

namespace {
struct Files {
  TemporaryFolder folder;
  std::string write(const std::string &name, const std::string &bytes) {
    EXPECT_TRUE(writeFile(folder / name, bytes).ok());
    return folder / name;
  }
};
} // namespace

TEST(Data, ReadsBytesAcrossFiles) {
  Files files;
  Result<Dataset> data = Dataset::open({files.write("a.txt", "hello"),
                                        files.write("empty.txt", ""),
                                        files.write("b.txt", " world\xff")});
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->tokens(), 12u);
  EXPECT_EQ(data->trainTokens(), 11u);
  EXPECT_EQ(data->heldOutTokens(), 1u);
  int32_t window[9];
  ASSERT_TRUE(data->read(3, 9, window).ok());
  EXPECT_EQ(
      std::vector<int32_t>(window, window + 9),
      (std::vector<int32_t>{'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd', 255}));
  EXPECT_FALSE(data->read(4, 9, window).ok());
  EXPECT_FALSE(data->read(UINT64_MAX, 1, window).ok());
}

TEST(Data, ReadsTokens) {
  Files files;
  std::string bytes = {1, 0, 0, 1, -1, -1, 0, 0};
  int32_t tokens[4];
  Result<Dataset> wide = Dataset::open({files.write("a.bin", bytes)});
  ASSERT_TRUE(wide.ok());
  ASSERT_TRUE(wide->read(0, 4, tokens).ok());
  EXPECT_EQ(tokens[1], 256);
  EXPECT_EQ(tokens[2], 65535);
  DataOptions options;
  options.format = DataFormat::Tokens32;
  Result<Dataset> wider = Dataset::open({files.write("a.bin", bytes)}, options);
  ASSERT_TRUE(wider.ok());
  ASSERT_TRUE(wider->read(0, 2, tokens).ok());
  EXPECT_EQ(tokens[0], 0x01000001);
  EXPECT_EQ(tokens[1], 0xffff);
  EXPECT_EQ(Dataset::open({files.write("b.bin", "abc")}).status().code(),
            Code::Invalid);
  // No negative tokens.
  EXPECT_TRUE(Dataset::open({files.write("c.bin", "abc\xff")}, options).ok());
  EXPECT_FALSE(Dataset::open({files.folder / "c.bin"}, options)
                   ->read(0, 1, tokens)
                   .ok());
}

TEST(Data, ChecksTheVocabulary) {
  Files files;
  DataOptions options;
  options.vocabulary = 128;
  std::string path = files.write("a.txt", "plain text, \xc3\xa4");
  EXPECT_EQ(Dataset::open({path}, options).status().message(),
            "`" + path + "`: token 12 is 195, the vocabulary has 128");
  options.vocabulary = 256;
  EXPECT_TRUE(Dataset::open({path}, options).ok());
}

TEST(Data, BadFilesAreErrors) {
  Files files;
  EXPECT_EQ(Dataset::open({}).status().code(), Code::Invalid);
  EXPECT_EQ(Dataset::open({files.folder / "none"}).status().code(),
            Code::NotFound);
  EXPECT_EQ(Dataset::open({files.write("e", "")}).status().code(),
            Code::Invalid);
  EXPECT_EQ(Dataset::open({files.folder.path}).status().code(), Code::Io);
}

TEST(Data, SamplesDependOnTheirArgumentsAlone) {
  Files files;
  std::string text;
  for (int i = 0; i < 250; ++i)
    text.push_back(static_cast<char>(i));
  std::string path = files.write("a.txt", text);
  Result<Dataset> data = Dataset::open({path}), again = Dataset::open({path});
  ASSERT_TRUE(data.ok() && again.ok());
  EXPECT_EQ(data->fingerprint(), again->fingerprint());
  std::set<int32_t> starts;
  for (uint64_t step = 0; step < 2000; ++step) {
    int32_t a[9], b[9];
    ASSERT_TRUE(data->sample(1, step, step % 7, 9, a).ok());
    ASSERT_TRUE(again->sample(1, step, step % 7, 9, b).ok());
    for (int i = 0; i < 9; ++i) {
      EXPECT_EQ(a[i], b[i]);
      EXPECT_EQ(a[i], a[0] + i);
    }
    EXPECT_LT(a[8], 225) << "the last tenth is held out";
    starts.insert(a[0]);
  }
  // 217 possible windows; the first and the last are among them.
  EXPECT_EQ(starts.size(), 217u);
  int32_t x[9], y[9];
  ASSERT_TRUE(data->sample(1, 5, 0, 9, x).ok());
  ASSERT_TRUE(data->sample(2, 5, 0, 9, y).ok());
  EXPECT_NE(x[0], y[0]);
}

TEST(Data, HeldOutWindowsAreSpread) {
  Files files;
  std::string text(1000, 'x');
  for (int i = 900; i < 1000; ++i)
    text[i] = static_cast<char>(i - 900);
  Result<Dataset> data = Dataset::open({files.write("a.txt", text)});
  ASSERT_TRUE(data.ok());
  int32_t window[10];
  ASSERT_TRUE(data->heldOut(0, 5, 10, window).ok());
  EXPECT_EQ(window[0], 0);
  ASSERT_TRUE(data->heldOut(4, 5, 10, window).ok());
  EXPECT_EQ(window[9], 99);
  EXPECT_FALSE(data->checkWindow(101).ok());
  EXPECT_TRUE(data->checkWindow(100).ok());
}

TEST(Data, FingerprintSeesChanges) {
  Files files;
  std::string text(100, 'x');
  std::string path = files.write("a.txt", text);
  std::string before = Dataset::open({path})->fingerprint();
  text[50] = 'y';
  files.write("a.txt", text);
  EXPECT_NE(Dataset::open({path})->fingerprint(), before);
}
