//===- OpsTest.cpp - every op, from the graph to machine code -------------===//

#include "CompareCompiled.h"

#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

using namespace tarn::test;

namespace {

/// A function from the arguments' types and the body, which defines %r.
struct Case {
  const char *name;
  const char *arguments; ///< types, one per %0, %1, ...; `below N` for indices
  const char *body;
  const char *result;
  double tolerance = 2e-5;
  bool typed = false;
};

std::string textOf(const Case &c) {
  std::string text = "func.func @f(";
  llvm::SmallVector<llvm::StringRef> types;
  llvm::StringRef(c.arguments).split(types, ';', -1, false);
  for (auto [i, type] : llvm::enumerate(types)) {
    auto [plain, below] = type.split(" below ");
    text += (i ? ", %a" : "%a") + std::to_string(i) + ": " + plain.str() +
            " {tarn.name = \"a" + std::to_string(i) +
            "\", tarn.role = \"input\"";
    if (!below.empty())
      text += ", test.below = " + below.str() + " : i64";
    text += "}";
  }
  llvm::SmallVector<llvm::StringRef> results;
  llvm::StringRef(c.result).split(results, ';', -1, false);
  text += ") -> (";
  std::string names, all;
  for (auto [i, type] : llvm::enumerate(results)) {
    text += (i ? ", " : "") + type.str() + " {tarn.name = \"r" +
            std::to_string(i) + "\", tarn.role = \"output\"}";
    names += (i ? ", %r" : "%r") + std::to_string(i);
    all += (i ? ", " : "") + type.str();
  }
  text += ") attributes {tarn.kind = \"forward\"} {\n";
  text += c.body;
  text += "\n  return " + names + " : " + all + "\n}\n";
  return text;
}

class Ops : public testing::TestWithParam<Case> {};

} // namespace

TEST_P(Ops, Compiled) {
  CompareOptions options;
  options.tolerance = GetParam().tolerance;
  options.typed = GetParam().typed;
  CompareResult result = compareCompiled(textOf(GetParam()), options);
  EXPECT_EQ(result.error, "") << textOf(GetParam());
}

static const Case cases[] = {
#include "OpCases.inc"
};

INSTANTIATE_TEST_SUITE_P(All, Ops, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<Case> &info) {
                           return std::string(info.param.name);
                         });
