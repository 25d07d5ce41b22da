//===- StepOps.h - ops of the dialect `step` --------------------*- C++ -*-===//

#ifndef DIALECTS_STEP_STEPOPS_H
#define DIALECTS_STEP_STEPOPS_H

#include "dialects/Step/StepDialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"

#include "dialects/Step/StepEnums.h.inc"

namespace tarn::step {
using namespace mlir;
} // namespace tarn::step

#define GET_ATTRDEF_CLASSES
#include "dialects/Step/StepAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Step/StepTypes.h.inc"

namespace tarn::step {

/// Every memory space.
inline constexpr Space allSpaces[] = {Space::State,    Space::Arena,
                                      Space::Input,    Space::Output,
                                      Space::Constant, Space::Host};

/// The bytes that a dense array of `type` takes in a memory space: every
/// element takes whole bytes (an i1 one byte), no padding.
int64_t denseBytes(mlir::ShapedType type);

} // namespace tarn::step

#define GET_OP_CLASSES
#include "dialects/Step/StepOps.h.inc"

#endif // DIALECTS_STEP_STEPOPS_H
