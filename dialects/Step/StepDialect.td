//===- StepDialect.td - the dialect `step` --------------------------------===//

#ifndef DIALECTS_STEP_STEPDIALECT_TD
#define DIALECTS_STEP_STEPDIALECT_TD

include "mlir/IR/OpBase.td"

def Step_Dialect : Dialect {
  let name = "step";
  let cppNamespace = "::tarn::step";
  let summary = "the scheduled program on slices of memory spaces";
  let description = [{
    What an artifact stores and the runtime runs: a linear list of kernel
    launches, copies and fills on slices of six memory spaces. Every size,
    offset and order is fixed; nothing is left to decide at run time. What runs
    beside the launches (copies now) is started, gives a token, and is waited
    for.

    ```mlir
    step.program @step state(64) arena(128) input(64) output(64) {
      step.bind "x" role "input" input[0 for 64] : tensor<16xf32>
      step.launch @scale blocks(1) (input[0 for 64], arena[64 for 64])
      step.copy output[0 for 64], arena[64 for 64]
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

#endif
