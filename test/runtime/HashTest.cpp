#include "runtime/Hash.h"

#include <gtest/gtest.h>
#include <random>

using namespace tarn::rt;

static std::string hashText(const std::string &text, bool portable) {
  Sha256 hash(portable);
  hash.update(text.data(), text.size());
  return toHex(hash.finish());
}

// Vectors of FIPS 180-4 (and of one million letters a).
TEST(Hash, StandardVectors) {
  const std::pair<std::string, const char *> vectors[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1000000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
  for (const auto &[text, digest] : vectors) {
    EXPECT_EQ(hashText(text, false), digest);
    EXPECT_EQ(hashText(text, true), digest);
  }
}

TEST(Hash, PiecesAndInstructionsDoNotMatter) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 300; ++size) {
    std::string text;
    for (size_t i = 0; i < size; ++i)
      text.push_back(static_cast<char>(random()));
    Sha256 pieces(true);
    for (size_t at = 0; at < size;) {
      size_t take = std::min<size_t>(random() % 90, size - at);
      pieces.update(text.data() + at, take);
      at += take;
    }
    EXPECT_EQ(toHex(pieces.finish()), hashText(text, false)) << size;
  }
}
