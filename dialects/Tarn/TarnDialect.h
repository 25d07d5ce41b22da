//===- TarnDialect.h - the dialect `tarn` -----------------------*- C++ -*-===//

#ifndef DIALECTS_TARN_TARNDIALECT_H
#define DIALECTS_TARN_TARNDIALECT_H

#include "mlir/IR/Dialect.h"

#include "dialects/Tarn/TarnDialect.h.inc"

#endif
