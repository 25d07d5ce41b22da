//===- StepDialect.cpp - registration of the dialect `step` ---------------===//

#include "dialects/Step/StepDialect.h"

#include "dialects/Step/StepDialect.cpp.inc"

void tarn::step::StepDialect::initialize() {}
