//===- StepDialect.td - the dialect `step` --------------------------------===//

#ifndef DIALECTS_STEP_STEPDIALECT_TD
#define DIALECTS_STEP_STEPDIALECT_TD

include "mlir/IR/OpBase.td"

def Step_Dialect : Dialect {
  let name = "step";
  let cppNamespace = "::tarn::step";
  let summary = "the scheduled program on slices of memory spaces";
}

#endif
