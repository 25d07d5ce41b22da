#include "runtime/Artifact.h"

#include "runtime/File.h"
#include "runtime/Model.h"
#include "test/runtime/TestModel.h"

#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

static std::string smallArtifact() {
  ArtifactWriter writer;
  writer.add("manifest", "{\"some\":\"text\"}");
  writer.add("empty", "");
  writer.add("code.0", std::string(100, 'x'));
  return *writer.finish();
}

static Status parse(const std::string &bytes) {
  return Artifact::parse(bytes.data(), bytes.size()).status();
}

TEST(Artifact, GivesBackItsSections) {
  std::string bytes = smallArtifact();
  EXPECT_EQ(bytes.size() % 64, 0u);
  Result<Artifact> artifact = Artifact::parse(bytes.data(), bytes.size());
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  EXPECT_EQ(artifact->section("manifest"), "{\"some\":\"text\"}");
  EXPECT_EQ(artifact->section("code.0"), std::string(100, 'x'));
  EXPECT_EQ(artifact->section("empty").size(), 0u);
  EXPECT_EQ(artifact->section("other").data(), nullptr);
  EXPECT_EQ(artifact->sections().size(), 3u);
  EXPECT_EQ(
      reinterpret_cast<uintptr_t>(artifact->section("code.0").data()) % 64, 0u);
  EXPECT_TRUE(Artifact::looksLikeOne(bytes));
  EXPECT_EQ(bytes, smallArtifact());
}

TEST(Artifact, FindsEveryChangedByte) {
  std::string bytes = smallArtifact();
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int flip : {0x01, 0x20, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      EXPECT_FALSE(parse(changed).ok()) << "byte " << i << " ^ " << flip;
    }
}

TEST(Artifact, FindsEveryChangedByteOfARealOne) {
  std::string bytes = bigramArtifact();
  Result<Artifact> whole = Artifact::parse(bytes.data(), bytes.size());
  ASSERT_TRUE(whole.ok());
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << i % 8));
    EXPECT_FALSE(parse(bytes).ok()) << "byte " << i;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << i % 8));
  }
}

TEST(Artifact, FindsEveryTruncationAndGrowth) {
  std::string bytes = smallArtifact();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse(bytes.substr(0, size)).ok()) << size;
  EXPECT_FALSE(parse(bytes + '\0').ok());
  EXPECT_FALSE(parse(bytes + std::string(64, '\0')).ok());
}

// A forged table whose checksums are right.
static std::string forged(size_t place, uint64_t number, unsigned width) {
  std::string bytes = smallArtifact();
  for (unsigned i = 0; i < width; ++i)
    bytes[place + i] = static_cast<char>(number >> (8 * i));
  Sha256 hash;
  hash.update(bytes.data(), 32);
  hash.update(bytes.data() + 64, 3 * 128);
  Digest digest = hash.finish();
  std::copy(digest.begin(), digest.end(), bytes.begin() + 32);
  return bytes;
}

TEST(Artifact, RefusesForgedTables) {
  EXPECT_TRUE(parse(forged(8, 1, 4)).ok()) << "unchanged";
  size_t entry = 64 + 2 * 128;
  struct Case {
    size_t place;
    uint64_t number;
    unsigned width;
  } cases[] = {
      {12, 4, 4},          // one more section than there is
      {12, UINT32_MAX, 4}, // far more
      {12, 2, 4},          // one less
      {24, 1, 8},          // reserved
      {entry + 64, 0, 8},  // offset on the header
      {entry + 64, UINT64_MAX, 8},
      {entry + 72, UINT64_MAX, 8}, // bytes
      {entry + 72, 129, 8},
      {entry + 80, UINT64_MAX, 8}, // span
      {entry + 80, 64, 8},
      {entry + 88, 1, 8}, // reserved
      {entry, 'A', 1},    // name
      {entry, 0, 1},      // name after its end
      {entry + 63, 'x', 1},
  };
  for (const Case &c : cases)
    EXPECT_FALSE(parse(forged(c.place, c.number, c.width)).ok())
        << c.place << " = " << c.number;
}

TEST(Artifact, TellsWhatIsWrong) {
  EXPECT_EQ(parse("#!/bin/sh\n").message(), "not a Tarn artifact");
  EXPECT_EQ(parse("").message(), "not a Tarn artifact");
  std::string newer = smallArtifact();
  newer[8] = 9;
  EXPECT_EQ(parse(newer).code(), Code::Unsupported);
  EXPECT_EQ(parse(newer).message(),
            "artifact version 9, this runtime reads version 1");
  EXPECT_EQ(parse(smallArtifact().substr(0, 300)).code(), Code::Damaged);
}

TEST(Artifact, WriterRefusesBadNames) {
  for (const char *name : {"", "UPPER", "a b", "a/b"}) {
    ArtifactWriter writer;
    writer.add(name, "x");
    EXPECT_FALSE(writer.finish().ok()) << name;
  }
  ArtifactWriter twice;
  twice.add("a", "x");
  twice.add("a", "y");
  EXPECT_FALSE(twice.finish().ok());
}

TEST(Artifact, FilesAreCheckedBeforeTheyAreRead) {
  TemporaryFolder folder;
  EXPECT_EQ(Artifact::read(folder / "none").status().code(), Code::NotFound);
  EXPECT_EQ(Artifact::read(folder.path).status().code(), Code::Io);
  EXPECT_FALSE(Artifact::read("/dev/zero").ok());
  std::string bytes = smallArtifact();
  ASSERT_TRUE(writeFile(folder / "a", bytes).ok());
  EXPECT_TRUE(Artifact::read(folder / "a").ok());
  ASSERT_TRUE(writeFile(folder / "b", bytes.substr(0, 100)).ok());
  Status status = Artifact::read(folder / "b").status();
  EXPECT_EQ(status.code(), Code::Damaged);
  EXPECT_NE(status.message().find(folder / "b"), std::string::npos);
}

TEST(Model, NeedsManifestAndCode) {
  ArtifactWriter nothing;
  std::string bytes = *nothing.finish();
  EXPECT_EQ(Model::parse(bytes.data(), bytes.size()).status().message(),
            "the artifact has no manifest");
  Manifest manifest = bigramManifest();
  manifest.targets[0].code = "code.9";
  bytes = bigramArtifact(manifest);
  EXPECT_EQ(Model::parse(bytes.data(), bytes.size()).status().message(),
            "the artifact has no section `code.9`, the code for x86-64");
}
