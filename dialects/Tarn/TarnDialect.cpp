//===- TarnDialect.cpp - registration of the dialect `tarn` ---------------===//

#include "dialects/Tarn/TarnDialect.h"

#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/ShardLoops.h"
#include "dialects/Tarn/TarnOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

#include "dialects/Tarn/TarnDialect.cpp.inc"
#include "dialects/Tarn/TarnEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Tarn/TarnAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Tarn/TarnOps.cpp.inc"

void TarnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tarn/TarnAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Tarn/TarnOps.cpp.inc"
      >();
  attachShardLoops(*getContext());
}

Operation *TarnDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, elements);
}

Value tarn::graph::splat(OpBuilder &builder, Location loc, Type type,
                         double value) {
  return ConstantOp::create(builder, loc, cast<RankedTensorType>(type), value);
}
