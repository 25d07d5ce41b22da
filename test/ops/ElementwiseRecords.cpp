//===- ElementwiseRecords.cpp - records of elementwise ops ----------------===//

#include "test/ops/OpTable.h"

using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

using Points = std::vector<double>;

// Odd extents, extents of 1, no dims.
static const char *const shapes[] = {"", "1x", "37x", "4x8x", "3x1x7x"};

namespace {
// Cases of an op with `count` operands of one type.
template <typename Op, typename... Arguments>
OpRecord record(unsigned count, std::vector<std::string> types, double low,
                double high, Points awayFrom, Arguments... arguments) {
  OpRecord record{Op::getOperationName().str(), {}};
  for (const std::string &type : types)
    for (const char *shape : shapes) {
      OperandSpec operand{shape + type, low, high, awayFrom};
      record.cases.push_back(
          makeCase<Op>(shape + type, std::vector<OperandSpec>(count, operand),
                       arguments...));
    }
  return record;
}

const std::vector<std::string> floats = {"f32", "bf16", "f64"};
const std::vector<std::string> numbers = {"f32", "bf16", "f16", "i32", "i64"};

template <typename Op>
OpRecord unary(double low = -2, double high = 2, Points awayFrom = {}) {
  OpRecord result = record<Op>(1, floats, low, high, awayFrom);
  result.differentiable = {0};
  result.errors.push_back(
      {"C1",
       "func.func @f(%x: tensor<4xf32>) { %0 = \"" + result.op +
           "\"(%x) : (tensor<4xf32>) -> tensor<5xf32> return }",
       "requires the same type for all operands and results"});
  result.errors.push_back({"types",
                           "func.func @f(%x: tensor<4xi1>) { %0 = " +
                               result.op + " %x : tensor<4xi1> return }",
                           "operand #0 must be statically shaped tensor"});
  return result;
}

template <typename Op>
OpRecord binary(std::vector<std::string> types = numbers, double low = -2,
                double high = 2, Points awayFrom = {}) {
  OpRecord result = record<Op>(2, types, low, high, awayFrom);
  if (types != std::vector<std::string>{"i1"})
    result.differentiable = {0, 1};
  result.errors.push_back(
      {"C1",
       "func.func @f(%x: tensor<4x" + types[0] + ">, %y: tensor<5x" + types[0] +
           ">) { %0 = \"" + result.op + "\"(%x, %y) : (tensor<4x" + types[0] +
           ">, tensor<5x" + types[0] + ">) -> tensor<4x" + types[0] +
           "> return }",
       "requires the same type for all operands and results"});
  return result;
}

OpRecord compareRecord() {
  OpRecord result{CompareOp::getOperationName().str(), {}};
  for (Predicate predicate : {Predicate::eq, Predicate::ne, Predicate::lt,
                              Predicate::le, Predicate::gt, Predicate::ge})
    for (const char *type : {"4x8xf32", "5xi32", "1xbf16", "i64"}) {
      // Few different values, so that some are equal.
      OperandSpec x{type, 0, 0, {}, {1, 2, 3, -1, 0}};
      OperandSpec y{type, 0, 0, {}, {1, 3, 2}};
      result.cases.push_back(
          {stringifyPredicate(predicate).str() + " " + type,
           {x, y},
           [=](mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange v) {
             return llvm::SmallVector<mlir::Value>{
                 CompareOp::create(b, loc, predicate, v[0], v[1])};
           }});
    }
  result.errors = {
      {"C1",
       "func.func @f(%x: tensor<4xf32>, %y: tensor<4xi32>) { %0 = "
       "\"tarn.compare\"(%x, %y) {predicate = #tarn<predicate lt>} : "
       "(tensor<4xf32>, tensor<4xi32>) -> tensor<4xi1> return }",
       "requires all operands to have the same type"}};
  return result;
}

OpRecord selectRecord() {
  OpRecord result{SelectOp::getOperationName().str(), {}};
  for (const char *type : {"f32", "bf16", "i32", "i1"})
    for (const char *shape : shapes)
      result.cases.push_back(makeCase<SelectOp>(
          std::string(shape) + type, {{std::string(shape) + "i1", 0, 1},
                                      {std::string(shape) + type},
                                      {std::string(shape) + type}}));
  result.differentiable = {1, 2};
  result.errors = {
      {"C1",
       "func.func @f(%c: tensor<5xi1>, %x: tensor<4xf32>) { %0 = "
       "\"tarn.select\"(%c, %x, %x) : (tensor<5xi1>, tensor<4xf32>, "
       "tensor<4xf32>) -> tensor<4xf32> return }",
       "condition is i1 of the operands' shape"},
      {"C2",
       "func.func @f(%c: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<4xi32>) { "
       "%0 = \"tarn.select\"(%c, %x, %y) : (tensor<4xi1>, tensor<4xf32>, "
       "tensor<4xi32>) -> tensor<4xf32> return }",
       "failed to verify that all of {lhs, rhs, result} have same type"}};
  return result;
}

OpRecord castRecord() {
  OpRecord result{CastOp::getOperationName().str(), {}};
  const char *types[] = {"f32", "bf16", "f16", "f64", "i32", "i64", "i1"};
  for (const char *from : types)
    for (const char *to : types) {
      std::string fromType = std::string("3x5x") + from;
      bool boolean = from == std::string("i1");
      OperandSpec x{fromType, boolean ? 0. : -9., boolean ? 1. : 9.};
      result.cases.push_back(
          {std::string(from) + " to " + to,
           {x},
           [=](mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange v) {
             mlir::Type type = llvm::StringSwitch<mlir::Type>(to)
                                   .Case("f32", b.getF32Type())
                                   .Case("bf16", b.getBF16Type())
                                   .Case("f16", b.getF16Type())
                                   .Case("f64", b.getF64Type())
                                   .Case("i32", b.getI32Type())
                                   .Case("i64", b.getI64Type())
                                   .Default(b.getI1Type());
             return llvm::SmallVector<mlir::Value>{
                 CastOp::create(b, loc, v[0], type)};
           }});
    }
  result.differentiable = {0};
  result.errors = {{"C1",
                    "func.func @f(%x: tensor<4xf32>) { %0 = tarn.cast %x : "
                    "tensor<4xf32> -> tensor<5xbf16> return }",
                    "turns 'tensor<4xf32>' into 'tensor<5xbf16>', which has "
                    "another shape"}};
  return result;
}

OpRecord geluRecord() {
  OpRecord result{GeluOp::getOperationName().str(), {}};
  for (GeluKind kind : {GeluKind::tanh, GeluKind::none})
    for (OpCase &opCase : record<GeluOp>(1, floats, -4, 4, {}, kind).cases) {
      opCase.name = stringifyGeluKind(kind).str() + " " + opCase.name;
      result.cases.push_back(opCase);
    }
  result.differentiable = {0};
  result.errors = {
      {"C1",
       "func.func @f(%x: tensor<4xf32>) { %0 = \"tarn.gelu\"(%x) {approximate "
       "= #tarn<gelu_kind tanh>} : (tensor<4xf32>) -> tensor<5xf32> return }",
       "requires the same type for all operands and results"}};
  return result;
}
} // namespace

std::vector<OpRecord> test::elementwiseRecords() {
  std::vector<OpRecord> records = {
      binary<AddOp>(),
      binary<SubOp>(),
      binary<MulOp>(),
      binary<DivOp>(numbers, -2, 2, {0}),
      binary<MaxOp>(),
      binary<MinOp>(),
      binary<AndOp>({"i1"}, 0, 1),
      binary<OrOp>({"i1"}, 0, 1),
      unary<NegOp>(),
      unary<ExpOp>(-4, 4),
      unary<LogOp>(0.1, 5),
      unary<TanhOp>(-4, 4),
      unary<SqrtOp>(0.1, 5),
      unary<RsqrtOp>(0.1, 5),
      unary<SinOp>(-6, 6),
      unary<CosOp>(-6, 6),
      unary<ErfOp>(-3, 3),
      unary<AbsOp>(-2, 2, {0}),
      unary<SigmoidOp>(-6, 6),
      unary<ReciprocalOp>(-3, 3, {0}),
      unary<ReluOp>(-2, 2, {0}),
      unary<SiluOp>(-6, 6),
      geluRecord(),
      compareRecord(),
      selectRecord(),
      castRecord(),
  };
  OpRecord notOf = record<NotOp>(1, {"i1"}, 0, 1, {});
  notOf.errors = {{"types",
                   "func.func @f(%x: tensor<4xf32>) { %0 = tarn.not %x : "
                   "tensor<4xf32> return }",
                   "operand #0 must be statically shaped tensor"}};
  records.push_back(notOf);

  OpRecord finite = record<IsFiniteOp>(1, {"f32", "bf16", "f64"}, -2, 2, {});
  OperandSpec special{"7xf32", 0, 0, {}, {1, INFINITY, -INFINITY, NAN, 0}};
  finite.cases.push_back(makeCase<IsFiniteOp>("special", {special}));
  finite.errors = {{"types",
                    "func.func @f(%x: tensor<4xi32>) { %0 = tarn.is_finite %x "
                    ": tensor<4xi32> return }",
                    "operand #0 must be statically shaped tensor"}};
  records.push_back(finite);

  OpRecord stop = record<StopGradientOp>(1, {"f32", "i32"}, -2, 2, {});
  stop.errors = {{"C1",
                  "func.func @f(%x: tensor<4xf32>) { %0 = "
                  "\"tarn.stop_gradient\"(%x) : (tensor<4xf32>) -> "
                  "tensor<5xf32> return }",
                  "requires the same type for all operands and results"}};
  records.push_back(stop);
  return records;
}
