//===- StepDialect.h - the dialect `step` ---------------------------------===//

#ifndef DIALECTS_STEP_STEPDIALECT_H
#define DIALECTS_STEP_STEPDIALECT_H

#include "mlir/IR/Dialect.h"

#include "dialects/Step/StepDialect.h.inc"

#endif
