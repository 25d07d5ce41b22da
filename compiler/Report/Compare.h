//===- Compare.h - two plans side by side -----------------------*- C++ -*-===//

#ifndef COMPILER_REPORT_COMPARE_H
#define COMPILER_REPORT_COMPARE_H

#include "compiler/Report/Report.h"

#include <string>
#include <vector>

namespace tarn::report {

/// A figure that two plans have; 0 where one has none.
struct Difference {
  std::string group; ///< `all`, `role`, `layer`, `op`, `line`
  std::string name;
  int64_t before = 0, after = 0;
};

struct Comparison {
  std::string before, after; ///< names of the two, with dims
  /// Bytes; groups in order, in each the largest change first. `role`, `layer`,
  /// `op` and `line` each add up to the change of the peak.
  std::vector<Difference> rows;
  double secondsBefore = 0, secondsAfter = 0;
};

Comparison compare(const Report &before, const Report &after);

rt::Json toJson(const Comparison &comparison);

} // namespace tarn::report

#endif // COMPILER_REPORT_COMPARE_H
