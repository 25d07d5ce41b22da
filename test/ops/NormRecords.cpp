//===- NormRecords.cpp - records of norms, losses, rope -------------------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {
using Results = llvm::SmallVector<mlir::Value>;

template <typename Op> OpRecord softmax() {
  OpRecord record{Op::getOperationName().str(), {}};
  auto add = [&](std::string type, int64_t dim, double high = 2) {
    record.cases.push_back({type + " along " + std::to_string(dim),
                            {{type, -high, high}},
                            [=](auto &b, auto loc, auto v) {
                              return Results{Op::create(b, loc, v[0], dim)};
                            }});
  };
  add("4x37xf32", 1);
  add("37x3xf32", 0);
  add("2x1x5xf32", 2);
  add("2x3x5xf32", 1, 80);
  add("3x1xf32", 1);
  add("9xf32", 0);
  add("4x16xbf16", 1);
  add("4x16xf64", 1);
  record.errors = {{"C1",
                    "func.func @f(%x: tensor<4x8xf32>) { %0 = " + record.op +
                        " %x dim = 2 : tensor<4x8xf32> return }",
                    "runs along dim 2 of x of rank 2"},
                   {"C1",
                    "func.func @f(%x: tensor<4x8xf32>) { %0 = " + record.op +
                        " %x dim = -1 : tensor<4x8xf32> return }",
                    "runs along dim -1 of x of rank 2"}};
  record.differentiable = {0};
  record.toleranceF32 = 2e-5;
  return record;
}

OpCase layerNorm(std::string x, std::string weight) {
  return makeCase<LayerNormOp>(x, {{x}, {weight}, {weight}}, 1e-5);
}

OpCase rmsNorm(std::string x, std::string weight) {
  return makeCase<RmsNormOp>(x, {{x}, {weight}}, 1e-6);
}

std::vector<OpError> normErrors(std::string op, std::string more) {
  auto program = [&](std::string x, std::string w, std::string eps) {
    return "func.func @f(%x: tensor<" + x + ">, %w: tensor<" + w +
           ">) { %0 = " + op + " %x, %w" + more + " eps = " + eps +
           " : tensor<" + x + ">, tensor<" + w + "> return }";
  };
  return {{"C1", program("f32", "1xf32", "1.0e-5"),
           "normalises the rows of a tensor of rank 0"},
          {"C2", program("4x8xf32", "4xf32", "1.0e-5"),
           "normalises rows of 8 elements with a weight 'tensor<4xf32>'"},
          {"C3", program("4x8xf32", "8xf32", "0.0"),
           "has eps 0.000000e+00, which must be positive"}};
}

OpCase crossEntropy(std::string logits, std::string targets, int64_t ignore,
                    std::vector<double> values) {
  return {logits + " ignoring " + std::to_string(ignore),
          {{logits, -4, 4}, {targets, 0, 0, {}, values}},
          [=](auto &b, auto loc, auto v) {
            auto op = CrossEntropyOp::create(b, loc, v[0], v[1], ignore);
            return Results(op->getResults());
          }};
}

OpCase rope(std::string x, std::string angles, bool interleaved) {
  return {x + (interleaved ? " interleaved" : ""),
          {{x}, {angles, -1, 1}, {angles, -1, 1}},
          [=](auto &b, auto loc, auto v) {
            return Results{RopeOp::create(b, loc, v[0].getType(), v[0], v[1],
                                          v[2], interleaved)};
          }};
}
} // namespace

std::vector<OpRecord> test::normRecords() {
  std::vector<OpRecord> records = {softmax<SoftmaxOp>(),
                                   softmax<LogSoftmaxOp>()};
  records.push_back(
      {"tarn.layer_norm",
       {layerNorm("4x37xf32", "37xf32"), layerNorm("2x3x8xf32", "8xf32"),
        layerNorm("9xf32", "9xf32"), layerNorm("4x16xbf16", "16xbf16"),
        layerNorm("4x16xbf16", "16xf32"), layerNorm("4x6xf64", "6xf64")},
       normErrors("tarn.layer_norm", ", %w"),
       {0, 1, 2}});
  records.back().toleranceF32 = 2e-5;
  records.back().toleranceBF16 = 5e-2;
  records.push_back(
      {"tarn.rms_norm",
       {rmsNorm("4x37xf32", "37xf32"), rmsNorm("2x3x8xf32", "8xf32"),
        rmsNorm("9xf32", "9xf32"), rmsNorm("3x1xf32", "1xf32"),
        rmsNorm("4x16xbf16", "16xbf16"), rmsNorm("4x16xbf16", "16xf32"),
        rmsNorm("4x6xf64", "6xf64")},
       normErrors("tarn.rms_norm", ""),
       {0, 1}});
  records.back().toleranceF32 = 2e-5;
  records.push_back(
      {"tarn.cross_entropy",
       {crossEntropy("7x37xf32", "7xi32", -100, {0, 36, 5, -100, 7}),
        crossEntropy("2x3x5xf32", "2x3xi32", 0, {0, 1, 4, 2}),
        crossEntropy("9xf32", "i32", -1, {3}),
        crossEntropy("4x16xbf16", "4xi64", -100, {0, 15, -100}),
        crossEntropy("4x6xf64", "4xi32", -100, {0, 5, 2})},
       {{"C1",
         "func.func @f(%x: tensor<f32>, %t: tensor<i32>) { %0:2 = "
         "tarn.cross_entropy %x, %t ignore_index = 0 : tensor<f32>, "
         "tensor<i32> return }",
         "has logits of rank 0"},
        {"C2",
         "func.func @f(%x: tensor<4x5xf32>, %t: tensor<5xi32>) { %0:2 = "
         "tarn.cross_entropy %x, %t ignore_index = 0 : tensor<4x5xf32>, "
         "tensor<5xi32> return }",
         "has targets 'tensor<5xi32>' for logits 'tensor<4x5xf32>': the "
         "leading dims differ"}},
       {0},
       {0, 1}});
  records.back().toleranceF32 = 2e-5;
  records.push_back(
      {"tarn.rope",
       {rope("2x4x8xf32", "4x4xf32", false), rope("2x4x8xf32", "4x4xf32", true),
        rope("3x2xf32", "3x1xf32", false), rope("2x3x1x6xf32", "1x3xf32", true),
        rope("5x6xbf16", "5x3xf32", false)},
       {{"C1",
         "func.func @f(%x: tensor<4x7xf32>, %c: tensor<4x3xf32>) "
         "{ %0 = tarn.rope %x, %c, %c : tensor<4x7xf32>, "
         "tensor<4x3xf32> return }",
         "rotates pairs of features of 'tensor<4x7xf32>'"},
        {"C2",
         "func.func @f(%x: tensor<4x6xf32>, %c: tensor<6x3xf32>) "
         "{ %0 = tarn.rope %x, %c, %c : tensor<4x6xf32>, "
         "tensor<6x3xf32> return }",
         "has angles 'tensor<6x3xf32>' for 4 positions of 3 "
         "pairs"}},
       {0}});
  OperandSpec count{"5xf32", 0, 0, {}, {0, 0.5, 1, 2, 100}};
  records.push_back(
      {"tarn.ratio",
       {makeCase<RatioOp>("5xf32", {{"5xf32"}, count}),
        makeCase<RatioOp>("f32", {{"f32"}, {"f32", 2, 9}}),
        makeCase<RatioOp>("1x3xf64", {{"1x3xf64"}, {"1x3xf64", 2, 9}})},
       {{"C1",
         "func.func @f(%x: tensor<f32>, %y: tensor<1xf32>) { %0 = "
         "\"tarn.ratio\"(%x, %y) : (tensor<f32>, tensor<1xf32>) -> tensor<f32> "
         "return }",
         "requires the same type for all operands and results"}},
       {0}});
  return records;
}
