//===- PlanMemory.cpp - functions of kernels become programs --------------===//

#include "passes/Plan/Passes.h"

#include "passes/Plan/FunctionPlan.h"
#include "passes/Train/Roles.h"

namespace tarn {
#define GEN_PASS_DEF_TARNPLANMEMORY
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

namespace {

struct PlanMemory : tarn::impl::TarnPlanMemoryBase<PlanMemory> {
  using Base::Base;

  LogicalResult planFunction(func::FuncOp function, const StateLayout &state,
                             int64_t constantBytes) {
    OpBuilder b(function);
    std::string name = function.getName().str();
    auto micro = function->getAttrOfType<FlatSymbolRefAttr>("tarn.micro");
    auto turns = function->getAttrOfType<IntegerAttr>("tarn.accumulate");
    SmallVector<std::unique_ptr<FunctionPlan>> owned;
    if (micro)
      owned.push_back(std::make_unique<FunctionPlan>(
          getOperation().lookupSymbol<func::FuncOp>(micro), state, b,
          turns.getInt(), inPlace));
    owned.push_back(
        std::make_unique<FunctionPlan>(function, state, b, 1, inPlace));
    SmallVector<FunctionPlan *> parts;
    int64_t arena = 0, input = 0, output = 0, host = 0;
    for (auto &part : owned) {
      if (failed(part->plan()))
        return failure();
      parts.push_back(part.get());
      arena = std::max(arena, part->arenaBytes);
      host = std::max(host, part->hostBytes);
      input += part->inputBytes;
      output += part->outputBytes;
    }
    auto program = step::ProgramOp::create(
        b, function.getLoc(), name + ".program", state.bytes(), arena, input,
        output, constantBytes, host);
    program->setAttr("tarn.kind", function->getAttr("tarn.kind"));
    program->setAttr("tarn.function", b.getStringAttr(name));
    if (program.getBody().empty())
      program.getBody().emplaceBlock();
    b.setInsertionPointToEnd(&program.getBody().front());
    for (FunctionPlan *part : parts)
      part->emitNames();
    emitProgramLives(b, parts);
    for (FunctionPlan *part : parts) {
      OpBuilder::InsertionGuard guard(b);
      if (part->turns > 1) {
        auto repeat = step::RepeatOp::create(b, function.getLoc(), part->turns);
        if (repeat.getBody().empty())
          repeat.getBody().emplaceBlock();
        b.setInsertionPointToEnd(&repeat.getBody().front());
      }
      part->emitSteps();
    }
    return success();
  }

  void runOnOperation() override {
    FailureOr<StateLayout> state = layoutStates(getOperation());
    if (failed(state))
      return signalPassFailure();
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("tarn.kind"))
        functions.push_back(function);
    int64_t constants = placeConstants(getOperation());
    for (func::FuncOp function : functions) {
      auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
      if (kind.getValue().starts_with("micro"))
        continue; // part of the step that names it
      if (failed(planFunction(function, *state, constants)))
        return signalPassFailure();
    }
  }
};

} // namespace
