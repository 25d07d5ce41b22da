//===- OutlineSalts.cpp - salts of random ops become data -----------------===//

#include "passes/Layout/Passes.h"

#include "dialects/Tarn/TarnOps.h"

namespace tarn {
#define GEN_PASS_DEF_TARNOUTLINESALTS
#include "passes/Layout/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

namespace {

struct OutlineSalts : tarn::impl::TarnOutlineSaltsBase<OutlineSalts> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Block &block = getOperation().getBody().front();
    auto draws = llvm::to_vector(block.getOps<graph::RandomOp>());
    if (draws.size() < 2)
      return;
    for (graph::RandomOp draw : draws) {
      MutableOperandRange start = draw.getStartMutable();
      if (draw.getSalt() == 0 || start.size() != 0)
        continue;
      OpBuilder b(draw);
      auto type = cast<RankedTensorType>(draw.getKey().getType());
      Value words = graph::ConstantOp::create(
          b, draw.getLoc(),
          DenseElementsAttr::get(
              type, ArrayRef<int32_t>{0, int32_t(draw.getSalt())}));
      start.assign(words);
      draw.setSalt(0);
    }
  }
};

} // namespace
