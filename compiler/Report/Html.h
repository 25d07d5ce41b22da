//===- Html.h - a report as one page ----------------------------*- C++ -*-===//

#ifndef COMPILER_REPORT_HTML_H
#define COMPILER_REPORT_HTML_H

#include "runtime/Json.h"

#include <functional>
#include <string>

namespace tarn::report {

/// One self-contained page that draws a report (as toJson writes it): it loads
/// nothing. The model's own lines are shown where `readSources` finds the files
/// that the report's places name.
std::string toHtml(const rt::Json &report, const rt::Json &sources);

/// The lines of the files that a report's places name, as {"FILE": [LINES]}:
/// texts that `library` has, else files; what cannot be read is left out.
rt::Json
readSources(const rt::Json &report,
            const std::function<const char *(const std::string &)> &library);

} // namespace tarn::report

#endif // COMPILER_REPORT_HTML_H
