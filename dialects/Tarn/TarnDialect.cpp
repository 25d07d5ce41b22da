//===- TarnDialect.cpp - registration of the dialect `tarn` ---------------===//

#include "dialects/Tarn/TarnDialect.h"

#include "dialects/Tarn/TarnDialect.cpp.inc"

void tarn::graph::TarnDialect::initialize() {}
