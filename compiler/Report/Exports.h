//===- Exports.h - a report for viewers that people have --------*- C++ -*-===//

#ifndef COMPILER_REPORT_EXPORTS_H
#define COMPILER_REPORT_EXPORTS_H

#include "compiler/Report/Report.h"

#include <string>

namespace tarn::report {

/// The function that trains as torch.cuda.memory._dump_snapshot writes a run:
/// one segment (state below, arena on top), an event for each value that begins
/// or ends, the model's lines as frames. Micro-batches show one turn.
rt::Json toPytorchSnapshot(const Report &report);

/// Any JSON value as a Python pickle, protocol 2: dicts, lists, strings,
/// numbers, truth values, None.
std::string toPickle(const rt::Json &value);

/// Trace events (ui.perfetto.dev, chrome://tracing): a process for each
/// function, its kernels as slices of their estimated time, bytes alive by role
/// as counters. Times are microseconds.
rt::Json toPerfetto(const Report &report);

} // namespace tarn::report

#endif // COMPILER_REPORT_EXPORTS_H
