//===- DotRecords.cpp - records of reductions, products, gathers ----------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

using Ints = std::vector<int64_t>;

namespace {
using Results = llvm::SmallVector<mlir::Value>;

template <typename Op> OpRecord reduce() {
  OpRecord record{Op::getOperationName().str(), {}};
  auto add = [&](std::string type, Ints dims) {
    record.cases.push_back({type + " over " + std::to_string(dims.size()),
                            {{type}},
                            [=](auto &b, auto loc, auto v) {
                              return Results{Op::create(b, loc, v[0], dims)};
                            }});
  };
  add("4x37xf32", {1});
  add("37x4xf32", {0});
  add("5xf32", {0});
  add("f32", {});
  add("3x1x5xf32", {0, 2});
  add("3x1x5xf32", {1});
  add("2x3x4x5xf32", {1, 2});
  add("6x9xbf16", {1});
  add("6x9xi32", {0});
  add("6x9xf64", {0, 1});
  record.errors = {{"C1",
                    "func.func @f(%x: tensor<4x8xf32>) { %0 = " + record.op +
                        " %x dims = [2] : tensor<4x8xf32> return }",
                    "reduces dims [2], which must increase and lie below x's "
                    "rank 2"},
                   {"C1",
                    "func.func @f(%x: tensor<4x8xf32>) { %0 = " + record.op +
                        " %x dims = [1, 0] : tensor<4x8xf32> return }",
                    "reduces dims [1, 0], which must increase"}};
  record.differentiable = {0};
  record.toleranceF32 = 2e-5;
  return record;
}

OpCase dot(std::string a, std::string b, bool transposeA, bool transposeB,
           bool wide = false) {
  std::string name = a + (transposeA ? "^T * " : " * ") + b;
  return {name + (transposeB ? "^T" : "") + (wide ? " -> f32" : ""),
          {{a}, {b}},
          [=](auto &builder, auto loc, auto v) {
            return Results{DotOp::create(
                builder, loc, v[0], v[1], transposeA, transposeB,
                wide ? mlir::Type(builder.getF32Type()) : mlir::Type())};
          }};
}

OpRecord dotRecord() {
  OpRecord record{"tarn.dot",
                  {dot("5x7xf32", "7x3xf32", false, false),
                   dot("7x5xf32", "7x3xf32", true, false),
                   dot("5x7xf32", "3x7xf32", false, true),
                   dot("7x5xf32", "3x7xf32", true, true),
                   dot("1x9xf32", "9x1xf32", false, false),
                   dot("9x1xf32", "1x9xf32", false, false),
                   dot("33x20xf32", "20x17xf32", false, false),
                   dot("2x3x5x7xf32", "2x3x7x4xf32", false, false),
                   dot("2x7x5xf32", "2x4x7xf32", true, true),
                   dot("6x10xbf16", "10x3xbf16", false, false),
                   dot("6x10xbf16", "3x10xbf16", false, true, true),
                   dot("4x6xf64", "6x5xf64", false, false)}};
  auto program = [](std::string a, std::string b, std::string flags,
                    std::string result) {
    return "func.func @f(%a: tensor<" + a + ">, %b: tensor<" + b +
           ">) { %0 = tarn.dot %a, %b " + flags + ": tensor<" + a +
           ">, tensor<" + b + "> -> tensor<" + result + "> return }";
  };
  record.errors = {{"C0", program("4x5xbf16", "5x7xbf16", "{tf32} ", "4x7xf32"),
                    "rounds factors of 'bf16' to tf32, which is for f32"},
                   {"C1", program("4xf32", "4xf32", "", "f32"),
                    "multiplies tensors of rank 1 and 1"},
                   {"C1", program("2x4x4xf32", "4x4xf32", "", "2x4x4xf32"),
                    "multiplies tensors of rank 3 and 2"},
                   {"C2", program("2x4x4xf32", "3x4x4xf32", "", "2x4x4xf32"),
                    "has batch extents 2 and 3 in dim 0"},
                   {"C3", program("4x5xf32", "6x7xf32", "", "4x7xf32"),
                    "sums over 5 elements of a and 6 elements of b"},
                   {"C3",
                    program("4x5xf32", "5x7xf32", "transpose_b ", "4x5xf32"),
                    "sums over 5 elements of a and 7 elements of b"},
                   {"C4", program("4x5xf32", "5x7xbf16", "", "4x7xf32"),
                    "multiplies 'f32' and 'bf16' into 'f32'"},
                   {"C4", program("4x5xf32", "5x7xf32", "", "4x7xbf16"),
                    "multiplies 'f32' and 'f32' into 'bf16'"},
                   {"C5", program("4x5xf32", "5x7xf32", "", "4x8xf32"),
                    "returns 'tensor<4x8xf32>' where the operands give "
                    "'tensor<4x7xf32>'"}};
  record.differentiable = {0, 1};
  record.toleranceF32 = 2e-5;
  return record;
}

OpRecord argmaxRecord() {
  OpRecord record{"tarn.argmax", {}};
  auto add = [&](OperandSpec x, int64_t dim) {
    record.cases.push_back({x.type + " along " + std::to_string(dim),
                            {x},
                            [=](auto &b, auto loc, auto v) {
                              return Results{
                                  ArgmaxOp::create(b, loc, v[0], dim)};
                            }});
  };
  add({"4x37xf32"}, 1);
  add({"37x4xf32"}, 0);
  add({"3x1x5xf32"}, 1);
  add({"9xbf16"}, 0);
  add({"4x6xf32", 0, 0, {}, {1, 3, 3, 2, 3}}, 1); // the first of equal ones
  record.errors = {{"C1",
                    "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.argmax %x "
                    "dim = 2 : tensor<4x8xf32> return }",
                    "searches dim 2 of x of rank 2"},
                   {"C2",
                    "func.func @f(%x: tensor<16777217xf32>) { %0 = tarn.argmax "
                    "%x dim = 0 : tensor<16777217xf32> return }",
                    "searches 16777217 elements, at most 16777216"}};
  return record;
}

// Indices within [0, n), one before and one after.
OperandSpec indices(std::string type, int64_t n) {
  return {type, 0, 0, {}, {0, double(n - 1), 2, 2, 1, double(n), -1}};
}

template <typename Op> OpCase twoOperands(OperandSpec a, OperandSpec b) {
  return {a.type + ", " + b.type, {a, b}, [](auto &builder, auto loc, auto v) {
            return Results{Op::create(builder, loc, v[0], v[1])};
          }};
}

OpCase scatterAdd(OperandSpec i, std::string updates, int64_t rows) {
  return {i.type + ", " + updates,
          {i, {updates}},
          [=](auto &builder, auto loc, auto v) {
            return Results{
                ScatterAddOp::create(builder, loc, v[0], v[1], rows)};
          }};
}

OpCase element(std::string x, Ints positions) {
  std::vector<OperandSpec> operands = {{x}};
  for (int64_t position : positions)
    operands.push_back({"i32", 0, 0, {}, {double(position)}});
  return {x, operands, [](auto &b, auto loc, auto v) {
            return Results{ElementOp::create(b, loc, v[0], v.drop_front(1))};
          }};
}
} // namespace

std::vector<OpRecord> test::dotRecords() {
  std::vector<OpRecord> records = {reduce<ReduceSumOp>(), reduce<ReduceMaxOp>(),
                                   argmaxRecord(), dotRecord()};
  records.push_back(
      {"tarn.gather",
       {twoOperands<GatherOp>({"9x4xf32"}, indices("2x7xi32", 9)),
        twoOperands<GatherOp>({"9xf32"}, indices("7xi32", 9)),
        twoOperands<GatherOp>({"5x1x3xbf16"}, indices("4xi64", 5)),
        twoOperands<GatherOp>({"9x4xf32"}, indices("i32", 9)),
        twoOperands<GatherOp>({"5x3xi32"}, indices("6xi32", 5))},
       {{"C1",
         "func.func @f(%x: tensor<f32>, %i: tensor<4xi32>) { %0 = tarn.gather "
         "%x, %i : tensor<f32>, tensor<4xi32> return }",
         "takes rows of a tensor of rank 0"}},
       {0}});
  records.push_back(
      {"tarn.scatter_add",
       {scatterAdd(indices("2x7xi32", 9), "2x7x4xf32", 9),
        scatterAdd(indices("7xi32", 9), "7xf32", 9),
        scatterAdd(indices("4xi64", 5), "4x1x3xf32", 5),
        scatterAdd(indices("i32", 9), "4xf32", 9)},
       {{"C1",
         "func.func @f(%i: tensor<4xi32>, %u: tensor<5x2xf32>) { %0 = "
         "tarn.scatter_add %i, %u rows = 3 : tensor<4xi32>, tensor<5x2xf32> "
         "return }",
         "adds updates 'tensor<5x2xf32>' at indices 'tensor<4xi32>': the "
         "leading dims differ"},
        {"C2",
         "func.func @f(%i: tensor<4xi32>, %u: tensor<4x2xf32>) { %0 = "
         "tarn.scatter_add %i, %u rows = 0 : tensor<4xi32>, tensor<4x2xf32> "
         "return }",
         "makes a table of 0 rows"}},
       {1}});
  records.push_back(
      {"tarn.take_along",
       {twoOperands<TakeAlongOp>({"7x9xf32"}, indices("7xi32", 9)),
        twoOperands<TakeAlongOp>({"9xf32"}, indices("i32", 9)),
        twoOperands<TakeAlongOp>({"2x4x5xbf16"}, indices("2x4xi64", 5)),
        twoOperands<TakeAlongOp>({"3x5xi32"}, indices("3xi32", 5))},
       {{"C1",
         "func.func @f(%x: tensor<f32>, %i: tensor<i32>) { %0 = "
         "tarn.take_along %x, %i : tensor<f32>, tensor<i32> return }",
         "takes elements of rows of a tensor of rank 0"},
        {"C2",
         "func.func @f(%x: tensor<4x5xf32>, %i: tensor<5xi32>) { %0 = "
         "tarn.take_along %x, %i : tensor<4x5xf32>, tensor<5xi32> return }",
         "takes elements at indices 'tensor<5xi32>' of rows of "
         "'tensor<4x5xf32>': the leading dims differ"}},
       {0}});
  records.push_back(
      {"tarn.element",
       {element("3x4xf32", {1, 3}), element("5xi32", {2}), element("f32", {}),
        element("3x4xf32", {3, 0}), element("3x4xf32", {0, -1})},
       {{"C1",
         "func.func @f(%x: tensor<3x4xf32>, %i: tensor<i32>) { %0 = "
         "tarn.element %x[%i] : tensor<3x4xf32> return }",
         "has 1 positions for x of rank 2"}}});
  return records;
}
