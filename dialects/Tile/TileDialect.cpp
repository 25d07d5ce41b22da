//===- TileDialect.cpp - registration of the dialect `tile` ---------------===//

#include "dialects/Tile/TileDialect.h"
#include "dialects/Tile/TileOps.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include "dialects/Tile/TileDialect.cpp.inc"

using namespace mlir;

/// What is on ops beside their own attributes; TileDialect.td lists it.
LogicalResult
tarn::tile::TileDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == "tile.turns") {
    auto turns = dyn_cast<FloatAttr>(attribute.getValue());
    if (!isa<scf::ForOp>(op) || !turns || !turns.getType().isF64() ||
        !(turns.getValueAsDouble() >= 0))
      return op->emitOpError(
          "has `tile.turns`, which is for loops: an f64 that "
          "is not negative");
    return success();
  }
  if (name != "tile.library" && name != "tile.tune" && name != "tile.tuned")
    return op->emitOpError("has the attribute `")
           << name << "`, which this dialect does not know";
  if (!isa<KernelOp>(op))
    return op->emitOpError("has the attribute `")
           << name << "`, which is for kernels";
  return success();
}

void tarn::tile::TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/TileOps.cpp.inc"
      >();
}
