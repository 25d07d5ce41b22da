//===- StepDialect.cpp - registration of the dialect `step` ---------------===//

#include "dialects/Step/StepDialect.h"
#include "dialects/Step/StepOps.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/Step/StepDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Step/StepAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Step/StepTypes.cpp.inc"

void tarn::step::StepDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Step/StepAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Step/StepTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Step/StepOps.cpp.inc"
      >();
}
