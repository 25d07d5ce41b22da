//===- Saved.h - what waits for the backward pass in fewer bits -*- C++ -*-===//

#ifndef PASSES_PRECISION_SAVED_H
#define PASSES_PRECISION_SAVED_H

#include "llvm/ADT/StringRef.h"

namespace tarn {

/// Of an op that rounds a value for the backward pass: its result lies in
/// memory, and is made where the value is. (A reader that rounds the value for
/// itself would keep all its bits waiting.)
inline constexpr llvm::StringLiteral savedAttr = "tarn.saved";

} // namespace tarn

#endif // PASSES_PRECISION_SAVED_H
