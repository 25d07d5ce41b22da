//===- Plan.cpp - `tarn plan` ---------------------------------------------===//

#include "tools/tarn/Options.h"

using namespace tarn::cli;

int tarn::cli::runPlan(const Invocation &in) { return runPack(in); }
