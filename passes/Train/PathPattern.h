//===- PathPattern.h - patterns over parameter paths ------------*- C++ -*-===//

#ifndef PASSES_TRAIN_PATHPATTERN_H
#define PASSES_TRAIN_PATHPATTERN_H

#include "llvm/ADT/StringRef.h"

namespace tarn {

/// Whether `path` ("transformer.h.0.ln_1.bias") matches `pattern`: segments are
/// separated by dots, `*` stands for any characters within a segment, `**` for
/// any number of whole segments. Takes time in the product of both lengths.
bool matchesPath(llvm::StringRef pattern, llvm::StringRef path);

} // namespace tarn

#endif // PASSES_TRAIN_PATHPATTERN_H
