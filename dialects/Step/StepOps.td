//===- StepOps.td - ops of the dialect `step` ----------------------------===//

#ifndef DIALECTS_STEP_STEPOPS_TD
#define DIALECTS_STEP_STEPOPS_TD

include "dialects/Step/StepDialect.td"

#endif
