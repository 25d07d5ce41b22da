//===- OrderRecords.cpp - records of running sums and sorting -------------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {
using Results = llvm::SmallVector<mlir::Value>;

OpCase cumsum(std::string type, int64_t dim, bool reverse = false,
              bool exclusive = false) {
  return {type + " dim " + std::to_string(dim) + (reverse ? " reverse" : "") +
              (exclusive ? " exclusive" : ""),
          {{type}},
          [=](auto &b, auto loc, auto v) {
            return Results{
                CumsumOp::create(b, loc, v[0], dim, reverse, exclusive)};
          }};
}

OpRecord cumsumRecord() {
  OpRecord record{
      "tarn.cumsum",
      {cumsum("4x8xf32", 1), cumsum("4x8xf32", 0, true),
       cumsum("2x3x5xf32", 1, false, true), cumsum("9xf32", 0, true, true),
       cumsum("1x1xf32", 0, false, true), cumsum("4x16xbf16", 1, true),
       cumsum("3x4x2xf64", 0, true, true), cumsum("4x8xi32", 1),
       cumsum("5x3xi64", 0, true, true)}};
  record.errors = {
      {"C1",
       "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.cumsum %x dim = 2 : "
       "tensor<4x8xf32> return }",
       "adds up along dim 2 of 'tensor<4x8xf32>'"},
      {"C1",
       "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.cumsum %x dim = -1 : "
       "tensor<4x8xf32> return }",
       "adds up along dim -1 of 'tensor<4x8xf32>'"}};
  record.differentiable = {0};
  return record;
}

OpCase sort(std::string type, bool descending = false) {
  return {type + (descending ? " descending" : ""),
          {{type}},
          [=](auto &b, auto loc, auto v) {
            return Results(
                SortOp::create(b, loc, v[0], descending)->getResults());
          }};
}

OpRecord sortRecord() {
  OpRecord record{"tarn.sort",
                  {sort("4x8xf32"), sort("2x3x5xf32", true), sort("9xf32"),
                   sort("6x1xf32", true), sort("4x16xbf16", true),
                   sort("2x7xf64"), sort("3x40xi32"), sort("2x9xi64", true)}};
  record.errors = {
      {"C1",
       "func.func @f(%x: tensor<f32>) { %0:3 = tarn.sort %x : tensor<f32> "
       "return }",
       "sorts a tensor of rank 0"},
      {"C2",
       "func.func @f(%x: tensor<2x262145xf32>) { %0:3 = tarn.sort %x : "
       "tensor<2x262145xf32> return }",
       "sorts rows of 262145 elements; a row may have 262144"},
      {"C3",
       "func.func @f(%x: tensor<2097152x1024xf32>) { %0:3 = tarn.sort %x : "
       "tensor<2097152x1024xf32> return }",
       "sorts 2147483648 elements; there may be fewer than 2^31"}};
  record.differentiable = {0};
  return record;
}
} // namespace

std::vector<OpRecord> test::orderRecords() {
  return {cumsumRecord(), sortRecord()};
}
