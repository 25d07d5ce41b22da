//===- DataRecords.cpp - records of constants, random numbers, clusters ---===//

#include "test/ops/OpTable.h"

#include "mlir/AsmParser/AsmParser.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {
using Results = SmallVector<Value>;

RankedTensorType parseTensor(OpBuilder &b, const std::string &type) {
  return cast<RankedTensorType>(
      parseType("tensor<" + type + ">", b.getContext()));
}

OpCase constant(std::string text) {
  return {text, {}, [=](OpBuilder &b, Location loc, ValueRange) {
            auto value =
                cast<ElementsAttr>(parseAttribute(text, b.getContext()));
            return Results{ConstantOp::create(b, loc, value)};
          }};
}

OpCase iota(std::string type, int64_t dim) {
  return {type + " along " + std::to_string(dim),
          {},
          [=](OpBuilder &b, Location loc, ValueRange) {
            return Results{IotaOp::create(b, loc, parseTensor(b, type), dim)};
          }};
}

OperandSpec key{"2xi32", 0, 0, {}, {-1556008596, 1253254570}};

OpCase bits(std::string type, int64_t salt, int64_t word) {
  return {type + " word " + std::to_string(word),
          {key},
          [=](OpBuilder &b, Location loc, ValueRange v) {
            return Results{RandomBitsOp::create(b, loc, parseTensor(b, type),
                                                v[0], salt, word)};
          }};
}

/// The second word of the counter overflows.
OperandSpec start{"2xi32", 0, 0, {}, {7, 2147480000}};

template <typename Op> OpRecord random() {
  OpRecord record{Op::getOperationName().str(), {}};
  record.cases.push_back({"from a start",
                          {key, start},
                          [=](OpBuilder &b, Location loc, ValueRange v) {
                            return Results{Op::create(b, loc,
                                                      parseTensor(b, "3x5xf32"),
                                                      v[0], v[1], 12345)};
                          }});
  for (std::string type : {"4x37xf32", "1xf32", "f32", "3x1x5xf32"})
    record.cases.push_back(
        {type, {key}, [=](OpBuilder &b, Location loc, ValueRange v) {
           return Results{
               Op::create(b, loc, parseTensor(b, type), v[0], 12345)};
         }});
  record.errors = {{"C1",
                    "func.func @f(%k: tensor<2xi32>) { %0 = " + record.op +
                        " %k salt = -1 : tensor<4xf32> return }",
                    "has salt -1, which must lie in [0, 2147483647]"},
                   {"C2",
                    "func.func @f(%k: tensor<2xi32>) { %0 = " + record.op +
                        " %k salt = 1 : tensor<4294967297xf32> return }",
                    "draws 4294967297 elements"}};
  return record;
}

OpCase cluster() {
  return {"exp of a sum",
          {{"4x8xf32"}, {"4x8xf32"}},
          [](OpBuilder &b, Location loc, ValueRange v) {
            auto op =
                ClusterOp::create(b, loc, TypeRange(v), v, DictionaryAttr());
            OpBuilder::InsertionGuard guard(b);
            Block *body = b.createBlock(&op.getBody(), {}, TypeRange(v),
                                        SmallVector<Location>(2, loc));
            Value sum = AddOp::create(b, loc, body->getArgument(0),
                                      body->getArgument(1));
            Value e = ExpOp::create(b, loc, sum);
            YieldOp::create(b, loc, ValueRange{e, sum});
            return Results(op->getResults());
          }};
}
} // namespace

std::vector<OpRecord> test::dataRecords() {
  std::vector<OpRecord> records = {random<RandomUniformOp>(),
                                   random<RandomNormalOp>()};
  records.push_back(
      {"tarn.constant",
       {constant("dense<1.5> : tensor<4x8xf32>"),
        constant("dense<[1, -2, 3]> : tensor<3xi32>"),
        constant("dense<true> : tensor<i1>"),
        constant("dense<[[1.0], [-3.5]]> : tensor<2x1xbf16>")},
       {{"C1",
         "func.func @f() { %0 = \"tarn.constant\"() {value = dense<1.0> : "
         "vector<4xf32>} : () -> tensor<4xf32> return }",
         "which is no static ranked tensor"}}});
  records.push_back({"tarn.iota",
                     {iota("5xi32", 0), iota("4x8xi32", 1), iota("4x8xf32", 0),
                      iota("3x1x5xi64", 2), iota("9xbf16", 0)},
                     {{"C1",
                       "func.func @f() { %0 = tarn.iota dim = 1 : "
                       "tensor<4xi32> return }",
                       "counts along dim 1 of a result of rank 1"}}});
  records.push_back(
      {"tarn.random_bits",
       {bits("4x37xi32", 7, 0), bits("4x37xi32", 7, 1), bits("i32", 0, 0),
        bits("3x1x5xi32", 2147483647, 0)},
       {{"C1",
         "func.func @f(%k: tensor<2xi32>) { %0 = tarn.random_bits %k salt = "
         "2147483648 : tensor<4xi32> return }",
         "has salt 2147483648, which must lie in [0, 2147483647]"},
        {"C2",
         "func.func @f(%k: tensor<2xi32>) { %0 = tarn.random_bits %k salt = 1 "
         "word = 2 : tensor<4xi32> return }",
         "takes word 2 of 0 and 1"},
        {"C3",
         "func.func @f(%k: tensor<2xi32>) { %0 = tarn.random_bits %k salt = 1 "
         ": tensor<4294967297xi32> return }",
         "draws 4294967297 elements"}}});
  records.push_back(
      {"tarn.cluster",
       {cluster()},
       {{"C1",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.cluster (%x) { ^bb0(%a: "
         "tensor<5xf32>): tarn.yield %a : tensor<5xf32> } : (tensor<4xf32>) -> "
         "tensor<5xf32> return }",
         "has 1 operands and a body with 1 arguments, or their types differ"},
        {"C2",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.cluster (%x) { ^bb0(%a: "
         "tensor<4xf32>): tarn.yield %a : tensor<4xf32> } : (tensor<4xf32>) -> "
         "tensor<5xf32> return }",
         "has 1 results and a body that yields 1 values, or their types "
         "differ"}}});
  return records;
}
