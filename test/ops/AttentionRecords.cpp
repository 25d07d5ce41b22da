//===- AttentionRecords.cpp - records of attention ------------------------===//

#include "dialects/Tarn/Formula.h"
#include "test/ops/OpTable.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {
using Results = SmallVector<Value>;

// What a case puts into the regions.
enum class Mask { none, causal, offset, segments, empty };
enum class Score { none, slope, cap };

// Starts a region: `floats` scores, b, h, i, j, captures.
Block *startRegion(OpBuilder &b, Region &region, unsigned floats,
                   TypeRange captures) {
  SmallVector<Type> types(floats, RankedTensorType::get({}, b.getF32Type()));
  types.append(4, RankedTensorType::get({}, b.getI32Type()));
  llvm::append_range(types, captures);
  return b.createBlock(&region, region.end(), types,
                       SmallVector<Location>(types.size(), region.getLoc()));
}

void buildMask(OpBuilder &b, Region &region, Mask mask, TypeRange captures) {
  OpBuilder::InsertionGuard guard(b);
  if (mask == Mask::none)
    return;
  if (mask == Mask::causal)
    return AttentionOp::buildCausalMask(region, captures);
  if (mask == Mask::offset)
    return AttentionOp::buildCausalMask(region, captures, 0);
  Block *block = startRegion(b, region, 0, captures);
  Location loc = region.getLoc();
  Formula f(b, loc);
  Value i = block->getArgument(2), j = block->getArgument(3), keep;
  if (mask == Mask::empty) { // the first query sees no key
    keep = f.compare(Predicate::lt, j, i);
  } else {
    Value batch = block->getArgument(0), segment = block->getArgument(4);
    keep = f.compare(Predicate::eq,
                     ElementOp::create(b, loc, segment, ValueRange{batch, i}),
                     ElementOp::create(b, loc, segment, ValueRange{batch, j}));
    keep = AndOp::create(b, loc, keep, f.compare(Predicate::le, j, i));
  }
  YieldOp::create(b, loc, keep);
}

// score, or its gradient: g times the derivative.
void buildScore(OpBuilder &b, Region &region, Score score, TypeRange captures,
                bool gradient) {
  OpBuilder::InsertionGuard guard(b);
  if (score == Score::none)
    return;
  unsigned floats = gradient ? 2 : 1;
  Block *block = startRegion(b, region, floats, captures);
  Location loc = region.getLoc();
  Formula f(b, loc);
  Value s = block->getArgument(floats - 1), result;
  if (score == Score::slope) { // s + slope[h] * (i - j)
    Value h = block->getArgument(floats + 1);
    Value slope = ElementOp::create(b, loc, block->getArgument(floats + 4), h);
    Value distance = f.cast(
        f.sub(block->getArgument(floats + 2), block->getArgument(floats + 3)),
        b.getF32Type());
    result = f.sub(s, f.mul(slope, distance));
    if (gradient)
      result = block->getArgument(0);
  } else { // 2 tanh(s / 2)
    Value t = TanhOp::create(b, loc, f.scale(s, 0.5));
    result = f.scale(t, 2);
    if (gradient)
      result = f.mul(block->getArgument(0), f.sub(f.number(t, 1), f.mul(t, t)));
  }
  YieldOp::create(b, loc, result);
}

struct Setting {
  std::string name, q, k, v;
  Mask mask = Mask::none;
  Score score = Score::none;
  std::vector<OperandSpec> captures = {};
};

std::vector<Setting> settings() {
  OperandSpec past{"i32", 0, 0, {}, {3}};
  OperandSpec segments{"2x6xi32", 0, 0, {}, {0, 0, 1, 1, 1, 2}};
  OperandSpec slopes{"4xf32", 0.1, 1};
  return {
      {"plain", "2x4x6x8xf32", "2x4x6x8xf32", "2x4x6x8xf32"},
      {"causal", "2x4x6x8xf32", "2x4x6x8xf32", "2x4x6x8xf32", Mask::causal},
      {"groups", "2x4x6x8xf32", "2x2x6x8xf32", "2x2x6x8xf32", Mask::causal},
      {"one key head", "1x3x5x4xf32", "1x1x7x4xf32", "1x1x7x2xf32"},
      {"cached",
       "2x2x1x4xf32",
       "2x2x9x4xf32",
       "2x2x9x4xf32",
       Mask::offset,
       Score::none,
       {past}},
      {"segments",
       "2x4x6x8xf32",
       "2x4x6x8xf32",
       "2x4x6x8xf32",
       Mask::segments,
       Score::none,
       {segments}},
      {"slopes",
       "2x4x6x8xf32",
       "2x2x6x8xf32",
       "2x2x6x8xf32",
       Mask::causal,
       Score::slope,
       {slopes}},
      {"capped", "1x2x5x4xf32", "1x2x5x4xf32", "1x2x5x4xf32", Mask::none,
       Score::cap},
      {"no key", "1x2x5x4xf32", "1x2x5x4xf32", "1x2x5x4xf32", Mask::empty},
      {"bf16", "2x4x6x8xbf16", "2x2x6x8xbf16", "2x2x6x8xbf16", Mask::causal},
      {"f64", "1x2x5x4xf64", "1x2x5x4xf64", "1x2x5x4xf64", Mask::causal},
  };
}

AttentionOp createAttention(OpBuilder &b, Location loc, const Setting &setting,
                            ValueRange qkv, ValueRange captures) {
  auto op = AttentionOp::create(b, loc, qkv[0], qkv[1], qkv[2], captures, 0.4);
  TypeRange types = captures.getTypes();
  buildMask(b, op.getMask(), setting.mask, types);
  buildScore(b, op.getScore(), setting.score, types, false);
  return op;
}

OpCase forward(const Setting &setting) {
  std::vector<OperandSpec> operands = {{setting.q}, {setting.k}, {setting.v}};
  llvm::append_range(operands, setting.captures);
  return {setting.name, operands, [=](auto &b, auto loc, auto v) {
            auto op = createAttention(b, loc, setting, v.take_front(3),
                                      v.drop_front(3));
            return Results(op->getResults());
          }};
}

// What is used of the backward op.
enum class Used { all, queries, keys };

// The sums of grad * out, which kernels of a part of the gradients read.
Value sumsOf(OpBuilder &b, Location loc, Value grad, Value out) {
  Formula f(b, loc);
  Type wide = b.getF32Type();
  return f.sum(f.mul(f.cast(grad, wide), f.cast(out, wide)), 3);
}

// The backward op on what the forward op returns.
OpCase backward(const Setting &setting, Used used) {
  std::vector<OperandSpec> operands = {{setting.q}, {setting.k}, {setting.v}};
  // The gradient of out has its type: q's with the features of v.
  std::string gradient = setting.q, values = setting.v;
  auto feature = [](const std::string &type) {
    size_t end = type.rfind('x'), begin = type.rfind('x', end - 1) + 1;
    return std::pair(begin, end - begin);
  };
  auto [to, toLength] = feature(gradient);
  auto [from, fromLength] = feature(values);
  gradient.replace(to, toLength, values.substr(from, fromLength));
  operands.push_back({gradient});
  llvm::append_range(operands, setting.captures);
  std::string name = setting.name;
  if (used != Used::all)
    name += used == Used::keys ? ", dk and dv" : ", dq";
  return {name, operands, [=](auto &b, auto loc, auto v) {
            ValueRange captures = v.drop_front(4);
            auto attention =
                createAttention(b, loc, setting, v.take_front(3), captures);
            Value out = attention.getOut();
            if (used != Used::all)
              out = sumsOf(b, loc, v[3], out);
            auto op = AttentionBackwardOp::create(
                b, loc, v[0].getType(), v[1].getType(), v[2].getType(), v[0],
                v[1], v[2], out, attention.getLse(), v[3], captures,
                attention.getScaleAttr());
            TypeRange types = captures.getTypes();
            buildMask(b, op.getMask(), setting.mask, types);
            buildScore(b, op.getScore(), setting.score, types, false);
            buildScore(b, op.getScoreGradient(), setting.score, types, true);
            if (used == Used::queries)
              return Results{op.getDq()};
            if (used == Used::keys)
              return Results{op.getDk(), op.getDv()};
            return Results(op->getResults());
          }};
}

// A program with one attention.
std::string program(std::string q, std::string k, std::string v,
                    std::string regions = "") {
  return "func.func @f(%q: tensor<" + q + ">, %k: tensor<" + k +
         ">, %v: tensor<" + v +
         ">) { %0:2 = tarn.attention %q, %k, %v scale = 1.0 " + regions +
         " : tensor<" + q + ">, tensor<" + k + ">, tensor<" + v + "> return }";
}

std::vector<OpError> attentionErrors() {
  std::string good = "2x4x8x16xf32";
  return {
      {"C1", program("4x8x16xf32", good, good),
       "has q, k and v of rank 3, 4 and 4, expected 4"},
      {"C1", program(good, "2x4x8x16xbf16", good),
       "has q, k and v of 'f32', 'bf16' and 'f32'"},
      {"C2", program(good, "3x4x8x16xf32", "3x4x8x16xf32"),
       "has q, k and v of 2, 3 and 3 batches"},
      {"C3", program(good, "2x4x8x12xf32", good),
       "multiplies queries of 16 features with keys of 12"},
      {"C3", program(good, good, "2x2x8x16xf32"),
       "has 4 heads of keys and 2 of values"},
      {"C3", program(good, good, "2x4x9x16xf32"), "has 8 keys and 9 values"},
      {"C4", program(good, "2x3x8x16xf32", "2x3x8x16xf32"),
       "has 3 heads of keys for 4 heads of queries"},
      {"C5",
       program(good, good, good,
               "mask { ^bb0(%i: tensor<i32>, %j: tensor<i32>): %c = "
               "tarn.compare le %j, %i : tensor<i32> tarn.yield %c : "
               "tensor<i1> }"),
       "has a region mask with 2 arguments of other types than the 4 expected"},
      {"C5",
       program(good, good, good,
               "mask { ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, "
               "%j: tensor<i32>): tarn.yield %i : tensor<i32> }"),
       "has a region mask that does not yield one 'tensor<i1>'"},
      {"C6",
       program(good, good, good,
               "mask { ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, "
               "%j: tensor<i32>): %r = tarn.reshape %i : tensor<i32> -> "
               "tensor<1xi32> %c = tarn.constant dense<true> : tensor<i1> "
               "tarn.yield %c : tensor<i1> }"),
       "has a region mask with 'tarn.reshape'"}};
}

std::vector<OpError> backwardErrors() {
  auto backward = [](std::string out, std::string lse, std::string regions,
                     std::string made = "2x4x8x16xf32") {
    return "func.func @f(%q: tensor<2x4x8x16xf32>, %o: tensor<" + out +
           ">, %l: tensor<" + lse +
           ">) { %0:3 = tarn.attention_backward %q, %q, %q, %o, %l, %o scale = "
           "1.0 " +
           regions +
           " : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, "
           "tensor<2x4x8x16xf32>, tensor<" +
           out + ">, tensor<" + lse + ">, tensor<" + out + "> -> tensor<" +
           made + ">, tensor<" + made + ">, tensor<" + made + "> return }";
  };
  return {{"C9", backward("2x4x8x16xf32", "2x4x8xf32", "", "2x4x8x16xbf16"),
           "makes gradients of 'bf16' from 'f32'"},
          {"C7", backward("2x4x8x12xf32", "2x4x8xf32", ""),
           "has out 'tensor<2x4x8x12xf32>' and lse 'tensor<2x4x8xf32>', "
           "expected 'tensor<2x4x8x16xf32>'"},
          {"C7", backward("2x4x8x16xf32", "2x4x9xf32", ""),
           "and lse 'tensor<2x4x9xf32>'"},
          {"C7", backward("2x4x8xf32", "2x4x8xf32", ""),
           "has grad 'tensor<2x4x8xf32>', expected 'tensor<2x4x8x16xf32>'"},
          {"C8",
           backward("2x4x8x16xf32", "2x4x8xf32",
                    "score { ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: "
                    "tensor<i32>, %i: tensor<i32>, %j: tensor<i32>): "
                    "tarn.yield %s : tensor<f32> }"),
           "has one of the regions score and score_gradient only"}};
}
} // namespace

std::vector<OpRecord> test::attentionRecords() {
  OpRecord attention{"tarn.attention", {}, attentionErrors(), {0, 1, 2}};
  OpRecord gradient{"tarn.attention_backward", {}, backwardErrors()};
  for (const Setting &setting : settings()) {
    attention.cases.push_back(forward(setting));
    gradient.cases.push_back(backward(setting, Used::all));
    // Sums are f32.
    if (setting.name != "f64")
      for (Used used : {Used::queries, Used::keys})
        gradient.cases.push_back(backward(setting, used));
  }
  attention.toleranceF32 = gradient.toleranceF32 = 2e-5;
  attention.toleranceBF16 = gradient.toleranceBF16 = 5e-2;
  return {attention, gradient};
}
