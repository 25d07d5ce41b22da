//===- Condition.h - `--assert 'peak<=22GiB'` -------------------*- C++ -*-===//

#ifndef COMPILER_REPORT_CONDITION_H
#define COMPILER_REPORT_CONDITION_H

#include "compiler/Report/Report.h"

#include <string>

namespace tarn::report {

/// A figure of a report, a comparison and a value.
struct Condition {
  enum class Compare { less, atMost, more, atLeast, equal };
  std::string text; ///< as it was written
  std::string figure;
  Compare compare = Compare::atMost;
  /// Bytes, or seconds for `time`.
  double value = 0;

  bool isTime() const { return figure == "time"; }
};

/// Reads `FIGURE COMPARISON VALUE`: a figure is `peak`, `arena`, `state`,
/// `inputs`, `outputs`, `host`, `checkpoint`, `least`, `time` or a role of the
/// breakdown (`logits`); a value has a unit (`22GiB`, `1.5ms`) or is bytes.
rt::Result<Condition> parseCondition(const std::string &text);

/// The figure as the report has it.
double figureOf(const Report &report, const std::string &figure);

/// Whether it holds.
bool holds(const Condition &condition, double figure);

} // namespace tarn::report

#endif // COMPILER_REPORT_CONDITION_H
