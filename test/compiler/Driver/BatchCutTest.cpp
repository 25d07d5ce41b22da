//===- BatchCutTest.cpp - what micro-batches change -----------------------===//

#include "compiler/Driver/BatchCut.h"

#include "compiler/Driver/Registry.h"
#include "compiler/Driver/Variants.h"
#include "dialects/Tarn/TarnOps.h"

#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace tarn;

namespace {

/// A function of a batch, and what cutting it says. `$B` are the rows, `$N`
/// four times as many; `@loss` names an argument or result and its role.
struct Case {
  const char *name, *arguments, *results, *body, *says;
};

constexpr const char *rows = "%x: tensor<$Bx4xf32> @input";
constexpr const char *rowsAndWeights =
    "%x: tensor<$Bx4xf32> @input, %w: tensor<4x4xf32> @parameter";
constexpr const char *rowsAndKey =
    "%x: tensor<$Bx4xf32> @input, %key: tensor<2xi32> @rng";
constexpr const char *number = "tensor<f32> @loss";

constexpr Case cases[] = {
    // What is one row's at a time, and sums and means over rows.
    {"a mean over the batch", rowsAndWeights, number, R"(
  %h = tarn.dot %x, %w : tensor<$Bx4xf32>, tensor<4x4xf32> -> tensor<$Bx4xf32>
  %e = tarn.exp %h : tensor<$Bx4xf32>
  %s = tarn.reduce_sum %e dims = [0, 1] : tensor<$Bx4xf32>
  %n = tarn.constant dense<$N.0> : tensor<f32>
  %r = tarn.div %s, %n : tensor<f32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts"},
    {"a sum over the batch", rows, number, R"(
  %r = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, loss adds"},
    {"a sum times a number", rows, number, R"(
  %s = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  %n = tarn.constant dense<4.0> : tensor<f32>
  %r = tarn.div %s, %n : tensor<f32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, loss adds"},
    {"a mean beside what does not depend on rows", rowsAndWeights, number, R"(
  %s = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  %n = tarn.constant dense<$N.0> : tensor<f32>
  %m = tarn.div %s, %n : tensor<f32>
  %p = tarn.reduce_sum %w dims = [0, 1] : tensor<4x4xf32>
  %r = tarn.add %m, %p : tensor<f32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts"},
    {"softmax along rows", rows, number, R"(
  %p = tarn.softmax %x dim = 1 : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %p dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, loss adds"},
    {"a running sum along rows", rows, number, R"(
  %c = tarn.cumsum %x dim = 1 : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %c dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, loss adds"},
    {"rows in the last dim, and within one", rows, number, R"(
  %t = tarn.transpose %x permutation = [1, 0] : tensor<$Bx4xf32>
  %u = tarn.transpose %t permutation = [1, 0] : tensor<4x$Bxf32>
  %f = tarn.reshape %u : tensor<$Bx4xf32> -> tensor<$Nxf32>
  %r = tarn.reduce_sum %f dims = [0] : tensor<$Nxf32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, loss adds"},
    {"rows of a table",
     "%t: tensor<9x4xf32> @parameter, "
     "%i: tensor<$Bxi32> @input",
     number, R"(
  %e = tarn.gather %t, %i : tensor<9x4xf32>, tensor<$Bxi32>
  %r = tarn.reduce_sum %e dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "rounding, input 1 in parts, loss adds"},
    {"an input that every micro-batch sees",
     "%x: tensor<$Bx4xf32> @input, "
     "%y: tensor<4xf32> @input",
     number, R"(
  %b = tarn.broadcast %y dims = [1] : tensor<4xf32> -> tensor<$Bx4xf32>
  %m = tarn.mul %x, %b : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %m dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, input 1 whole, loss adds"},

    // Masked labels: sums and counts are added up apart.
    {"the mean over labels that count",
     "%x: tensor<$Bx4xf32> @input, "
     "%t: tensor<$Bxi32> @input",
     number, R"(
  %l, %e = tarn.cross_entropy %x, %t ignore_index = -100 : tensor<$Bx4xf32>, tensor<$Bxi32>
  %s = tarn.reduce_sum %l dims = [0] : tensor<$Bxf32>
  %none = tarn.constant dense<-100> : tensor<$Bxi32>
  %is = tarn.compare ne %t, %none : tensor<$Bxi32>
  %f = tarn.cast %is : tensor<$Bxi1> -> tensor<$Bxf32>
  %c = tarn.reduce_sum %f dims = [0] : tensor<$Bxf32>
  %r = tarn.ratio %s, %c : tensor<f32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, input 1 in parts"},
    {"a sum by a count, and no ratio", "%x: tensor<$Bxf32> @input", number, R"(
  %s = tarn.reduce_sum %x dims = [0] : tensor<$Bxf32>
  %e = tarn.exp %x : tensor<$Bxf32>
  %c = tarn.reduce_sum %e dims = [0] : tensor<$Bxf32>
  %r = tarn.div %s, %c : tensor<f32>
  return %r : tensor<f32>)",
     "meaning: `div` looks across the batch, line 4, input 0 in parts"},

    // Moments over the batch.
    {"rows that see a mean", rows, number, R"(
  %s = tarn.reduce_sum %x dims = [0] : tensor<$Bx4xf32>
  %b = tarn.broadcast %s dims = [1] : tensor<4xf32> -> tensor<$Bx4xf32>
  %d = tarn.sub %x, %b : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %d dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "meaning: `reduce_sum` looks across the batch, line 1, input 0 in parts"},
    {"the square of a mean", rows, number, R"(
  %s = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  %n = tarn.constant dense<$N.0> : tensor<f32>
  %m = tarn.div %s, %n : tensor<f32>
  %r = tarn.mul %m, %m : tensor<f32>
  return %r : tensor<f32>)",
     "meaning: `mul` looks across the batch, line 4, input 0 in parts"},
    {"a sum beside a mean", rows, number, R"(
  %s = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  %n = tarn.constant dense<$N.0> : tensor<f32>
  %m = tarn.div %s, %n : tensor<f32>
  %r = tarn.add %m, %s : tensor<f32>
  return %r : tensor<f32>)",
     "meaning: `add` looks across the batch, line 4, input 0 in parts"},
    {"the largest of the batch", rows, number, R"(
  %m = tarn.reduce_max %x dims = [0] : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %m dims = [0] : tensor<4xf32>
  return %r : tensor<f32>)",
     "meaning: `reduce_max` looks across the batch, line 1, input 0 in parts"},
    {"a running sum over rows", rows, number, R"(
  %c = tarn.cumsum %x dim = 0 : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %c dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "meaning: `cumsum` looks across the batch, line 1, input 0 in parts"},
    {"rows that meet rows", rows, number, R"(
  %d = tarn.dot %x, %x transpose_b : tensor<$Bx4xf32>, tensor<$Bx4xf32> -> tensor<$Bx$Bxf32>
  %r = tarn.reduce_sum %d dims = [0, 1] : tensor<$Bx$Bxf32>
  return %r : tensor<f32>)",
     "meaning: `dot` looks across the batch, line 1, input 0 in parts"},
    {"the number of a row", rows, number, R"(
  %i = tarn.iota dim = 0 : tensor<$Bx4xf32>
  %m = tarn.mul %x, %i : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %m dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "meaning: `iota` looks across the batch, line 1, input 0 in parts"},
    {"the first rows", rows, number, R"(
  %f = tarn.slice %x offsets = [0, 0] sizes = [2, 4] : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %f dims = [0, 1] : tensor<2x4xf32>
  return %r : tensor<f32>)",
     "meaning: `slice` looks across the batch, line 1, input 0 in parts"},
    {"rows one behind the other", rows, number, R"(
  %c = tarn.concat %x, %x dim = 0 : tensor<$Bx4xf32>, tensor<$Bx4xf32>
  %r = tarn.reduce_max %c dims = [1] : tensor<$Cx4xf32>
  %s = tarn.reduce_sum %r dims = [0] : tensor<$Cxf32>
  return %s : tensor<f32>)",
     "meaning: `concat` looks across the batch, line 1, input 0 in parts"},
    {"a reshape that mixes rows", rows, number, R"(
  %f = tarn.reshape %x : tensor<$Bx4xf32> -> tensor<4x$Bxf32>
  %r = tarn.reduce_sum %f dims = [0, 1] : tensor<4x$Bxf32>
  return %r : tensor<f32>)",
     "meaning: `reshape` looks across the batch, line 1, input 0 in parts"},

    // Draws: a part of one that runs along rows begins where others end.
    {"a draw along rows", rowsAndKey, number, R"(
  %u = tarn.random_uniform %key salt = 1 : tensor<$Bx4xf32>
  %m = tarn.mul %x, %u : tensor<$Bx4xf32>
  %v = tarn.random_uniform %key salt = 2 : tensor<4xf32>
  %b = tarn.broadcast %v dims = [1] : tensor<4xf32> -> tensor<$Bx4xf32>
  %n = tarn.mul %m, %b : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %n dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "rounding, input 0 in parts, draw 0 in parts, loss adds"},
    {"a draw across rows", rowsAndKey, number, R"(
  %u = tarn.random_uniform %key salt = 1 : tensor<4x$Bxf32>
  %t = tarn.transpose %x permutation = [1, 0] : tensor<$Bx4xf32>
  %m = tarn.mul %t, %u : tensor<4x$Bxf32>
  %r = tarn.reduce_sum %m dims = [0, 1] : tensor<4x$Bxf32>
  return %r : tensor<f32>)",
     "meaning: `random_uniform` looks across the batch, line 1, "
     "input 0 in parts"},

    // Results that are no total.
    {"a number of each row", rows, "tensor<$Bxf32> @metric", R"(
  %r = tarn.reduce_sum %x dims = [1] : tensor<$Bx4xf32>
  return %r : tensor<$Bxf32>)",
     "meaning: `metric` is of each row, line 1, input 0 in parts"},
    {"a state", rowsAndWeights, "tensor<4x4xf32> @state", R"(
  %r = tarn.exp %w : tensor<4x4xf32>
  return %r : tensor<4x4xf32>)",
     "meaning: `state` is updated by each micro-batch, line 1, "
     "input 0 in parts"},

    // What is no cut at all.
    {"batches along different dims",
     "%x: tensor<$Bx4xf32> @input, "
     "%y: tensor<4x$Bxf32> @input",
     number, R"(
  %s = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  %t = tarn.reduce_sum %y dims = [0, 1] : tensor<4x$Bxf32>
  %r = tarn.add %s, %t : tensor<f32>
  return %r : tensor<f32>)",
     "no cut"},
    {"a parameter for each row",
     "%x: tensor<$Bx4xf32> @input, "
     "%w: tensor<$Bx4xf32> @parameter",
     number, R"(
  %m = tarn.mul %x, %w : tensor<$Bx4xf32>
  %r = tarn.reduce_sum %m dims = [0, 1] : tensor<$Bx4xf32>
  return %r : tensor<f32>)",
     "no cut"},
    {"no rows", "%x: tensor<4xf32> @input", number, R"(
  %r = tarn.reduce_sum %x dims = [0] : tensor<4xf32>
  return %r : tensor<f32>)",
     "no cut"},
    {"an output of rows", rows, "tensor<$Bx4xf32> @output", R"(
  %r = tarn.exp %x : tensor<$Bx4xf32>
  return %r : tensor<$Bx4xf32>)",
     "no cut"},
    {"other numbers of another graph", rows, number, R"(
  %s = tarn.reduce_sum %x dims = [0, 1] : tensor<$Bx4xf32>
  %r = tarn.$OP %s : tensor<f32>
  return %r : tensor<f32>)",
     "no cut"},
};

/// The function of a case for so many rows.
std::string textOf(const Case &each, int64_t batch) {
  std::string text = std::string("func.func @f(") + each.arguments + ") -> (" +
                     each.results + ") {" + each.body + "\n}";
  auto replace = [&](StringRef from, const std::string &to) {
    for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos;)
      text.replace(at, from.size(), to);
  };
  replace("$B", std::to_string(batch));
  replace("$C", std::to_string(2 * batch));
  replace("$N", std::to_string(4 * batch));
  replace("$OP", batch == 8 ? "exp" : "log");
  for (StringRef role :
       {"input", "parameter", "rng", "state", "loss", "metric", "output"})
    replace(
        ("@" + role).str(),
        ("{tarn.name = \"" + role + "\", tarn.role = \"" + role + "\"}").str());
  return text;
}

/// The verdict and what is marked, as text.
std::string cut(MLIRContext &context, const Case &each, int64_t count) {
  auto whole = parseSourceString<ModuleOp>(textOf(each, 8), &context),
       part = parseSourceString<ModuleOp>(textOf(each, 4), &context);
  if (!whole || !part)
    return "does not parse";
  auto function = *part->getOps<func::FuncOp>().begin();
  std::optional<BatchCut> cut =
      cutBatch(*whole->getOps<func::FuncOp>().begin(), function, count);
  if (!cut)
    return "no cut";
  std::string says = allowedWord(cut->needs).str();
  if (!cut->reason.empty())
    says += ": " + cut->reason;
  if (cut->at)
    // The body begins behind the first line.
    says += ", line " +
            std::to_string(cast<FileLineColLoc>(*cut->at).getLine() - 1);
  for (unsigned i = 0; i != function.getNumArguments(); ++i) {
    std::string input = ", input " + std::to_string(i);
    if (auto parts = function.getArgAttrOfType<IntegerAttr>(i, "tarn.parts")) {
      EXPECT_EQ(parts.getInt(), count);
      says += input + " in parts";
    }
    if (function.getArgAttr(i, "tarn.whole"))
      says += input + " whole";
  }
  unsigned draw = 0;
  function.walk([&](graph::RandomOp op) {
    if (op->hasAttr("tarn.part"))
      says += ", draw " + std::to_string(draw) + " in parts";
    ++draw;
  });
  if (function.getResultAttr(0, "tarn.adds"))
    says += ", loss adds";
  return says;
}

TEST(BatchCut, SaysWhatMicroBatchesChange) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  for (const Case &each : cases)
    EXPECT_EQ(cut(context, each, 2), each.says) << each.name;
}

TEST(BatchCut, RefusesPartsOfAnotherSize) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  EXPECT_EQ(cut(context, cases[0], 4), "no cut");
}

} // namespace
