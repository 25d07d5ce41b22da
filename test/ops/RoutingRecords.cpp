//===- RoutingRecords.cpp - records of what mixtures of experts need ------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {
using Results = llvm::SmallVector<mlir::Value>;

OpCase topK(std::string type, int64_t k) {
  return {type + " k = " + std::to_string(k),
          {{type}},
          [=](auto &b, auto loc, auto v) {
            return Results(TopKOp::create(b, loc, v[0], k)->getResults());
          }};
}

OpRecord topKRecord() {
  OpRecord record{"tarn.top_k",
                  {topK("4x8xf32", 2), topK("2x3x5xf32", 5), topK("9xf32", 1),
                   topK("4x16xbf16", 4), topK("2x7xf64", 3)}};
  record.errors = {
      {"C1",
       "func.func @f(%x: tensor<f32>) { %0, %1 = tarn.top_k %x k = 1 : "
       "tensor<f32> return }",
       "takes elements of a tensor of rank 0"},
      {"C2",
       "func.func @f(%x: tensor<4x8xf32>) { %0, %1 = tarn.top_k %x k = 9 "
       ": tensor<4x8xf32> return }",
       "takes 9 of 8 elements"},
      {"C2",
       "func.func @f(%x: tensor<4x8xf32>) { %0, %1 = tarn.top_k %x k = 0 "
       ": tensor<4x8xf32> return }",
       "takes 0 of 8 elements"}};
  record.differentiable = {0};
  return record;
}

OpCase groupRows(std::string type, int64_t count, double low, double high) {
  return {type + " in " + std::to_string(count),
          {{type, low, high}},
          [=](auto &b, auto loc, auto v) {
            return Results(
                GroupRowsOp::create(b, loc, v[0], count)->getResults());
          }};
}

OpRecord groupRowsRecord() {
  OpRecord record{"tarn.group_rows",
                  {groupRows("12xi32", 4, 0, 3), groupRows("1xi32", 1, 0, 0),
                   // Groups without rows, and rows without a group.
                   groupRows("9xi32", 20, 0, 19),
                   groupRows("16xi32", 3, -1, 4)}};
  record.errors = {
      {"C1",
       "func.func @f(%x: tensor<2x3xi32>) { %0:3 = tarn.group_rows %x "
       "count = 2 : tensor<2x3xi32> return }",
       "groups rows by a tensor of rank 2"},
      {"C2",
       "func.func @f(%x: tensor<3xi32>) { %0:3 = tarn.group_rows %x "
       "count = 0 : tensor<3xi32> return }",
       "makes 0 groups"}};
  return record;
}

OpCase groupedDot(std::string x, std::string w, std::vector<double> offsets,
                  bool transposed,
                  mlir::Type (*element)(mlir::Builder &) = {}) {
  std::string at = std::to_string(offsets.size()) + "xi32";
  return {x + " * " + w + (transposed ? "^T" : "") + (element ? " wide" : ""),
          {{x}, {w}, {at, 0, 0, {}, offsets}},
          [=](auto &b, auto loc, auto v) {
            auto op =
                GroupedDotOp::create(b, loc, v[0], v[1], v[2], transposed);
            if (element)
              op.getResult().setType(withElementType(op.getType(), element(b)));
            return Results{op};
          }};
}

mlir::Type f32(mlir::Builder &b) { return b.getF32Type(); }

OpRecord groupedDotRecord() {
  OpRecord record{
      "tarn.grouped_dot",
      {groupedDot("12x8xf32", "4x8x6xf32", {0, 3, 3, 9, 12}, false),
       groupedDot("12x8xf32", "4x6x8xf32", {0, 3, 3, 9, 12}, true),
       // Rows of no group.
       groupedDot("7x3xf32", "2x3x5xf32", {0, 4, 6}, false),
       groupedDot("5x1xf32", "1x1x4xf32", {0, 5}, false),
       groupedDot("6x4xf64", "2x5x4xf64", {0, 0, 6}, true),
       groupedDot("6x4xbf16", "3x4x5xbf16", {0, 1, 4, 6}, false),
       groupedDot("6x4xbf16", "3x4x5xbf16", {0, 1, 4, 6}, false, f32)}};
  auto program = [](std::string x, std::string w, std::string o,
                    std::string r) {
    return "func.func @f(%x: tensor<" + x + ">, %w: tensor<" + w +
           ">, %o: tensor<" + o +
           ">) { %0 = tarn.grouped_dot %x, %w, %o : " + "tensor<" + x +
           ">, tensor<" + w + ">, tensor<" + o + "> -> tensor<" + r +
           "> return }";
  };
  record.errors = {{"C1", program("4xf32", "2x4x3xf32", "3xi32", "4x3xf32"),
                    "takes ranks 2, 3 and 1, not 1, 3 and 1"},
                   {"C2", program("4x5xf32", "2x4x3xf32", "3xi32", "4x3xf32"),
                    "sums over 5 elements of x and 4 elements of w"},
                   {"C3", program("4x4xf32", "2x4x3xf32", "2xi32", "4x3xf32"),
                    "has 2 offsets for 2 matrices"},
                   {"C4", program("4x4xf32", "2x4x3xbf16", "3xi32", "4x3xf32"),
                    "multiplies 'f32' and 'bf16' into 'f32'"},
                   {"C5", program("4x4xf32", "2x4x3xf32", "3xi32", "4x4xf32"),
                    "returns 'tensor<4x4xf32>' where the operands give "
                    "'tensor<4x3xf32>'"}};
  record.differentiable = {0, 1};
  record.toleranceF32 = 2e-5;
  return record;
}

OpCase groupedOuter(std::string x, std::string y, std::vector<double> offsets) {
  std::string at = std::to_string(offsets.size()) + "xi32";
  return {x + " by " + y,
          {{x}, {y}, {at, 0, 0, {}, offsets}},
          [=](auto &b, auto loc, auto v) {
            return Results{GroupedOuterOp::create(b, loc, v[0], v[1], v[2])};
          }};
}

OpRecord groupedOuterRecord() {
  OpRecord record{"tarn.grouped_outer",
                  {groupedOuter("12x8xf32", "12x6xf32", {0, 3, 3, 9, 12}),
                   groupedOuter("7x3xf32", "7x5xf32", {0, 4, 6}),
                   groupedOuter("1x1xf64", "1x1xf64", {0, 1}),
                   groupedOuter("6x4xbf16", "6x5xbf16", {0, 1, 4, 6})}};
  auto program = [](std::string x, std::string y, std::string o,
                    std::string r) {
    return "func.func @f(%x: tensor<" + x + ">, %y: tensor<" + y +
           ">, %o: tensor<" + o +
           ">) { %0 = tarn.grouped_outer %x, %y, %o : " + "tensor<" + x +
           ">, tensor<" + y + ">, tensor<" + o + "> -> tensor<" + r +
           "> return }";
  };
  record.errors = {{"C1", program("4x3xf32", "4x3xf32", "1xi32", "1x3x3xf32"),
                    "takes ranks 2, 2 and 1 and at least 2 offsets"},
                   {"C2", program("4x3xf32", "5x3xf32", "2xi32", "1x3x3xf32"),
                    "has 4 rows of x and 5 of y"},
                   {"C3", program("4x3xf32", "4x3xf64", "2xi32", "1x3x3xf32"),
                    "multiplies 'f32' and 'f64' into 'f32'"},
                   {"C4", program("4x3xf32", "4x2xf32", "2xi32", "1x2x3xf32"),
                    "returns 'tensor<1x2x3xf32>' where the operands give "
                    "'tensor<1x3x2xf32>'"}};
  record.differentiable = {0, 1};
  record.toleranceF32 = 2e-5;
  return record;
}
} // namespace

std::vector<OpRecord> test::routingRecords() {
  return {topKRecord(), groupRowsRecord(), groupedDotRecord(),
          groupedOuterRecord()};
}
