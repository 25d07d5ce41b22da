//===- PackFile.h - packing problems as CSV ---------------------*- C++ -*-===//
//
// A header line that names the columns, then a buffer a line: `id`, `lower`,
// `upper` (it lives in [lower, upper)), `size`, and where wanted `alignment`
// and `offset` (it must lie there; empty = anywhere).
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_TARN_PACKFILE_H
#define TOOLS_TARN_PACKFILE_H

#include "passes/Plan/Packing/Problem.h"

#include "runtime/Status.h"

#include <string>
#include <string_view>

namespace tarn::cli {

struct PackFile {
  /// The lines as they were, without their ends; the first names the columns.
  std::vector<std::string_view> lines;
  std::vector<std::string_view> ids;
  std::vector<packing::Buffer> buffers;
  /// Which column is `offset`; -1 = none.
  int offsetColumn = -1;
};

/// Reads a problem from `text`, which must outlive it. An error says
/// NAME:LINE and what is wrong there.
rt::Result<PackFile> parsePackFile(std::string_view text,
                                   const std::string &name);

/// The file again with the column `offset` added or filled in.
std::string writePackFile(const PackFile &file,
                          const std::vector<int64_t> &offsets);

} // namespace tarn::cli

#endif // TOOLS_TARN_PACKFILE_H
