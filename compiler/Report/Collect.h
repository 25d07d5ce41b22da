//===- Collect.h - fills a report from a planned module ---------*- C++ -*-===//

#ifndef COMPILER_REPORT_COLLECT_H
#define COMPILER_REPORT_COLLECT_H

#include "compiler/Cost/CostModel.h"
#include "compiler/Report/Report.h"

#include "mlir/IR/BuiltinOps.h"

namespace tarn::report {

/// Fills functions, state, peak, rows, ladder and times from a module that
/// stopped after the phase plan.
void collect(mlir::ModuleOp module, const CostModel &costs, Report &report);

} // namespace tarn::report

#endif // COMPILER_REPORT_COLLECT_H
