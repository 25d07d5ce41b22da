//===- FuzzTest.cpp - damaged models never hurt the compiler --------------===//
//
// Models with bytes and tokens changed, cut, repeated and nested, a fixed
// number of them from a fixed seed. Reading one ends soon, in bounded memory,
// with a module that verifies or with an error that has a place.
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver/Registry.h"
#include "frontends/TarnLanguage/Import.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"

#include "gtest/gtest.h"

#include <chrono>
#include <fstream>
#include <random>
#include <sys/resource.h>

using namespace tarn;

namespace {

std::string readFile(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(file)) << path;
  return file ? (*file)->getBuffer().str() : "";
}

/// What the examples do not use.
constexpr const char *everything = R"(use nn (Linear, LayerNorm, attention)
param slope = 0.5
module Alibi(width, heads) {
  q = Linear(width, 3 * width)
  slopes: [heads] = 0.25
  const d = width / heads
  fn (x: [B, T, width], segment: i32[B, T]) -> [B, T, width] where T <= 8 {
    let q, k, v = rearrange(q(x), b t (n h d) -> n b h t d, n = 3, h = heads)
    let mixed = attention(q, k, v, scale = 1 / sqrt(d),
      mask = (b, h, i, j) -> segment[b, i] == segment[b, j] and i >= j,
      score = (s, b, h, i, j) -> 5 * tanh(s / 5) - slopes[h] * (i - j))
    rearrange(mixed, b h t d -> b t (h d))
  }
}
module Net(width = 8, depth = 2) {
  blocks = [Alibi(width, 2) for i in 0..depth]
  norms = [LayerNorm(width) for i in 0..depth]
  fn (x: [B, T, width], segment: i32[B, T]) -> [B, T, width] {
    for block, norm in zip(blocks, norms) {
      let y = block(norm(x)[:, 0:4], segment)
      x = if depth > 1 { x + y } else { y }
    }
    x[:, 0:T] * 2 - x[:, -T:]
  }
}
model net = Net() named "n"
train step(x: f32[B = 2, T = 4, 8], segment: i32[B, T]) {
  let y = net(x, segment)
  loss = mean((y - slope) ** 2)
  metric high = mean(y > 0)
  optimizer = SGD(rate = 0.1, momentum = 0.9) except ("**.bias") decay = 0
  clip = 1.0
}
eval check(x: f32[B, T, 8], segment: i32[B, T]) { loss = mean(net(x, segment)) }
)";

/// An example with small sizes as its defaults.
std::string exampleText(const std::string &name) {
  std::string text = readFile(TARN_EXAMPLES "/" + name + "/" + name + ".tarn");
  std::string small;
  for (llvm::StringRef rest = text; !rest.empty();) {
    auto [line, tail] = rest.split('\n');
    rest = tail;
    if (line.contains("vocab = ") && line.starts_with("module"))
      line = name == "gpt2" ? "module GPT2(layers = 1, heads = 2, width = 8, "
                              "context = 4, vocab = 16, dropped = 0.0) {"
                            : "module Llama(layers = 1, heads = 2, kv = 1, "
                              "width = 8, hidden = 12, context = 4, vocab = "
                              "16, theta = 10000.0) {";
    if (line.starts_with("train "))
      line = "train step(tokens: i32[B = 1, T = 4], targets: i32[B, T]) {";
    small += line.str() + "\n";
  }
  return small;
}

/// Words, numbers, operators; what lies between goes with the token before.
std::vector<std::string> tokenize(const std::string &text) {
  std::vector<std::string> tokens;
  auto kind = [](unsigned char c) {
    return isalnum(c) || c == '_' ? 0 : isspace(c) ? 1 : 2;
  };
  for (char c : text)
    if (!tokens.empty() && kind(c) != 2 &&
        (kind(c) == 1 || kind(tokens.back().back()) == kind(c)))
      tokens.back() += c;
    else
      tokens.push_back(std::string(1, c));
  return tokens;
}

class LanguageFuzz : public testing::Test {
protected:
  static void SetUpTestSuite() {
    // An allocation without bound ends the process instead of the machine.
#if !__has_feature(address_sanitizer)
    rlimit limit = {rlim_t(6) << 30, rlim_t(6) << 30};
    setrlimit(RLIMIT_AS, &limit);
#endif
  }

  LanguageFuzz() : context(dialects()), random(20261124) {}

  static mlir::DialectRegistry dialects() {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }

  /// Reads one text; true if it is a model.
  bool read(const std::string &text) {
    std::string path = testing::TempDir() + "fuzz.tarn";
    {
      std::ofstream file(path, std::ios::binary);
      file << text;
    }
    context.loadAllAvailableDialects();
    lang::ImportOptions options;
    std::string &errors = complaints;
    errors.clear();
    llvm::raw_string_ostream stream(errors);
    auto start = std::chrono::steady_clock::now();
    auto module = lang::importTarn(context, path, options, stream);
    std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
#if __has_feature(address_sanitizer)
    constexpr double most = 60;
#else
    constexpr double most = 10;
#endif
    EXPECT_LT(took.count(), most) << text.substr(0, 2000);
    if (module)
      EXPECT_TRUE(mlir::succeeded(mlir::verify(*module))) << text;
    else
      EXPECT_TRUE(errors.find("error: ") != std::string::npos &&
                  errors.find("fuzz.tarn") != std::string::npos)
          << text << "\n"
          << errors;
    return bool(module);
  }

  size_t below(size_t limit) { return random() % std::max<size_t>(limit, 1); }

  std::string changeBytes(std::string text) {
    for (size_t i = below(4) + 1; i != 0 && !text.empty(); --i) {
      size_t at = below(text.size());
      switch (below(4)) {
      case 0:
        text[at] = char(random());
        break;
      case 1:
        text.erase(at, below(8) + 1);
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), below(16)));
        break;
      case 3:
        text.resize(at);
        break;
      }
    }
    return text;
  }

  std::string changeTokens(std::vector<std::string> tokens) {
    static const char *strange[] = {"999999999999999999999",
                                    "-1 ",
                                    "0 ",
                                    "1e308 ",
                                    "1000000000 ",
                                    "(",
                                    ")",
                                    "{",
                                    "}",
                                    "[",
                                    "]",
                                    "..",
                                    "->",
                                    "for ",
                                    "if ",
                                    "module ",
                                    "fn ",
                                    "let ",
                                    "none ",
                                    "* ",
                                    "/ 0 ",
                                    "\"",
                                    "#",
                                    "**.",
                                    "= ",
                                    ", ",
                                    "B ",
                                    "T "};
    for (size_t i = below(3) + 1; i != 0; --i) {
      size_t at = below(tokens.size()), other = below(tokens.size());
      switch (below(5)) {
      case 0:
        tokens.erase(tokens.begin() + at);
        break;
      case 1:
        tokens.insert(tokens.begin() + at, tokens[other]);
        break;
      case 2:
        std::swap(tokens[at], tokens[other]);
        break;
      case 3:
        tokens[at] = tokens[other];
        break;
      case 4:
        tokens[at] = strange[below(std::size(strange))];
        break;
      }
      if (tokens.empty())
        break;
    }
    std::string text;
    for (const std::string &token : tokens)
      text += token;
    return text;
  }

  mlir::MLIRContext context;
  std::mt19937_64 random;
  std::string complaints;
};

TEST_F(LanguageFuzz, ChangedModels) {
  for (const std::string &text :
       {exampleText("gpt2"), exampleText("llama"), std::string(everything)}) {
    std::vector<std::string> tokens = tokenize(text);
    std::string whole;
    for (const std::string &token : tokens)
      whole += token;
    ASSERT_EQ(whole, text);
    ASSERT_TRUE(read(text)) << complaints;
    size_t good = 0, rounds = 6000;
    for (size_t i = 0; i != rounds && !HasFailure(); ++i)
      good += read(i % 3 ? changeTokens(tokens) : changeBytes(text));
    // Changes that still make a model are the interesting ones: some must be.
    EXPECT_GT(good, rounds / 100);
    EXPECT_LT(good, rounds);
  }
}

TEST_F(LanguageFuzz, CutAnywhere) {
  std::string text = exampleText("gpt2");
  for (size_t at = 0; at < text.size() && !HasFailure(); at += 7)
    read(text.substr(0, at));
}

TEST_F(LanguageFuzz, Bombs) {
  auto repeat = [](const std::string &unit, size_t times) {
    std::string text;
    for (size_t i = 0; i != times; ++i)
      text += unit;
    return text;
  };
  const std::string head = "module M() {\n  fn (x: [B, 4]) -> [B, 4] { ",
                    tail = " }\n}\nmodel net = M()\n"
                           "eval f(x: f32[B = 2, 4]) { loss = mean(net(x)) }\n";
  EXPECT_TRUE(read(head + "x + x" + tail));
  for (const char *unit :
       {"(", "-", "[", "{ ", "x + (", "f(", "if true { ", "(a) -> "})
    EXPECT_FALSE(read(head + repeat(unit, 100000) + tail)) << unit;
  EXPECT_FALSE(read(repeat("module ", 100000)));
  EXPECT_FALSE(read(repeat("use nn (Linear)\n", 20000)));
  EXPECT_FALSE(read(std::string(1000000, 'x')));
  EXPECT_FALSE(read(std::string(1000, '\0')));
  EXPECT_FALSE(read("\xff\xfe" + repeat("\xc3\x28", 1000)));
  // Loops and lists of which the length is a number in the text.
  for (const char *body :
       {"for i in 0..1_000_000_000 { x = x + x }\n x",
        "for i in 0..100_000 { for j in 0..100_000 { x = x + x } }\n x"})
    EXPECT_FALSE(read(head + body + tail)) << body;
  EXPECT_FALSE(
      read("module L() { l = [Linear(4, 4) for i in 0..1_000_000_000]\n"
           "fn (x: [B, 4]) -> [B, 4] { x } }\nmodel net = L()\n"));
  // Each function calls the one before twice: 2^40 calls.
  std::string calls = "module M() {\n  fn f0(x: [B, 4]) -> [B, 4] { x }\n";
  for (int i = 1; i <= 40; ++i)
    calls += "  fn f" + std::to_string(i) + "(x: [B, 4]) -> [B, 4] { f" +
             std::to_string(i - 1) + "(f" + std::to_string(i - 1) + "(x)) }\n";
  EXPECT_FALSE(read(calls + "  fn (x: [B, 4]) -> [B, 4] { f40(x) }\n}\n"
                            "model net = M()\neval f(x: f32[B = 2, 4]) { loss "
                            "= mean(net(x)) }\n"));
}

} // namespace
