//===- ShapeRecords.cpp - records of ops that move elements ---------------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

using Ints = std::vector<int64_t>;

namespace {
using Results = llvm::SmallVector<mlir::Value>;

OpCase broadcast(std::string from, Ints shape, Ints dims) {
  return {from, {{from}}, [=](auto &b, auto loc, auto v) {
            return Results{BroadcastOp::create(
                b, loc, tensorType(v[0]).clone(shape), v[0], dims)};
          }};
}

OpCase transpose(std::string from, Ints permutation) {
  return {from, {{from}}, [=](auto &b, auto loc, auto v) {
            return Results{TransposeOp::create(b, loc, v[0], permutation)};
          }};
}

OpCase reshape(std::string from, Ints shape) {
  return {from, {{from}}, [=](auto &b, auto loc, auto v) {
            return Results{
                ReshapeOp::create(b, loc, v[0], llvm::ArrayRef(shape))};
          }};
}

OpCase slice(std::string from, Ints offsets, Ints sizes) {
  return {from, {{from}}, [=](auto &b, auto loc, auto v) {
            return Results{SliceOp::create(b, loc, v[0], offsets, sizes)};
          }};
}

OpCase pad(std::string from, Ints low, Ints high) {
  return {from, {{from}}, [=](auto &b, auto loc, auto v) {
            return Results{PadOp::create(b, loc, v[0], low, high)};
          }};
}

OpCase concat(std::vector<OperandSpec> inputs, int64_t dim) {
  return {inputs[0].type, inputs, [=](auto &b, auto loc, auto v) {
            return Results{ConcatOp::create(b, loc, v, dim)};
          }};
}

OpCase updateSlice(std::string name, std::string base, std::string update,
                   Ints positions) {
  std::vector<OperandSpec> operands = {{base}, {update}};
  for (int64_t position : positions)
    operands.push_back({"i32", 0, 0, {}, {double(position)}});
  return {name, operands, [](auto &b, auto loc, auto v) {
            return Results{
                UpdateSliceOp::create(b, loc, v[0], v[1], v.drop_front(2))};
          }};
}
} // namespace

std::vector<OpRecord> test::shapeRecords() {
  return {
      {"tarn.broadcast",
       {broadcast("f32", {3, 5}, {}), broadcast("5xf32", {3, 5}, {1}),
        broadcast("3xbf16", {3, 5}, {0}), broadcast("1xi32", {4, 1, 2}, {1}),
        broadcast("2x7xf32", {2, 3, 7, 1}, {0, 2}),
        broadcast("5xi1", {5, 5}, {0}), broadcast("4xf64", {4}, {0})},
       {{"C1",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.broadcast %x dims = [] : "
         "tensor<4xf32> -> tensor<4x4xf32> return }",
         "has 0 dims for x of rank 1"},
        {"C2",
         "func.func @f(%x: tensor<4x4xf32>) { %0 = tarn.broadcast %x dims = "
         "[1, 0] : tensor<4x4xf32> -> tensor<4x4x4xf32> return }",
         "maps dim 1 of x to dim 0: dims must increase"},
        {"C2",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.broadcast %x dims = [2] "
         ": tensor<4xf32> -> tensor<4x4xf32> return }",
         "maps dim 0 of x to dim 2"},
        {"C3",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.broadcast %x dims = [0] "
         ": tensor<4xf32> -> tensor<5x4xf32> return }",
         "maps dim 0 of x, of extent 4, to dim 0 of extent 5"},
        {"C4",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.broadcast %x dims = [1] "
         ": tensor<4xf32> -> tensor<5x4xbf16> return }",
         "turns 'f32' into 'bf16'"}},
       {0}},
      {"tarn.transpose",
       {transpose("3x5xf32", {1, 0}), transpose("2x3x4xbf16", {2, 0, 1}),
        transpose("2x1x3x4xf32", {0, 2, 1, 3}), transpose("f32", {}),
        transpose("7xi32", {0}), transpose("2x3x4x5x2xf32", {2, 0, 3, 1, 4})},
       {{"C1",
         "func.func @f(%x: tensor<4x5xf32>) { %0 = tarn.transpose %x "
         "permutation = [0, 0] : tensor<4x5xf32> return }",
         "has permutation [0, 0], which does not permute the 2 dims of x"},
        {"C1",
         "func.func @f(%x: tensor<4x5xf32>) { %0 = tarn.transpose %x "
         "permutation = [0] : tensor<4x5xf32> return }",
         "has permutation [0], which does not permute the 2 dims of x"}},
       {0}},
      {"tarn.reshape",
       {reshape("3x4xf32", {12}), reshape("12xbf16", {2, 1, 6}),
        reshape("f32", {1, 1}), reshape("1xi32", {}), reshape("5xi1", {5, 1})},
       {{"C1",
         "func.func @f(%x: tensor<4x5xf32>) { %0 = tarn.reshape %x : "
         "tensor<4x5xf32> -> tensor<21xf32> return }",
         "reads 20 elements as 21"},
        {"C2",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.reshape %x : "
         "tensor<4xf32> -> tensor<2x2xbf16> return }",
         "reads 'f32' as 'bf16'"}},
       {0}},
      {"tarn.slice",
       {slice("4x8xf32", {0, 2}, {4, 3}), slice("7xbf16", {6}, {1}),
        slice("2x3x5xi32", {1, 0, 2}, {1, 3, 2}), slice("f32", {}, {}),
        slice("3x1xf32", {0, 0}, {3, 1})},
       {{"C1",
         "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.slice %x offsets = [0] "
         "sizes = [4, 3] : tensor<4x8xf32> return }",
         "has 1 offsets and 2 sizes for x of rank 2"},
        {"C2",
         "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.slice %x offsets = [0, "
         "6] sizes = [4, 3] : tensor<4x8xf32> return }",
         "takes 3 elements at offset 6 of dim 1, which has 8"},
        {"C2",
         "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.slice %x offsets = "
         "[-1, 0] sizes = [4, 3] : tensor<4x8xf32> return }",
         "takes 4 elements at offset -1 of dim 0, which has 4"},
        {"C2",
         "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.slice %x offsets = "
         "[0, 0] sizes = [4, 9223372036854775807] : tensor<4x8xf32> return }",
         "takes 9223372036854775807 elements at offset 0 of dim 1"}},
       {0}},
      {"tarn.pad",
       {pad("4x3xf32", {0, 2}, {1, 3}), pad("5xbf16", {0}, {0}),
        pad("1xi32", {3}, {0}), pad("f32", {}, {}),
        pad("2x3x2xf32", {1, 0, 0}, {0, 0, 4})},
       {{"C1",
         "func.func @f(%x: tensor<4x8xf32>) { %0 = tarn.pad %x low = [0] high "
         "= [4, 3] : tensor<4x8xf32> return }",
         "has 1 low and 2 high entries for x of rank 2"},
        {"C2",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.pad %x low = [-1] high = "
         "[3] : tensor<4xf32> return }",
         "pads dim 0 by -1 and 3: neither may be negative"}},
       {0}},
      {"tarn.concat",
       {concat({{"4x3xf32"}, {"4x5xf32"}}, 1), concat({{"3xbf16"}}, 0),
        concat({{"1x2xi32"}, {"4x2xi32"}, {"2x2xi32"}}, 0),
        concat({{"2x1x3xf32"}, {"2x1x3xf32"}, {"2x1x3xf32"}}, 1)},
       {{"C1",
         "func.func @f() { %0 = \"tarn.concat\"() {dim = 0} : () -> "
         "tensor<4xf32> return }",
         "has no input"},
        {"C2",
         "func.func @f(%x: tensor<4xf32>) { %0 = tarn.concat %x dim = 1 : "
         "tensor<4xf32> return }",
         "runs along dim 1 of inputs of rank 1"},
        {"C3",
         "func.func @f(%x: tensor<4x3xf32>, %y: tensor<5x3xf32>) { %0 = "
         "tarn.concat %x, %y dim = 1 : tensor<4x3xf32>, tensor<5x3xf32> return "
         "}",
         "puts input 1, a 'tensor<5x3xf32>', beside a 'tensor<4x3xf32>' along "
         "dim 1"}},
       {0, 1}},
      {"tarn.update_slice",
       {updateSlice("inside", "4x8xf32", "1x8xf32", {2, 0}),
        updateSlice("clamped", "4x8xf32", "2x3xf32", {3, -1}),
        updateSlice("whole", "5xbf16", "5xbf16", {0}),
        updateSlice("cache", "2x3x7x4xf32", "2x3x1x4xf32", {0, 0, 6, 0})},
       {{"C1",
         "func.func @f(%x: tensor<4x3xf32>, %y: tensor<3xf32>, %p: "
         "tensor<i32>) { %0 = tarn.update_slice %x, %y[%p, %p] : "
         "tensor<4x3xf32>, tensor<3xf32> return }",
         "puts a 'tensor<3xf32>' into a 'tensor<4x3xf32>'"},
        {"C2",
         "func.func @f(%x: tensor<4x3xf32>, %p: tensor<i32>) { %0 = "
         "tarn.update_slice %x, %x[%p] : tensor<4x3xf32>, tensor<4x3xf32> "
         "return }",
         "has 1 positions for rank 2"},
        {"C3",
         "func.func @f(%x: tensor<4xf32>, %y: tensor<5xf32>, %p: tensor<i32>) "
         "{ %0 = tarn.update_slice %x, %y[%p] : tensor<4xf32>, tensor<5xf32> "
         "return }",
         "puts 5 elements into dim 0 of extent 4"}}},
  };
}
