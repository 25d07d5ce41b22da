//===- Names.h - names, layers and rows of a report -------------*- C++ -*-===//

#ifndef COMPILER_REPORT_NAMES_H
#define COMPILER_REPORT_NAMES_H

#include "compiler/Report/Report.h"

#include <string>
#include <vector>

namespace tarn::report {

/// The row of a state's role: `weights` for `parameter`.
std::string stateRole(const std::string &role);

/// `dot` for the kernel `k_dot_17`.
std::string opOfKernel(const std::string &kernel);

/// The layer of a parameter, or of what the optimizer keeps for one:
/// `h.0.mlp` for `h.0.mlp.weight` and `h.0.mlp.weight.adam_m`.
std::string layerOfState(const std::string &name, const std::string &role);

/// The same for all states, by the parameters among them.
void nameStateLayers(std::vector<Tensor> &state);

/// The row of a layer: up to its first number (`h.0` of `h.0.mlp.c_fc`), else
/// its first two words.
std::string layerRow(const std::string &layer);

/// Fills byRole, byLayer and byOp: what is alive at the fullest moment of the
/// largest arena, the other spaces whole; gaps are a row, so that each list
/// adds up to the peak.
void addRows(Report &report);

} // namespace tarn::report

#endif // COMPILER_REPORT_NAMES_H
