//===- OpTable.cpp - one record per op ------------------------------------===//

#include "test/ops/OpTable.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace tarn;
using namespace tarn::test;

ArrayRef<OpRecord> test::allOpRecords() {
  static const std::vector<OpRecord> records = [] {
    std::vector<OpRecord> all;
    for (auto part : {elementwiseRecords, shapeRecords, dotRecords, convRecords,
                      normRecords, attentionRecords, dataRecords, orderRecords,
                      routingRecords})
      for (OpRecord &record : part())
        all.push_back(std::move(record));
    return all;
  }();
  return records;
}

static RankedTensorType parseTensor(MLIRContext &context, StringRef type) {
  return cast<RankedTensorType>(
      parseType(("tensor<" + type + ">").str(), &context));
}

OwningOpRef<ModuleOp> test::buildModule(MLIRContext &context,
                                        const OpCase &opCase) {
  context.loadDialect<graph::TarnDialect, func::FuncDialect>();
  OpBuilder builder(&context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  SmallVector<Type> inputs;
  for (const OperandSpec &operand : opCase.operands)
    inputs.push_back(parseTensor(context, operand.type));
  builder.setInsertionPointToStart(module->getBody());
  auto function = func::FuncOp::create(builder, loc, "op",
                                       builder.getFunctionType(inputs, {}));
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  SmallVector<Value> results = opCase.build(builder, loc, body->getArguments());
  func::ReturnOp::create(builder, loc, results);
  function.setType(
      builder.getFunctionType(inputs, ValueRange(results).getTypes()));
  function->setAttr("tarn.kind", builder.getStringAttr("forward"));
  for (unsigned i = 0; i != inputs.size(); ++i) {
    function.setArgAttr(i, "tarn.name",
                        builder.getStringAttr("a" + std::to_string(i)));
    function.setArgAttr(i, "tarn.role", builder.getStringAttr("input"));
  }
  for (unsigned i = 0; i != results.size(); ++i) {
    function.setResultAttr(i, "tarn.name",
                           builder.getStringAttr("r" + std::to_string(i)));
    function.setResultAttr(i, "tarn.role", builder.getStringAttr("output"));
  }
  return module;
}

std::vector<HostTensor> test::makeInputs(MLIRContext &context,
                                         const OpCase &opCase, unsigned seed) {
  std::mt19937_64 random(seed);
  auto uniform = [&] { return double(random() >> 11) * 0x1p-53; };
  std::vector<HostTensor> inputs;
  for (const OperandSpec &spec : opCase.operands) {
    HostTensor tensor(parseTensor(context, spec.type));
    bool whole = isa<IntegerType>(tensor.type.getElementType());
    size_t next = 0;
    for (double &x : tensor.data) {
      if (!spec.values.empty()) {
        x = spec.values[next++ % spec.values.size()];
        continue;
      }
      x = whole ? std::floor(spec.low + uniform() * (spec.high - spec.low + 1))
                : spec.low + uniform() * (spec.high - spec.low);
      for (double point : spec.awayFrom)
        if (std::abs(x - point) < 0.05)
          x = point + (x < point ? -0.05 : 0.05);
    }
    roundToElementType(tensor);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

double test::tolerance(const OpRecord &record, ModuleOp module) {
  double bound = record.toleranceF32;
  module.walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      Type element = getElementTypeOrSelf(type);
      if (element.isBF16() || element.isF16())
        bound = record.toleranceBF16;
    }
    for (Type type : op->getOperandTypes()) {
      Type element = getElementTypeOrSelf(type);
      if (element.isBF16() || element.isF16())
        bound = record.toleranceBF16;
    }
  });
  return bound;
}
