//===- ConvRecords.cpp - records of convolutions --------------------------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {
using Results = llvm::SmallVector<mlir::Value>;

/// Windows by what a layer says: strides, dilations, and padding before; the
/// number of windows says what is behind.
Windows windowsBy(std::initializer_list<int64_t> in,
                  std::initializer_list<int64_t> out,
                  std::initializer_list<int64_t> taps,
                  std::initializer_list<int64_t> strides,
                  std::initializer_list<int64_t> dilations,
                  std::initializer_list<int64_t> offsets) {
  Windows windows{in, out, taps, strides, dilations, {}, offsets};
  windows.spacing.assign(windows.rank(), 1);
  return windows;
}

/// The windows of all cases, with a name.
std::vector<std::pair<std::string, Windows>> allWindows() {
  std::vector<std::pair<std::string, Windows>> all = {
      {"3x3", windowsBy({5, 7}, {5, 7}, {3, 3}, {1, 1}, {1, 1}, {-1, -1})},
      {"3x3 by 2", windowsBy({7, 6}, {4, 3}, {3, 3}, {2, 2}, {1, 1}, {-1, -1})},
      {"2x3, uneven",
       windowsBy({5, 6}, {6, 4}, {2, 3}, {1, 2}, {1, 1}, {-2, -1})},
      {"dilated", windowsBy({9, 8}, {5, 3}, {3, 3}, {1, 2}, {2, 3}, {0, -2})},
      {"1x1 by 2", windowsBy({5, 6}, {3, 3}, {1, 1}, {2, 2}, {1, 1}, {0, 0})},
      {"1x1", windowsBy({5, 6}, {5, 6}, {1, 1}, {1, 1}, {1, 1}, {0, 0})},
      {"1 d", windowsBy({11}, {6}, {4}, {2}, {1}, {-2})},
      {"3 d", windowsBy({3, 4, 3}, {3, 2, 2}, {3, 2, 2}, {1, 2, 1}, {1, 1, 1},
                        {-1, 0, 0})},
  };
  // A transposed convolution: every element is spread out.
  all.push_back({"transposed", all[1].second.adjoint()});
  return all;
}

std::string matrix(int64_t rows, int64_t columns, std::string element) {
  return std::to_string(rows) + "x" + std::to_string(columns) + "x" + element;
}

OpCase conv(std::string name, Windows windows, int64_t images, int64_t groups,
            int64_t channels, int64_t features, bool transposed = false,
            std::string element = "f32", bool wide = false) {
  std::string x =
      matrix(images * windows.positions(), groups * channels, element);
  std::string w = matrix(windows.tapCount(), groups, "") +
                  (transposed ? matrix(features, channels, element)
                              : matrix(channels, features, element));
  return {name + (transposed ? " with w^T" : "") + ": " + x + ", " + w,
          {{x}, {w}},
          [=](auto &b, auto loc, auto v) {
            return Results{ConvOp::create(
                b, loc, v[0], v[1], windows, transposed,
                wide ? mlir::Type(b.getF32Type()) : mlir::Type())};
          }};
}

OpCase weights(std::string name, Windows windows, int64_t images,
               int64_t groups, int64_t channels, int64_t features,
               std::string element = "f32", bool wide = false) {
  std::string x = matrix(images * windows.positions(), groups * channels,
                         element),
              y = matrix(images * windows.windows(), groups * features,
                         element);
  return {
      name + ": " + x + ", " + y, {{x}, {y}}, [=](auto &b, auto loc, auto v) {
        return Results{ConvWeightsOp::create(
            b, loc, v[0], v[1], windows, groups,
            wide ? mlir::Type(b.getF32Type()) : mlir::Type())};
      }};
}

/// A text with one op on windows of 4 x 4.
std::string program(std::string op, std::string a, std::string b,
                    std::string result, std::string lists = "") {
  if (lists.empty())
    lists = "in = [4, 4] out = [2, 2] taps = [3, 3] strides = [1, 1] "
            "dilations = [1, 1] spacing = [1, 1] offsets = [0, 0]";
  return "func.func @f(%a: tensor<" + a + ">, %b: tensor<" + b +
         ">) { %0 = " + op + " %a, %b " + lists + " : tensor<" + a +
         ">, tensor<" + b + "> -> tensor<" + result + "> return }";
}

OpRecord convRecord() {
  OpRecord record{"tarn.conv", {}};
  for (auto &[name, windows] : allWindows()) {
    record.cases.push_back(conv(name, windows, 2, 1, 3, 5));
    record.cases.push_back(conv(name, windows, 1, 2, 4, 3, true));
  }
  Windows windows = allWindows()[0].second;
  record.cases.push_back(conv("each apart", windows, 2, 5, 1, 1));
  record.cases.push_back(conv("each twice", windows, 1, 3, 1, 2));
  record.cases.push_back(conv("wide", windows, 3, 1, 20, 70));
  record.cases.push_back(conv("bf16", windows, 2, 1, 8, 6, false, "bf16"));
  record.cases.push_back(
      conv("to f32", windows, 2, 1, 16, 6, true, "bf16", true));
  record.cases.push_back(conv("f64", windows, 1, 1, 2, 3, false, "f64"));
  auto refuse = [&](std::string label, std::string text, std::string message) {
    record.errors.push_back({label, text, message});
  };
  auto one = [](std::string a, std::string b, std::string result,
                std::string lists = "") {
    return program("tarn.conv", a, b, result, lists);
  };
  refuse("C1", one("16x1x2xf32", "9x1x2x3xf32", "4x3xf32"),
         "has x of rank 3 and w of rank 4, expected 2 and 4");
  refuse("C2",
         one("16x2xf32", "9x1x2x3xf32", "4x3xf32",
             "in = [] out = [] taps = [] strides = [] dilations = [] "
             "spacing = [] offsets = []"),
         "has windows of 0 dims, expected 1 to 3");
  refuse("C2",
         one("16x2xf32", "9x1x2x3xf32", "4x3xf32",
             "in = [4, 4] out = [2, 2] taps = [3, 3] strides = [1] "
             "dilations = [1, 1] spacing = [1, 1] offsets = [0, 0]"),
         "has 1 strides for 2 dims");
  refuse("C2",
         one("16x2xf32", "9x1x2x3xf32", "4x3xf32",
             "in = [4, 4] out = [2, 2] taps = [3, 3] strides = [1, 0] "
             "dilations = [1, 1] spacing = [1, 1] offsets = [0, 0]"),
         "has 0 among its strides");
  refuse("C3", one("20x2xf32", "9x1x2x3xf32", "4x3xf32"),
         "has 20 rows, which are no whole images of 4, 4 positions");
  refuse("C4", one("16x2xf32", "6x1x2x3xf32", "4x3xf32"),
         "has weights for 6 taps, expected 9");
  refuse("C5", one("16x2xf32", "9x1x4x3xf32", "4x3xf32"),
         "has x of 2 channels and w for 1 groups of 4");
  refuse("C6", one("16x2xf32", "9x1x2x3xf32", "4x3xbf16"),
         "multiplies 'f32' and 'f32' into 'bf16'");
  refuse("C7", one("16x2xf32", "9x1x2x3xf32", "4x4xf32"),
         "returns 'tensor<4x4xf32>' where the operands give "
         "'tensor<4x3xf32>'");
  record.differentiable = {0, 1};
  record.toleranceF32 = 2e-5;
  return record;
}

OpRecord weightsRecord() {
  OpRecord record{"tarn.conv_weights", {}};
  for (auto &[name, windows] : allWindows())
    record.cases.push_back(weights(name, windows, 2, 1, 3, 5));
  Windows windows = allWindows()[0].second;
  record.cases.push_back(weights("in groups", windows, 3, 2, 4, 3));
  record.cases.push_back(weights("each apart", windows, 2, 5, 1, 1));
  record.cases.push_back(weights("wide", windows, 1, 1, 20, 70));
  record.cases.push_back(weights("bf16", windows, 2, 1, 8, 6, "bf16"));
  record.cases.push_back(weights("to f32", windows, 2, 1, 16, 6, "bf16", true));
  record.cases.push_back(weights("f64", windows, 1, 1, 2, 3, "f64"));
  auto refuse = [&](std::string label, std::string text, std::string message) {
    record.errors.push_back({label, text, message});
  };
  auto one = [](std::string a, std::string b, std::string result,
                std::string lists = "") {
    return program("tarn.conv_weights", a, b, result, lists);
  };
  refuse(
      "C1", one("16x1x2xf32", "4x3xf32", "9x1x2x3xf32"),
      "has x and y of rank 3 and 2 and a result of rank 4, expected 2 and 4");
  refuse("C2",
         one("16x2xf32", "4x3xf32", "9x1x2x3xf32",
             "in = [4, 4] out = [2, 2] taps = [3, 3] strides = [1, 1] "
             "dilations = [1, 1] spacing = [1, 1] offsets = [0]"),
         "has 1 offsets for 2 dims");
  refuse("C3", one("16x2xf32", "8x3xf32", "9x1x2x3xf32"),
         "has 16 rows of x and 8 of y, which are no images of 4, 4 and as many "
         "of 2, 2 positions");
  refuse("C4", one("16x2xf32", "4x3xbf16", "9x1x2x3xf32"),
         "multiplies 'f32' and 'bf16' into 'f32'");
  refuse(
      "C5", one("16x2xf32", "4x3xf32", "9x1x3x2xf32"),
      "returns 'tensor<9x1x3x2xf32>' for 9 taps, 2 channels of x and 3 of y");
  record.differentiable = {0, 1};
  record.toleranceF32 = 5e-5;
  return record;
}

} // namespace

std::vector<OpRecord> test::convRecords() {
  return {convRecord(), weightsRecord()};
}
