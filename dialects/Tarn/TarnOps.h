//===- TarnOps.h - ops of the dialect `tarn` --------------------*- C++ -*-===//

#ifndef DIALECTS_TARN_TARNOPS_H
#define DIALECTS_TARN_TARNOPS_H

#include "dialects/Tarn/TarnDialect.h"
#include "dialects/Tarn/TarnInterfaces.h"
#include "dialects/Tarn/Windows.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Tarn/TarnEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Tarn/TarnAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Tarn/TarnOps.h.inc"

namespace tarn::graph {

/// The type of a value of this dialect.
inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// The same shape with another element type.
inline mlir::RankedTensorType withElementType(mlir::Type type,
                                              mlir::Type elementType) {
  return llvm::cast<mlir::RankedTensorType>(type).clone(elementType);
}

/// A splat constant of a tensor type.
mlir::Value splat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type,
                  double value);

} // namespace tarn::graph

#endif // DIALECTS_TARN_TARNOPS_H
