//===- OpaqueProgram.cpp - kernels that can be planned only ---------------===//
//
// An op without a tile program is a kernel all the same: what it reads and
// writes is known to the byte, and so is its arithmetic. Its kernel holds these
// figures instead of a body.
//
//===----------------------------------------------------------------------===//

#include "passes/Tile/Programs.h"

using namespace mlir;
using namespace tarn;

namespace {

/// What stands in for the program of an op that has none yet: its figures, and
/// a grid over the elements of its largest output.
class OpaqueProgram : public TileProgram {
public:
  explicit OpaqueProgram(Operation *op) : op(op) {}
  Grid grid() override {
    int64_t most = 1;
    for (Value result : op->getResults())
      most = std::max(most, graph::tensorType(result).getNumElements());
    Grid grid;
    grid.add(most, std::min<int64_t>(most, 1 << 14));
    return grid;
  }
  LogicalResult build(TileDeriver &deriver, ValueRange) override {
    OpBuilder &b = deriver.b;
    SmallVector<NamedAttribute> figures{
        b.getNamedAttr("op", b.getStringAttr(op->getName().getStringRef())),
        b.getNamedAttr(
            "flops", b.getI64IntegerAttr(cast<graph::Costed>(op).getFlops()))};
    if (auto product = dyn_cast<graph::ProductOp>(op))
      figures.push_back(b.getNamedAttr(
          "element", TypeAttr::get(getElementTypeOrSelf(
                         op->getOperand(product.getFactors()[0])))));
    deriver.getKernel()->setAttr("tile.opaque", b.getDictionaryAttr(figures));
    return success();
  }

private:
  Operation *op;
};

} // namespace

std::unique_ptr<TileProgram> tarn::createOpaque(Operation *op) {
  return std::make_unique<OpaqueProgram>(op);
}
