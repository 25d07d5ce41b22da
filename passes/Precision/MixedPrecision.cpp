//===- MixedPrecision.cpp - products of bf16 operands ---------------------===//

#include "passes/Precision/Passes.h"

#include "dialects/Tarn/TarnOps.h"

namespace tarn {
#define GEN_PASS_DEF_TARNMIXEDPRECISION
#include "passes/Precision/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::TileKind;

/// `value` rounded to bf16, right behind where it is made; once per value.
static Value rounded(Value value, llvm::DenseMap<Value, Value> &known) {
  Value &narrow = known[value];
  if (narrow)
    return narrow;
  OpBuilder b(value.getContext());
  b.setInsertionPointAfterValue(value);
  Type type = graph::withElementType(value.getType(), b.getBF16Type());
  return narrow = graph::CastOp::create(b, value.getLoc(), type, value);
}

namespace {

struct MixedPrecision : tarn::impl::TarnMixedPrecisionBase<MixedPrecision> {
  using Base::Base;
  void runOnOperation() override {
    auto precision =
        getOperation()->getAttrOfType<StringAttr>("tarn.precision");
    if (!precision || precision.getValue() != "bf16")
      return;
    llvm::DenseMap<Value, Value> known;
    getOperation().walk([&](IndexedOp op) {
      if (op.getTileKind() != TileKind::dot)
        return;
      for (OpOperand &operand : op->getOpOperands())
        if (graph::tensorType(operand.get()).getElementType().isF32())
          operand.set(rounded(operand.get(), known));
    });
  }
};

} // namespace
